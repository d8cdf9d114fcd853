"""Memory engines from flat settings, as the suites of contracts name them."""

import time
from collections.abc import Callable
from typing import Any

from peva_env.contracts import ExecutionEvent
from peva_env.memory import DuckDBMemoryStore, InProcessMemoryEngine, RunLedger
from peva_env.planning import UpdateSchedule


def make_engine(
    store: DuckDBMemoryStore,
    *,
    iterations: int = 1,
    is_certain: Callable[[ExecutionEvent], bool] | None = None,
    selection_mode: str = "online",
    micro_batch_size: int = 8,
    micro_batch_window_s: float = 30,
    clock: Callable[[], float] = time.monotonic,
    **folders: Any,
) -> InProcessMemoryEngine:
    """Return an engine; ``folders`` are ``checkpoint`` and ``preload``."""
    return InProcessMemoryEngine(
        store,
        ledger=RunLedger(iterations, is_certain=is_certain),
        schedule=UpdateSchedule(selection_mode, micro_batch_size, micro_batch_window_s, clock),
        **folders,
    )
