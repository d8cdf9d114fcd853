"""Failed requests that load does not explain: a restart, a stalled or limited load generator, other programs.

Whatever these causes can explain is never counted against the node: see ``peva_env.rules.judge.caused_by_load``.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from peva_env.config import LATENCIES
from peva_env.contracts import ExecutionEvent, FunctionMeasurement

NOBODY_THERE = ("status_404", "connection_refused", "connection_dns", "connection_tls")
"""Kinds of failure, named as in ``peva_env.sources.k6.plan.FAILURE_KINDS``, that a wrong address or a restart causes,
not load."""

_CUT_OFF = ("connection_reset", "connection_other")
"""Kinds of failure that a restart causes, too, but which load alone can cause."""

IN_DOUBT = "in doubt: "
"""Start of a reason that says why an overload may have another cause, where what is stored of the run does not tell."""

_GENERATOR_LIMITS = {
    "generator_files": "it may not open more files; raise the limit (ulimit -n)",
    "generator_ports": "no local port was free; offer less, or widen net.ipv4.ip_local_port_range",
}
"""Kinds of failure that a limit of the load generator's own machine causes, and the remedies."""

_EXPLAINED_BY_EACH = 4
"""Upper bound of the requests that fail, or queue up, for each one that a stall held up or other programs crowded out.
After a stall, k6 sends all held-up requests at once; they fail, or those behind them. Measured: 0.98 to 1.0 with a
function that refuses what it cannot serve at once. A function that lost its core works off old requests when it has it
again, and those behind them time out. Measured: 1.3 to 1.8 with a function that uses 5 ms of CPU, timeout 1 s."""

_REFUSED_BY_EACH = 1.5
"""The same for other programs and requests that a function answers with an error. One that refuses what it cannot serve
at once has no old requests to work off: it refuses as many more as it could not serve meanwhile."""

_AFFECTED = 0.05
"""Share of the requests that a stall or other programs explain, from which latencies, replicas and a backlog may be due
to them: with fewer, 95 % of the requests are not affected."""

_LATE_BY_EACH = 2
"""How many requests are late for each one that other programs crowded out. Measured: 4 to 6 % crowded out raised the
95th percentile of a function at nine tenths of its capacity from 50 ms to 300 ms."""


def is_in_doubt(event: ExecutionEvent) -> bool:
    """Tell whether a run may be overloaded for another cause than load."""
    return any(reason.startswith(IN_DOUBT) for reason in event.reasons)


def unsent(functions: Sequence[FunctionMeasurement]) -> Iterator[str]:
    """Yield a message for each limit of the generator's machine that kept requests from being sent."""
    for kind, remedy in _GENERATOR_LIMITS.items():
        count = sum(function.failed.get(kind, 0) for function in functions)
        if count:
            yield f"k6 could not send {count} request{'' if count == 1 else 's'}: {remedy}"


def restart(functions: Sequence[FunctionMeasurement]) -> Iterator[str]:
    """Yield a message if requests found no server."""
    gone = [f"{one.name} ({counts_text(one.sent, _gone(one))})" for one in functions if _gone(one)]
    if gone:
        yield f"a restart, a crash or a wrong address failed requests: {', '.join(gone)}"


def stall(functions: Sequence[FunctionMeasurement]) -> Iterator[str]:
    """Yield a message if the generator stood still."""
    share = max((function.held_up / function.offered for function in functions if function.offered), default=0.0)
    if share:
        yield (
            f"k6 stood still for {100 * share:.0f} % of the run and then sent all late requests at once; it was "
            "stopped or got too little CPU: offer less, or use more cores"
        )


def crowding(functions: Sequence[FunctionMeasurement]) -> Iterator[str]:
    """Yield a message if other programs took the cores that functions needed."""
    shares = [(one.crowded_out / one.offered, one.name) for one in functions if one.crowded_out]
    if shares:
        share, name = max(shares)
        yield (
            f"other programs had the core that {name} needed for {100 * share:.0f} % of the run: end them, or measure "
            "when they have ended"
        )


def explained(function: FunctionMeasurement) -> FunctionMeasurement:
    """Return a function as if the failures that causes other than load can explain had been successes."""
    gone = _gone(function)
    by_restart = sum(gone.values())
    if not by_restart and not function.held_up and not function.crowded_out:
        return function
    lost = max(0, function.offered - function.succeeded - by_restart)
    by_stall = _EXPLAINED_BY_EACH * function.held_up
    succeeded = function.succeeded + by_restart + min(lost, by_stall + _by_crowd(function, lost))
    is_affected = by_stall + _LATE_BY_EACH * function.crowded_out >= _AFFECTED * function.offered
    queued = by_stall + _EXPLAINED_BY_EACH * function.crowded_out
    if is_affected:
        unknown: dict[str, Any] = dict.fromkeys(LATENCIES)
        function = replace(function, replicas=None, **unknown)
    return replace(
        function,
        succeeded=succeeded,
        failed={kind: count for kind, count in function.failed.items() if kind not in gone},
        success_rate=succeeded / function.offered if function.offered else function.success_rate,
        backlog=0 if by_restart or is_affected or function.backlog <= queued else function.backlog,
    )


def _by_crowd(function: FunctionMeasurement, lost: int) -> int:
    """Return how many of the ``lost`` requests of a function other programs can explain."""
    refused = min(lost, sum(count for kind, count in function.failed.items() if kind.startswith("status_")))
    of_refused = min(refused, round(_REFUSED_BY_EACH * function.crowded_out))
    return of_refused + min(lost - refused, _EXPLAINED_BY_EACH * function.crowded_out)


def counts_text(total: int, counts: Mapping[str, int]) -> str:
    """Return counts by kind, the highest first: "85 of 201: 404, 3: timeout"; empty without any."""
    kinds = sorted(((count, kind) for kind, count in counts.items() if count), key=lambda one: (-one[0], one[1]))
    texts = [f"{count}: {kind.removeprefix('status_').replace('_', ' ')}" for count, kind in kinds]
    return ", ".join(texts).replace(":", f" of {total}:", 1)


def _gone(function: FunctionMeasurement) -> dict[str, int]:
    """Return the failures of a function that a restart explains, by kind; none unless a request found no server."""
    if not any(function.failed.get(kind) for kind in NOBODY_THERE):
        return {}
    return {kind: n for kind, n in function.failed.items() if kind in NOBODY_THERE + _CUT_OFF and n}
