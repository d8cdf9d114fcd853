"""TODO room inference."""
