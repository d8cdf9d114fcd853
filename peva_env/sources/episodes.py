"""Offline episodes: the outcomes of measurements, for many episodes side by side.

Notation: ``n`` episodes, ``N`` configurations, ``F`` functions, ``V = 3 + 2 F`` values of a measurement in the layout
of ``peva_env.observation``. Arrays have the leading axis ``n``. A single episode (``n = 1``) broadcasts: one call
returns all its ``N`` outcomes.

Random draws: an episode has a 64-bit *seed*, and each draw is a hash of that seed, the configuration and the iteration.
So an outcome does not depend on earlier measurements, two agents with the same seed get the same outcomes, and an
environment draws the same bits alone and among a thousand side by side.
"""

from dataclasses import dataclass
from typing import Any, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from peva_env.contracts import MeasurementSource
from peva_env.space import ConfigSpace

type Seeds = NDArray[np.uint64]
type Indices = NDArray[np.int64]

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_MIX_1 = np.uint64(0xBF58476D1CE4E5B9)
_MIX_2 = np.uint64(0x94D049BB133111EB)
_ONE = np.uint64(1)
_S30, _S27, _S31, _S11 = (np.uint64(shift) for shift in (30, 27, 31, 11))


@dataclass(frozen=True, slots=True)
class Outcomes:
    """The outcomes of ``n`` measurements. The label is 0 for a configuration without a record."""

    labels: NDArray[np.int8]  # (n,): -1 OK, 1 overloaded
    values: NDArray[np.float32]  # (n, V)
    mask: NDArray[np.int8]  # (n, V): 1 where the value was measured; elsewhere mask and value are 0
    cost_s: NDArray[np.float64]  # (n,): machine time, cooldown plus run
    mean_ms: NDArray[np.float32]  # (n, F): mean latency of the successful requests; NaN where not measured


class Episodes(Protocol):
    """Episodes that have begun, side by side."""

    def outcomes(self, indices: Indices, iteration: int | Indices = 0) -> Outcomes:
        """Return the outcome of configuration ``indices[i]`` (n,) in episode ``i``, in new arrays.

        ``iteration`` is the number of the configuration's earlier measurements: one number for all, or (n,).
        """
        ...

    def adopt(self, where: Indices, others: Self) -> None:
        """Replace the episodes at ``where`` (k,) by the episodes of ``others`` at the same positions."""
        ...


class World(Protocol):
    """A generator of offline episodes: recordings, or a simulated node.

    The spaces of all scenarios have one shape: the same number of functions, and of rates of function ``i``.
    """

    @property
    def scenarios(self) -> tuple[str, ...]:
        """The names of the scenarios; each episode is one of them."""
        ...

    def space(self, scenario: int) -> ConfigSpace:
        """Return the configurations of a scenario."""
        ...

    def recorded(self, scenarios: Indices) -> NDArray[np.bool_]:
        """Return which configurations can be measured, (n, N)."""
        ...

    def begin(self, seeds: Seeds, scenarios: Indices) -> Episodes:
        """Begin ``n`` episodes; ``seeds`` (n,) decide all their random draws."""
        ...

    def truth(self, seed: int, scenario: int) -> NDArray[np.int8]:
        """Return the true labels of one episode, (N,): -1 OK, 1 overloaded, 0 without a record."""
        ...

    def source(self, seed: int, scenario: int) -> MeasurementSource:
        """Return the measurement source of one episode: its events have the same outcomes as ``begin``."""
        ...


def hashed(seeds: Seeds, *counters: Any) -> Seeds:
    """Return a 64-bit hash of each seed and the counters, which broadcast (SplitMix64's finaliser, applied in turn).

    The mixing function is that of Steele, Lea and Flood, "Fast splittable pseudorandom number generators" (2014).
    """
    state = seeds
    for counter in counters:
        count = np.atleast_1d(counter).astype(np.uint64)  # unlike a scalar, an array overflows without a warning
        state = state + _GOLDEN * (count + _ONE)
        state ^= state >> _S30
        state *= _MIX_1
        state ^= state >> _S27
        state *= _MIX_2
        state ^= state >> _S31
    return state


def uniforms(seeds: Seeds, *counters: Any) -> NDArray[np.float64]:
    """Return a uniform number in [0, 1) of each seed and the counters, which broadcast."""
    return (hashed(seeds, *counters) >> _S11).astype(np.float64) * 2.0**-53
