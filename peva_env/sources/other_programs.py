"""What programs outside the measurement did to a live run: which requests they crowded out, and what is in doubt."""

from collections.abc import Iterator, Sequence

from peva_env.contracts import ExecutionEvent, FunctionMeasurement, NodeMeasurement, Verdict
from peva_env.platforms import NodeUsage, Usage

_CROWDED = 0.01
"""Share of a function's requests that other programs crowd out, from which an INVALID run is due to them, too. On an
idle machine 0.006 was the most that was seen."""

_NO_CORE_LEFT_PCT = 90.0
"""CPU use of a machine, in percent, from which programs on it wait for each other."""

_LEAST_OF_NODE = 0.5
"""Share of the node's CPU use under load that its functions have, unless other programs work: the rest is that of
gateway, network and platform."""


def _is_crowded(function: FunctionMeasurement) -> bool:
    """Tell whether other programs took the cores of a function for more than an idle machine explains."""
    return function.crowded_out > _CROWDED * function.offered


def is_spoilt(event: ExecutionEvent) -> bool:
    """Tell whether other programs spoilt a run, so that the next one waits for them."""
    return event.verdict is Verdict.INVALID and any(map(_is_crowded, event.functions))


def crowded_share(used: Usage, usage: NodeUsage, generator_cpu_pct: float) -> float:
    """Return the share of a run during which programs outside the measurement had the core that a function needed.

    A function waits for functions, load generator and other programs in proportion to the CPU that they use.
    """
    machine = usage.machine
    if used.waiting_pct is None or machine is None or not machine.cpu_pct:
        return 0.0
    others_pct = max(0.0, machine.cpu_pct - machine.functions_cpu_pct - generator_cpu_pct)
    return min(1.0, used.waiting_pct / 100) * others_pct / machine.cpu_pct


def doubts(functions: Sequence[FunctionMeasurement], node: NodeMeasurement, usage: NodeUsage) -> Iterator[str]:
    """Yield why other programs may have caused an overload, where nothing tells how much CPU functions waited for."""
    machine = usage.machine
    if machine is not None and machine.cpu_pct >= _NO_CORE_LEFT_PCT:
        for function in functions:
            if usage.functions.get(function.name, Usage()).waiting_pct is None:
                yield f"{function.name} may have lacked CPU: programs used {machine.cpu_pct:.0f} % of this machine's"
    of_functions_pct = [function.cpu_pct for function in functions]
    if node.cpu_pct is not None and node.cpu_pct >= _NO_CORE_LEFT_PCT and None not in of_functions_pct:
        total_pct = sum(pct for pct in of_functions_pct if pct is not None)
        if total_pct < _LEAST_OF_NODE * (node.cpu_pct - (node.idle_cpu_pct or 0.0)):
            yield f"{node.cpu_pct:.0f} % of the node's CPU was used, only {total_pct:.0f} % by its functions"
