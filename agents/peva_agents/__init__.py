"""Agents: one file each; they see contracts, space, inference and observation, never memory or sources."""
