"""Random nodes, each drawn from its episode's seed: the training set of an agent that has to work on any node.

The distribution, for a space whose highest rate of function ``f`` is ``R_f`` (all draws independent):

- cores ``C``: 1, 2, 4 or 8, equally likely; RAM 1 GiB a core;
- capacity of the function alone in rps, ``cap_f``: log-uniform in 0.25..1.25 times ``R_f``; where the smallest
  ``cap_f / R_f`` is above 0.9, all are scaled so that it is 0.9, and the highest rates overload every node;
- share of 0.8 C cores in use at ``cap_f``: uniform in 0.1..1, which gives the CPU time of a request;
- slots: uniform in 2..32, at most half of the requests that ``cap_f`` starts within a timeout, and at least as many
  as the CPU phases of ``cap_f`` hold;
- I/O time such that these slots are full at ``cap_f`` of the function alone;
- memory: 3 to 10 % of the RAM for each function without requests, and log-uniform in 0.02..1.6 times the RAM,
  divided by the number of functions, with all slots taken: so RAM binds in about one node in ten.
"""

from collections.abc import Sequence

import numpy as np

from peva_env.errors import ConfigError
from peva_env.sources.episodes import Seeds, uniforms
from peva_env.sources.simulated.node_model import OVERHEAD_S, Floats, Nodes, sigma

_DRAWS = 2  # the hash counter of a node's draws; a run's draws have 1
_CPU_TARGET = 0.8
_MOST_SLOTS = 32
_LEAST_STARTED = 80.0  # requests within a timeout at the highest rate: with fewer, slots and CPU cannot both be drawn
_CORES = np.array([1.0, 2.0, 4.0, 8.0])
_GIB = 2.0**30
_LEVELS = 1024


def _log_uniform(low: float, high: float) -> Floats:
    """Return ``_LEVELS`` numbers in ratio from low to high, by ten square roots: the same on every machine."""
    ratio = np.float64(high / low)
    for _ in range(10):  # 1024 = 2^10
        ratio = np.sqrt(ratio)
    table: Floats = low * np.cumprod(np.full(_LEVELS, ratio))
    return table


_CAPACITIES = _log_uniform(0.25, 1.25)
_MEMORIES = _log_uniform(0.02, 1.6)


def require_room(highest_rps: Sequence[int], timeout_s: float) -> None:
    """Check that nodes can be drawn for these rates.

    Raises:
        ConfigError: a function's highest rate starts too few requests within a timeout.
    """
    if min(highest_rps) * timeout_s < _LEAST_STARTED:
        raise ConfigError(
            f"node = 'random': each function's highest rate must be at least {_LEAST_STARTED / timeout_s:g} rps with a "
            f"timeout of {timeout_s:g} s; one is {min(highest_rps)} rps"
        )


def draw_nodes(seeds: Seeds, highest_rps: Sequence[int], timeout_s: float) -> Nodes:
    """Return a node for each seed (n,), its functions in the order of ``highest_rps`` (F,)."""
    n_functions = len(highest_rps)
    draws = uniforms(seeds[None, :], _DRAWS, np.arange(1 + 5 * n_functions)[:, None])
    cores = _CORES.take((draws[0] * 4).astype(np.intp))
    capacity, share, slots, base, memory = draws[1:].reshape(5, n_functions, len(seeds))
    ratio = _CAPACITIES.take((capacity * _LEVELS).astype(np.intp))
    ratio *= np.minimum(0.9 / ratio.min(axis=0), 1.0)
    cap_rps = ratio * np.array(highest_rps, np.float64)[:, None]
    busy = _CPU_TARGET * (0.1 + 0.9 * share)
    cpu_s = busy * cores / cap_rps
    active_s = cpu_s * sigma(cores, busy) + OVERHEAD_S
    most = np.minimum(2 + np.floor(slots * (_MOST_SLOTS - 1)), np.floor(cap_rps * timeout_s / 2))
    n_slots = np.maximum(most, np.floor(cap_rps * active_s) + 1)
    ram_bytes = _GIB * cores
    return Nodes.of(
        cores=cores,
        ram_bytes=ram_bytes,
        cpu_s=cpu_s,
        held_s=n_slots / cap_rps - active_s + OVERHEAD_S,
        slots=n_slots,
        base_bytes=(0.03 + 0.07 * base) * ram_bytes,
        request_bytes=_MEMORIES.take((memory * _LEVELS).astype(np.intp)) * ram_bytes / n_functions / n_slots,
    )
