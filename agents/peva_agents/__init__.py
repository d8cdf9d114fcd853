"""Agents: one file each; they see contracts, space, frontier and observation, never memory or sources."""
