"""TODO room replay."""
