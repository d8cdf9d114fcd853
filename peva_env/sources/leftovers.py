"""What a run leaves behind: requests that k6 gave up are still served, which not every node shows."""

from collections.abc import Sequence

from peva_env.contracts import FunctionMeasurement

_GIVEN_UP = "timeout"


def queue_left_s(functions: Sequence[FunctionMeasurement], ran_s: float) -> float:
    """Return for how long the functions may still serve requests of a run that has ended, in seconds.

    A server does not learn that a client has given up: it serves the request when its turn comes. At the rate at which
    others succeeded, the requests given up in a run of ``ran_s`` take ``ran_s`` x given up / succeeded. At up to twice
    its capacity a function has no more left than ``ran_s``, which bounds the time. Answered requests leave nothing: k6
    waits until each is answered or given up.

    Args:
        functions: what was measured of each function.
        ran_s: seconds for which the load was offered.
    """
    given_up = [(function.failed.get(_GIVEN_UP, 0), function.succeeded) for function in functions]
    return max((ran_s * min(1.0, n / max(1, succeeded)) for n, succeeded in given_up), default=0.0)
