"""The capacity of a node over many memories, and where it changes."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from peva_env.config import AskedRules
from peva_env.errors import ConfigError
from peva_env.maps.capacity import Capacity, capacities
from peva_env.maps.change_points import FEWEST, ChangePoint, change_points
from peva_env.maps.reading import StoredMap

TOTAL = "total"
"""The series of the highest total rate; all others have the names of functions."""


@dataclass(frozen=True, slots=True)
class TrendPoint:
    """The capacity that one memory tells of; ``started_at`` in seconds since the epoch."""

    memory: str
    context_hash: str
    repetition: int
    started_at: float
    capacity: Capacity


@dataclass(frozen=True, slots=True)
class Trend:
    """Capacities in the order of their measurement; ``changes`` has the change points of each series that has one.

    The series are ``total``, the highest total rate measured OK, and the highest rate of each function in a
    configuration measured OK; 0 where none was.
    """

    points: tuple[TrendPoint, ...]
    changes: Mapping[str, tuple[ChangePoint, ...]]

    def series(self, name: str) -> list[float]:
        """Return the values of a series, in requests/s."""
        return [float(rate or 0) for rate in (_rate(point.capacity, name) for point in self.points)]

    @property
    def lost_share(self) -> float:
        """The largest share that the last change of a series has taken; 0 where none is a loss."""
        return max(0.0, *(-changes[-1].share for changes in self.changes.values()), 0.0)


def trend_of(stored: Sequence[StoredMap], rules: AskedRules = None, *, level: float = 0.05) -> Trend:
    """Return the capacities of a node and their change points.

    Args:
        stored: what at least three memories hold of the node; the order does not matter.
        rules: the overload rules for all; None for those of the campaign measured last.
        level: the probability of a change point in a series without change.

    Raises:
        ConfigError: the memories are too few, one is given twice, or their contexts are not alike.
    """
    in_order = sorted(stored, key=_started_at)
    _require_alike(in_order)
    asked = rules if rules is not None else in_order[-1].judged().context.get("overload")
    points = tuple(
        TrendPoint(one.memory, one.context_hash, one.repetition, _started_at(one), _capacity(one, asked))
        for one in in_order
    )
    unchanged = Trend(points, {})
    found = {
        name: tuple(change_points(unchanged.series(name), step=_step(in_order, name), level=level))
        for name in (TOTAL, *points[0].capacity.functions_rps)
    }
    return Trend(points, {name: changes for name, changes in found.items() if changes})


def _capacity(stored: StoredMap, rules: AskedRules) -> Capacity:
    (found,) = capacities(stored, {TOTAL: rules})
    return found


def _rate(capacity: Capacity, name: str) -> int | None:
    return capacity.total_rps if name == TOTAL else capacity.functions_rps[name]


def _started_at(stored: StoredMap) -> float:
    return min((run.started_at for run in stored.runs), default=0.0)


def _step(stored: Sequence[StoredMap], name: str) -> float:
    """Return the largest distance of two neighbouring rates of a function, or of any function for the total."""
    gaps = [
        high - low
        for one in stored
        for function, rates in zip(one.space.functions, one.space.rates_rps, strict=True)
        if name in (TOTAL, function)
        for low, high in pairwise(rates)
    ]
    return float(max(gaps, default=1))


def _require_alike(stored: Sequence[StoredMap]) -> None:
    """Check that the memories measure one node in the same way; its code and k6 may be of any version.

    Raises:
        ConfigError: they do not.
    """
    if len(stored) < FEWEST:
        raise ConfigError(f"a trend needs at least {FEWEST} memories, and more to tell a change from noise")
    seen: dict[tuple[str, int, float], str] = {}
    for one in stored:
        runs = (one.context_hash, one.repetition, _started_at(one))
        if runs in seen:
            raise ConfigError(f"{one.memory} has the same runs as {seen[runs]}: give each memory once")
        seen[runs] = one.memory
    first = dict(_likeness(stored[0]))
    for one in stored[1:]:
        for what, value in _likeness(one):
            if value != first[what]:
                differs = f"{what} {_text(value)} instead of {_text(first[what])}"
                raise ConfigError(f"{one.memory} is not like {stored[0].memory}: {differs}")


def _likeness(stored: StoredMap) -> Iterator[tuple[str, Any]]:
    """Yield what must be equal for two capacities to be of one trend."""
    context = stored.context
    node = context.get("node")
    about = node if isinstance(node, Mapping) else {}
    yield "functions", list(stored.space.functions)
    yield "functions at once", [stored.space.min_functions, stored.space.max_functions - 1]
    for key in ("kind", "name", "hostname", "gateway", "cpu_count"):
        yield f"node.{key}", about.get(key)
    for key in ("duration_s", "timeout_s", "warm_up_s", "functions"):
        yield key if key != "functions" else "requests", context.get(key)


def _text(value: Any) -> str:
    return json.dumps(value, sort_keys=True)
