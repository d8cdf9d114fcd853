"""peva-env."""
