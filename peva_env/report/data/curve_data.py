"""What the curves of the page need beside the runs: the limits of the rules, and the steps of the scouting.

Names of quantities are those of the columns of ``run_data``.
"""

from collections.abc import Iterator, Sequence
from statistics import fmean
from typing import Any

from peva_env.config import LATENCIES
from peva_env.contracts import ExecutionEvent, FunctionMeasurement, Verdict
from peva_env.maps import NodeMap
from peva_env.memory import rules_in
from peva_env.planning import Bracket, brackets, outcome_text
from peva_env.report.data.run_data import VERDICTS, column_name


def curve_data(node_map: NodeMap) -> dict[str, Any]:
    """Return the limits of each quantity and the rays of the scouting, as plain data.

    A limit is a list with one number a function, None where there is no rule.
    """
    return {
        "limits": _limits(node_map),
        "scouting": [_ray(bracket, node_map.scouted) for bracket in brackets(node_map.scouted)],
    }


def _limits(node_map: NodeMap) -> dict[str, Any]:
    found = rules_in(node_map.context)
    if found is None:
        return {}
    own = [found.overload.limits_of(name) for name in node_map.known.space.functions]
    return {
        **{column_name(name): [limits.latencies_ms[i] for limits in own] for i, name in enumerate(LATENCIES)},
        "success": [limits.success_rate_min for limits in own],
        "cpuPct": [found.overload.cpu_overload_pct_of_capacity for _ in own],
    }


def _ray(bracket: Bracket, events: Sequence[ExecutionEvent]) -> dict[str, Any]:
    steps = sorted(_steps(events, bracket.names), key=lambda event: (_total_rps(event), event.started_at))
    band = [bracket.ok, bracket.overloaded]
    return {
        "functions": list(bracket.names),
        "text": outcome_text(bracket).partition(": ")[2],
        "band": None if None in band else [sum(rate for _, rate in config) for config in band if config],
        "rps": [_total_rps(step) for step in steps],
        "verdict": [VERDICTS.index(step.verdict) for step in steps],
        "success": [fmean(one.success_rate for one in step.functions) for step in steps],
        "cpuPct": [step.node.cpu_pct for step in steps],
        **{column_name(name): [_highest(step.functions, name) for step in steps] for name in LATENCIES},
    }


def _steps(events: Sequence[ExecutionEvent], names: tuple[str, ...]) -> Iterator[ExecutionEvent]:
    """Yield the valid steps of a ray that measured something."""
    for event in events:
        if event.config_key[0] == names and event.verdict is not Verdict.INVALID and event.functions:
            yield event


def _total_rps(event: ExecutionEvent) -> int:
    return sum(event.config_key[1])


def _highest(functions: Sequence[FunctionMeasurement], latency: str) -> float | None:
    return max((value for one in functions if (value := getattr(one, latency)) is not None), default=None)
