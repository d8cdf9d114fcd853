"""Recorded runs as arrays from which whole batches of outcomes are drawn.

Notation: ``S`` scenarios, ``N`` configurations, ``F`` functions, ``V = 3 + 2 F`` values, ``K`` places: a recorded run
at its scenario and configuration, sorted by both. One place more, the last, is *nowhere*: what is drawn where nothing
was recorded.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from peva_env.memory.tensors import FUNCTION_QUANTITIES, RUN_QUANTITIES, Rows
from peva_env.observation import LATENCY_CAP_S
from peva_env.rules import majority_labels
from peva_env.sources.episodes import Indices, Outcomes
from peva_env.sources.replay.maps import Group, RecordedMap
from peva_env.space import ConfigSpace

_SUCCESS, _P95 = (FUNCTION_QUANTITIES.index(name) for name in ("success_rate", "p95_ms"))
_CPU, _RAM, _MARGIN, _COST = (RUN_QUANTITIES.index(name) for name in ("cpu_pct", "ram_pct", "margin", "cost_s"))


@dataclass(frozen=True, slots=True)
class RecordedRuns:
    """All runs of a world, each place with what came of it."""

    first: Indices  # (S, N): the first place of a configuration, nowhere if it has none
    count: Indices  # (S, N): how many it has
    recorded: NDArray[np.bool_]  # (S, N): whether it has any
    rows: Indices  # (K,): the recording's row
    labels: NDArray[np.int8]  # (K + 1,)
    values: NDArray[np.float32]  # (K + 1, V)
    mask: NDArray[np.int8]  # (K + 1, V)
    cost_s: NDArray[np.float64]  # (K + 1,)

    @property
    def nowhere(self) -> int:
        """The place at which nothing was recorded."""
        return len(self.rows)

    def draw(self, scenarios: Indices, indices: Indices, draws: NDArray[np.float64], iteration: int) -> Indices:
        """Return the place (n,) of an iteration: a configuration's in turn, from that of a draw (n,) in [0, 1)."""
        cells = scenarios * self.count.shape[1] + indices
        count = self.count.take(cells)
        places: Indices = self.first.take(cells) + ((draws * count).astype(np.int64) + iteration) % np.maximum(count, 1)
        return places

    def outcomes(self, places: Indices) -> Outcomes:
        """Return copies of what is recorded at these places."""
        return Outcomes(
            self.labels.take(places),
            self.values.take(places, axis=0),
            self.mask.take(places, axis=0),
            self.cost_s.take(places),
        )

    def majority(self, scenario: int) -> NDArray[np.int8]:
        """Return what more than half of each configuration's runs say, (N,): -1 OK, 1 overloaded, 0 no record."""
        count = self.count[scenario]
        own = slice(*self._span(count, scenario))
        cell = np.repeat(np.arange(len(count)), count)
        votes = np.bincount(cell, self.labels[own], minlength=len(count)).astype(np.int64)
        return majority_labels(votes, count)

    def _span(self, count: Indices, scenario: int) -> tuple[int, int]:
        start = int(self.count[:scenario].sum())
        return start, start + int(count.sum())


@dataclass(frozen=True, slots=True)
class _Part:
    """A group of rows as part of one scenario, and where they go."""

    group: Group
    positions: list[int]  # of its functions among those of the scenario
    places: Indices  # (k,)


def lay_out(rows: Rows, maps: Sequence[RecordedMap], spaces: Sequence[ConfigSpace]) -> RecordedRuns:
    """Return the runs of these maps; a run of functions that several maps share is in each of them."""
    n_configs, n_functions = spaces[0].n_configs, len(spaces[0].functions)
    pairs = [(number, group) for number, one in enumerate(maps) for group in one.groups]
    cells = np.concatenate([number * n_configs + group.cells(spaces[number]) for number, group in pairs])
    order = cells.argsort(kind="stable")
    count = np.bincount(cells, minlength=len(maps) * n_configs)
    first = np.where(count == 0, len(cells), np.cumsum(count) - count)
    chosen = np.concatenate([group.rows for _, group in pairs])[order]
    values, mask = _blank(len(cells) + 1, n_functions)
    for part in _parts(pairs, spaces, order):
        _fill(values, mask, rows, part, n_functions)
    return RecordedRuns(
        first=first.reshape(len(maps), n_configs),
        count=count.reshape(len(maps), n_configs),
        recorded=(count > 0).reshape(len(maps), n_configs),
        rows=chosen,
        labels=np.append(rows.keys["label"][chosen], 0).astype(np.int8),
        values=values,
        mask=mask,
        cost_s=np.append(_costs(rows.of_run[chosen, _COST]), 0.0),
    )


def _blank(n_places: int, n_functions: int) -> tuple[NDArray[np.float32], NDArray[np.int8]]:
    shape = n_places, 3 + 2 * n_functions
    return np.zeros(shape, np.float32), np.zeros(shape, np.int8)


def _parts(pairs: Sequence[tuple[int, Group]], spaces: Sequence[ConfigSpace], order: Indices) -> Iterator[_Part]:
    places = np.empty_like(order)
    places[order] = np.arange(len(order))
    start = 0
    for number, group in pairs:
        positions = [spaces[number].functions.index(name) for name in group.names]
        yield _Part(group, positions, places[start : start + len(group.rows)])
        start += len(group.rows)


def _fill(values: NDArray[np.float32], mask: NDArray[np.int8], rows: Rows, part: _Part, n_functions: int) -> None:
    """Write a group's measurements in the layout of observations."""
    of_run = rows.of_run[part.group.rows]
    columns = [
        (0, of_run[:, _CPU] / 100, 0.0, 1.0),
        (1, of_run[:, _RAM] / 100, 0.0, 1.0),
        (2, of_run[:, _MARGIN], -1.0, 1.0),
    ]
    for position, measured in zip(part.positions, part.group.measured.T, strict=True):
        of_function = rows.of_function[measured]
        columns.append((3 + position, of_function[:, _SUCCESS], 0.0, 1.0))
        columns.append((3 + n_functions + position, of_function[:, _P95] / 1000, 0.0, LATENCY_CAP_S))
    for column, raw, low, high in columns:
        is_measured = ~np.isnan(raw)
        # Clipped before it becomes a float32, which a huge number would not fit; + 0.0 makes a zero of -0.0.
        values[part.places, column] = np.where(is_measured, raw, 0.0).clip(low, high) + 0.0
        mask[part.places, column] = is_measured


def _costs(cost_s: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return costs with 0 where none is recorded, or one that cannot be."""
    return np.where(np.isfinite(cost_s), cost_s, 0.0).clip(0.0)
