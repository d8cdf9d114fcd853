"""TODO room dfaas."""
