"""Training agents offline, and judging what was trained."""
