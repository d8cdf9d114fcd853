"""Offline episodes: what measuring would give, for many episodes side by side.

Notation: ``n`` episodes, ``N`` configurations, ``F`` functions, ``V = 3 + 2 F`` values of a measurement in the layout
of ``peva_env.observation``. Arrays of an episode have the leading axis ``n``; where ``n`` is 1 they broadcast, so that
one episode gives all its ``N`` outcomes in one call.

Chance: an episode has a 64-bit *seed*, and every draw in it is a hash of that seed, the configuration and the
iteration. So what a configuration gives does not depend on what was measured before it, two agents on the same seed
meet the same node in the same mood, and one environment or a thousand side by side draw the same, bit for bit.
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
    """What measuring gave, a row each. ``labels`` is 0 where there is no record."""

    labels: NDArray[np.int8]  # (n,): -1 OK, 1 overloaded
    values: NDArray[np.float32]  # (n, V)
    mask: NDArray[np.int8]  # (n, V): 1 where the value was measured, 0 elsewhere, and the value is 0 there
    cost_s: NDArray[np.float64]  # (n,): machine time, cooldown plus run


class Episodes(Protocol):
    """Episodes that have begun, side by side."""

    def outcomes(self, indices: Indices, iteration: int = 0) -> Outcomes:
        """Return what measuring configuration ``indices[i]`` (n,) in episode ``i`` gives, in fresh arrays."""
        ...

    def adopt(self, where: Indices, others: Self) -> None:
        """Replace the episodes at ``where`` (k,) by those that as many others of the same world have there."""
        ...


class World(Protocol):
    """Where offline episodes come from: recordings, or a simulated node.

    All scenarios have spaces of one shape: as many functions, and as many rates of each.
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
        """Begin ``n`` episodes, each of a scenario, all chance in it being its seed's."""
        ...

    def source(self, seed: int, scenario: int) -> MeasurementSource:
        """Return what measures in one episode, as events: the same outcomes in full."""
        ...


def hashed(seeds: Seeds, *counters: Any) -> Seeds:
    """Return a 64-bit hash of each seed and the counters, which broadcast (SplitMix64's finaliser, applied in turn).

    The mixing function is that of Steele, Lea and Flood, "Fast splittable pseudorandom number generators" (2014).
    """
    state = seeds
    for counter in counters:
        count = np.atleast_1d(counter).astype(np.uint64)  # an array, which wraps around without a warning
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
