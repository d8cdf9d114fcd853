"""TODO room parquet."""
