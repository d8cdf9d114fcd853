"""TODO room openfaas."""
