"""TODO room system."""
