"""Timing of small calls, and the lines in which figures are printed."""

import time
from collections.abc import Callable
from statistics import median


def best_of(call: Callable[[], object], *, repeats: int = 5) -> float:
    """Return the shortest wall time of a call in seconds: the one that the machine disturbed least."""
    times = []
    for _ in range(repeats):
        started = time.perf_counter()
        call()
        times.append(time.perf_counter() - started)
    return min(times)


def report(
    what: str, figure: float, unit: str, *, target: str = "", reference: tuple[str, float] | None = None
) -> None:
    """Print one figure, the target it is held to, and its ratio to a reference in the same unit."""
    line = f"{what:58} {figure:10.3f} {unit:4}"
    if target:
        line += f" target {target:10}"
    if reference:
        name, value = reference
        line += f" {figure / value:8.2f} x {name} ({value:.3f} {unit})"
    print(line, flush=True)


def spread(values: list[float]) -> str:
    """Return median and range of some values."""
    return f"median {median(values):.3f}, {min(values):.3f} to {max(values):.3f}"
