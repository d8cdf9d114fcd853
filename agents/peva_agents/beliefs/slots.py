"""How success tells of a function's slots, and slots of success: what agents that go by latencies have in common.

A function has ``rate x latency`` requests in flight (Little's law). While that is less than its slots all succeed;
beyond, the share for which there are slots does. The edge is rounded as in ``peva_env.sources.simulated.node_model``.
"""

import numpy as np
from numpy.typing import NDArray

type Floats = NDArray[np.float64]

EDGE = 16
"""The exponent of the rounded edge: success is 0.958 where all slots are just taken."""

SATURATED = 0.985
"""Success below which slots were short, so that what was in flight tells how many there are."""

LEAST_SUCCESS = 0.02
"""Success below which too few were served for their latency to say anything."""


def success_at(log_fullness: Floats) -> Floats:
    """Return the success rate where so many times the slots are asked for, given as a logarithm; of any shape."""
    success: Floats = (1 + np.exp(EDGE * log_fullness)) ** (-1 / EDGE)
    return success
