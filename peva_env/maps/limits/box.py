"""The largest box of limits: one limit for each function, safe whatever the other functions do within theirs.

Notation: a function ``f`` with limit ``u_f`` is called at any rate from 0 (not at all) to ``u_f``. The box is safe if
each load in it is. Because more load never helps, it is enough that for each set ``T`` of functions the load of ``u_f``
for the functions in ``T``, and no other, is safe.

The best box has limits for as many functions as possible, and of these boxes the largest product of ``u_f ** w_f``,
with a weight ``w_f`` for each function, 1 unless given. The product is proportional fairness (Kelly, "Charging and rate
control for elastic traffic", European Transactions on Telecommunications 8, 1997): no other box has limits that are
higher by more percent in (weighted) sum than others are lower. All boxes whose limits are rates of the highest OK
configurations are compared, so the best one is exact: a limit between two such rates could be raised to the next.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from peva_env.errors import ConfigError
from peva_env.maps.limits.multiples import require_positive
from peva_env.maps.limits.safe_region import SafeRegion, rates_of
from peva_env.space import DENSE_LIMIT, Config

_SAME = 1e-9
"""Difference of two logarithms that is rounding."""


@dataclass(frozen=True, slots=True)
class FunctionLimit:
    """The limit of one function in a box, in requests/s; 0 if it must not be called beside the others.

    ``overloaded_rps`` is the lowest rate of this function that is proved overloaded beside others within their limits.
    If it is None, ``limit_rps`` is a lower bound: nothing above it was proved overloaded. ``highest_rps`` is the
    function's highest rate on the map.
    """

    function: str
    limit_rps: int
    overloaded_rps: int | None
    highest_rps: int

    @property
    def is_lower_bound(self) -> bool:
        """Whether no rate above the limit is proved overloaded."""
        return self.overloaded_rps is None


@dataclass(frozen=True, slots=True)
class Box:
    """One limit for each function of a map; ``proved_by`` are the measured OK configurations from which it follows."""

    limits: tuple[FunctionLimit, ...]
    weights: Mapping[str, float]
    proved_by: tuple[Config, ...]

    @property
    def limits_rps(self) -> dict[str, int]:
        """The limits by function."""
        return {one.function: one.limit_rps for one in self.limits}


def largest_box(region: SafeRegion, weights: Mapping[str, float] | None = None) -> Box | None:
    """Return the best box of limits, or None if no box is safe.

    Raises:
        ConfigError: a weight is not that of a function or not positive, or the boxes are too many to compare.
    """
    if weights is not None:
        require_positive("weight", weights, region.functions)
    all_weights = dict.fromkeys(region.functions, 1.0) | dict(weights or {})
    heaviest = max(all_weights.values())
    shares = {name: weight / heaviest for name, weight in all_weights.items()}  # so that no size loses its precision
    for size in range(len(region.functions), 0, -1):
        boxes = [box for names in combinations(region.functions, size) if (box := _best(region, names, shares))]
        if boxes:
            return _described(region, max(boxes, key=lambda box: _size(box, shares)), all_weights)
    return None


def _best(region: SafeRegion, names: Sequence[str], weights: Mapping[str, float]) -> dict[str, int] | None:
    """Return the best box with limits above 0 for exactly these functions, or None."""
    levels = _levels(region, names)
    shape = tuple(map(len, levels))
    if math.prod(shape) > DENSE_LIMIT:
        raise ConfigError(f"limits: {math.prod(shape):,} boxes are too many to compare; name fewer functions")
    safe = np.ones(shape, np.bool_)
    for called in _sets(region, names):
        safe &= _safe(region, names, called, levels)
    if not safe.any():
        return None
    boxes = np.argwhere(safe)
    limits_rps = np.stack([rates[boxes[:, axis]] for axis, rates in enumerate(levels)], axis=1)
    sizes = (np.log(limits_rps) * [weights[name] for name in names]).sum(axis=1)
    best = limits_rps[sizes > sizes.max() - _SAME]
    return dict(zip(names, best[best.sum(axis=1).argmax()].tolist(), strict=True))


def _size(box: Mapping[str, int], weights: Mapping[str, float]) -> float:
    """Return the logarithm of the weighted product of a box's limits."""
    return sum(weights[name] * math.log(limit) for name, limit in box.items())


def _levels(region: SafeRegion, names: Sequence[str]) -> list[NDArray[np.int64]]:
    """Return the rates above 0 of each function in the configurations that can prove a box, lowest first."""
    proving = [config for called in _sets(region, names) for config in region.ok_for(called)]
    return [np.unique(column[column > 0]) for column in rates_of(proving, names).T]


def _sets(region: SafeRegion, names: Sequence[str]) -> Iterator[tuple[str, ...]]:
    """Yield the sets of functions whose loads must be safe; with two-sided dominance one proves all."""
    yield tuple(names)
    if region.known.dominance != "two_sided":
        for size in range(1, len(names)):
            yield from combinations(names, size)


def _safe(
    region: SafeRegion, names: Sequence[str], called: Sequence[str], levels: Sequence[NDArray[np.int64]]
) -> NDArray[np.bool_]:
    """Return for each box whether it is safe to call these functions at their limits, and no other; to be broadcast."""
    safe = np.zeros([len(rates) if name in called else 1 for name, rates in zip(names, levels, strict=True)], np.bool_)
    for config in region.ok_for(called):
        rates_rps = dict(config)
        within = (
            slice(int(np.searchsorted(rates, rates_rps.get(name, 0), "right"))) if name in called else slice(None)
            for name, rates in zip(names, levels, strict=True)
        )
        safe[tuple(within)] = True
    return safe


def _described(region: SafeRegion, limits_rps: Mapping[str, int], weights: Mapping[str, float]) -> Box:
    limits = dict.fromkeys(region.functions, 0) | dict(limits_rps)
    highest = dict(zip(region.functions, (rates[-1] for rates in region.known.space.rates_rps), strict=True))
    return Box(
        limits=tuple(
            FunctionLimit(name, limit, _overloaded_from(region, limits, name), highest[name])
            for name, limit in limits.items()
        ),
        weights=weights,
        proved_by=tuple(_proof(region, limits_rps)),
    )


def _overloaded_from(region: SafeRegion, limits: Mapping[str, int], function: str) -> int | None:
    """Return the lowest rate of a function that is proved overloaded beside others within their limits."""
    others_within = (
        dict(config).get(function, 0)
        for config in region.overloaded
        if all(rate <= limits[name] for name, rate in config if name != function)
    )
    return min((rate for rate in others_within if rate > limits[function]), default=None)


def _proof(region: SafeRegion, limits_rps: Mapping[str, int]) -> Iterator[Config]:
    """Yield the configurations that prove a box: for each set of functions one with no lower rate than the limits."""
    proved: list[Config] = []
    for called in _sets(region, tuple(limits_rps)):
        needed = [(name, limits_rps[name]) for name in called]
        config = next(
            one for one in region.ok_for(called) if all(dict(one).get(name, 0) >= rate for name, rate in needed)
        )
        if config not in proved:
            proved.append(config)
    yield from proved
