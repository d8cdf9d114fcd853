"""Events as contiguous arrays: what policies and replay read on the hot path. All of it is rebuilt from DuckDB."""

from peva_env.memory.tensors.cache import TensorCache
from peva_env.memory.tensors.index import Codebook
from peva_env.memory.tensors.rows import EVENT_QUERY, FUNCTION_QUANTITIES, RUN_QUANTITIES, Coded, Rows, rows_of_batch

__all__ = [
    "EVENT_QUERY",
    "FUNCTION_QUANTITIES",
    "RUN_QUANTITIES",
    "Codebook",
    "Coded",
    "Rows",
    "TensorCache",
    "rows_of_batch",
]
