"""Events as contiguous arrays: what policies and replay read on the hot path. All of it is rebuilt from DuckDB."""

from peva_env.memory.tensors.cache import TensorCache
from peva_env.memory.tensors.event_arrays import (
    EVENT_QUERY,
    RECORDED_QUANTITIES,
    RUN_QUANTITIES,
    Coded,
    Rows,
    rows_of_batch,
)
from peva_env.memory.tensors.lookup import Codebook

__all__ = [
    "EVENT_QUERY",
    "RECORDED_QUANTITIES",
    "RUN_QUANTITIES",
    "Codebook",
    "Coded",
    "Rows",
    "TensorCache",
    "rows_of_batch",
]
