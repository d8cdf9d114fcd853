"""How many requests per second several generators bear together."""

from peva_env.errors import LoadGeneratorError
from peva_env.sources.k6.plan import FunctionLoad
from peva_env.sources.k6.result import LoadResult
from peva_env.sources.k6.runner import K6
from peva_env.sources.k6.shards import Generators

_FIRST_RPS = 100
"""The first rate of each generator, which any machine bears."""

_STEP_S = 1.0
_TIMEOUT_S = 1.0
_MOST_CPU_PCT = 80.0
"""CPU use of k6, as percent of all cores, above which overloaded runs are INVALID; see ``peva_env.rules``."""

_MOST_LATE = 0.01
"""Share of the requests that may be late or fail."""


def borne_rps(generators: Generators) -> int:
    """Return a rate that the generators bear together, 0 if none; each loads a small server on its own machine.

    The rate is doubled until it is too much, then the middle is tried. As the servers use CPU, too, the rate is a lower
    bound.
    """
    with generators.against_own_servers() as calibrated:
        k6 = K6(timeout_s=_TIMEOUT_S, generators=calibrated)
        borne, rate_rps = 0, _FIRST_RPS * generators.n
        while _bears(k6, rate_rps):
            borne, rate_rps = rate_rps, 2 * rate_rps
        middle = (borne + rate_rps) // 2
        return middle if borne and _bears(k6, middle) else borne


def _bears(k6: K6, rate_rps: int) -> bool:
    try:
        result = k6.run([FunctionLoad("calibration", rate_rps, "http://127.0.0.1/")], duration_s=_STEP_S)
    except LoadGeneratorError:  # one was late, or stood still
        return False
    return _is_at_ease(result)


def _is_at_ease(result: LoadResult) -> bool:
    function = result.functions[0]
    late = max(function.held_up, function.offered - function.succeeded)
    return late <= _MOST_LATE * function.offered and (result.generator_cpu_pct or 0.0) <= _MOST_CPU_PCT
