"""Agents, one file each. They import contracts, space, inference and observation, but never memory or sources."""
