"""TODO room rules."""
