"""TODO room simulated."""
