"""TODO room campaign."""
