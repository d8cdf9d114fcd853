"""TODO room local."""
