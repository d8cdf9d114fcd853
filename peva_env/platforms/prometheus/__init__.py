"""TODO room prometheus."""
