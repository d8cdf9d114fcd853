"""Recorded runs as arrays from which whole batches of outcomes are drawn.

Notation: ``S`` scenarios, ``N`` configurations, ``F`` functions, ``V = 3 + 2 F`` values of a measurement. ``K``
recorded runs are sorted by scenario and configuration; a run that belongs to several scenarios is repeated in each. Row
``K`` of the arrays is a placeholder, ``no_run``: the result for a configuration without a recorded run.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from peva_env.memory.tensors import RECORDED_QUANTITIES, RUN_QUANTITIES, Rows
from peva_env.observation import LATENCY_CAP_S
from peva_env.rules import majority_labels
from peva_env.sources.episodes import Indices, Outcomes
from peva_env.sources.replay.maps import RecordedGroup, RecordedMap
from peva_env.space import ConfigSpace

_SUCCESS, _P95, _MEAN = (RECORDED_QUANTITIES.index(name) for name in ("success_rate", "p95_ms", "mean_ms"))
_CPU, _RAM, _MARGIN, _COST = (RUN_QUANTITIES.index(name) for name in ("cpu_pct", "ram_pct", "margin", "cost_s"))


@dataclass(frozen=True, slots=True)
class RecordedRuns:
    """The runs of all scenarios of a world, as arrays. A *run index* is a row of them."""

    first: Indices  # (S, N): index of the configuration's first run, no_run without one
    count: Indices  # (S, N): number of runs of the configuration
    recorded: NDArray[np.bool_]  # (S, N): whether the configuration has a run
    rows: Indices  # (K,): row of the run in the recording
    labels: NDArray[np.int8]  # (K + 1,)
    values: NDArray[np.float32]  # (K + 1, V)
    mask: NDArray[np.int8]  # (K + 1, V)
    cost_s: NDArray[np.float64]  # (K + 1,)
    mean_ms: NDArray[np.float32]  # (K + 1, F): NaN where not recorded

    @property
    def no_run(self) -> int:
        """The run index of the placeholder for a configuration without a recorded run."""
        return len(self.rows)

    def draw(
        self, scenarios: Indices, indices: Indices, draws: NDArray[np.float64], iteration: int | Indices
    ) -> Indices:
        """Return the index (n,) of the run that each episode sees.

        ``draws`` (n,) in [0, 1) choose the run of iteration 0; later iterations take the configuration's next runs in
        turn.
        """
        cells = scenarios * self.count.shape[1] + indices
        count = self.count.take(cells)
        offset = ((draws * count).astype(np.int64) + iteration) % np.maximum(count, 1)
        runs: Indices = self.first.take(cells) + offset
        return runs

    def outcomes(self, runs: Indices) -> Outcomes:
        """Return copies of the outcomes of runs (n,)."""
        return Outcomes(
            self.labels.take(runs),
            self.values.take(runs, axis=0),
            self.mask.take(runs, axis=0),
            self.cost_s.take(runs),
            self.mean_ms.take(runs, axis=0),
        )

    def majority(self, scenario: int) -> NDArray[np.int8]:
        """Return the majority label of each configuration's runs, (N,): -1 OK or a tie, 1 overloaded, 0 no record."""
        count = self.count[scenario]
        own = slice(*self._span(count, scenario))
        configs = np.repeat(np.arange(len(count)), count)
        votes = np.bincount(configs, self.labels[own], minlength=len(count)).astype(np.int64)
        return majority_labels(votes, count)

    def _span(self, count: Indices, scenario: int) -> tuple[int, int]:
        start = int(self.count[:scenario].sum())
        return start, start + int(count.sum())


@dataclass(frozen=True, slots=True)
class _ScenarioRows:
    """A group of rows in one scenario, and the run indices that they get."""

    group: RecordedGroup
    positions: list[int]  # of the group's functions in the scenario's list of functions
    runs: Indices  # (k,)


def arrange_runs(rows: Rows, maps: Sequence[RecordedMap], spaces: Sequence[ConfigSpace]) -> RecordedRuns:
    """Return the runs of recorded maps, map ``i`` being scenario ``i``."""
    n_configs, n_functions = spaces[0].n_configs, len(spaces[0].functions)
    pairs = [(number, group) for number, recorded_map in enumerate(maps) for group in recorded_map.groups]
    cells = np.concatenate([number * n_configs + group.config_indices(spaces[number]) for number, group in pairs])
    order = cells.argsort(kind="stable")
    count = np.bincount(cells, minlength=len(maps) * n_configs)
    first = np.where(count == 0, len(cells), np.cumsum(count) - count)
    recording_rows = np.concatenate([group.rows for _, group in pairs])[order]
    values, mask = _zeros(len(cells) + 1, n_functions)
    mean_ms = np.full((len(cells) + 1, n_functions), np.nan, np.float32)
    for part in _rows_by_scenario(pairs, spaces, order):
        _fill(values, mask, rows, part, n_functions)
        for position, measured in zip(part.positions, part.group.measured.T, strict=True):
            mean_ms[part.runs, position] = rows.of_function[measured, _MEAN].clip(0.0, LATENCY_CAP_S * 1000)
    return RecordedRuns(
        first=first.reshape(len(maps), n_configs),
        count=count.reshape(len(maps), n_configs),
        recorded=(count > 0).reshape(len(maps), n_configs),
        rows=recording_rows,
        labels=np.append(rows.keys["label"][recording_rows], 0).astype(np.int8),
        values=values,
        mask=mask,
        cost_s=np.append(_costs(rows.of_run[recording_rows, _COST]), 0.0),
        mean_ms=mean_ms,
    )


def _zeros(n_runs: int, n_functions: int) -> tuple[NDArray[np.float32], NDArray[np.int8]]:
    shape = n_runs, 3 + 2 * n_functions
    return np.zeros(shape, np.float32), np.zeros(shape, np.int8)


def _rows_by_scenario(
    pairs: Sequence[tuple[int, RecordedGroup]], spaces: Sequence[ConfigSpace], order: Indices
) -> Iterator[_ScenarioRows]:
    runs = np.empty_like(order)
    runs[order] = np.arange(len(order))
    start = 0
    for number, group in pairs:
        positions = [spaces[number].functions.index(name) for name in group.names]
        yield _ScenarioRows(group, positions, runs[start : start + len(group.rows)])
        start += len(group.rows)


def _fill(
    values: NDArray[np.float32], mask: NDArray[np.int8], rows: Rows, part: _ScenarioRows, n_functions: int
) -> None:
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
        # Clip before the conversion to float32, which would overflow on a huge number; + 0.0 turns -0.0 into 0.0.
        values[part.runs, column] = np.where(is_measured, raw, 0.0).clip(low, high) + 0.0
        mask[part.runs, column] = is_measured


def _costs(cost_s: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return costs, with 0 for a cost that is missing, infinite or negative."""
    return np.where(np.isfinite(cost_s), cost_s, 0.0).clip(0.0)
