"""TODO room k6."""
