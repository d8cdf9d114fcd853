"""What was measured: DuckDB as the truth, Parquet as its exchange form, NumPy arrays for the hot path."""
