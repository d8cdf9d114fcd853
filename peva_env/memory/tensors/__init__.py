"""TODO room tensors."""
