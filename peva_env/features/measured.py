"""Valid runs of a campaign as arrays: one row per configuration, with the means over its runs.

Notation: ``t`` configurations measured, ``F`` functions. Rates are shares of each function's highest rate, 0 for a
function that is absent. What was not measured is NaN.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from peva_env.contracts import ExecutionEvent
from peva_env.inference import LABELS
from peva_env.rules import majority_labels
from peva_env.space import ConfigKey, ConfigSpace, config_pairs

type Floats = NDArray[np.float64]

_NAN = float("nan")


@dataclass(frozen=True, slots=True)
class Measurements:
    """Measurements of ``t`` configurations: means over their runs, and the majority of their verdicts."""

    rates: Floats  # (t, F)
    labels: Floats  # (t,): -1 OK, 1 overloaded
    success: Floats  # (t, F): 1 for a function that is absent
    mean_ms: Floats  # (t, F): latency of the successful requests
    cpu_pct: Floats  # (t,)
    ram_pct: Floats  # (t,)

    def __len__(self) -> int:
        """Return the number of configurations."""
        return len(self.labels)


class Measured:
    """Collects valid runs on a space; runs of other functions are left out."""

    def __init__(self, space: ConfigSpace) -> None:
        self._space = space
        self._rows: dict[ConfigKey, list[list[float]]] = {}

    def __len__(self) -> int:
        """Return the number of configurations."""
        return len(self._rows)

    def learn(self, events: Iterable[ExecutionEvent]) -> None:
        """Add the valid runs among the events."""
        for event in events:
            if set(event.config_key[0]) <= set(self._space.functions):
                self._rows.setdefault(event.config_key, []).append(self._row(event))

    def measurements(self, *, at_most: int | None = None) -> Measurements:
        """Return the measurements of all configurations, or of the latest ones."""
        n_functions = len(self._space.functions)
        n_columns = 3 + 2 * n_functions
        keys = list(self._rows)[-at_most if at_most else None :]
        runs = [np.array(self._rows[key]) for key in keys]
        means = np.array([_mean(rows) for rows in runs]).reshape(len(runs), n_columns)
        votes = np.array([rows[:, 0].sum() for rows in runs], np.int64)
        n_runs = np.array([len(rows) for rows in runs], np.int64)
        return Measurements(
            rates=self._space.rates_of(map(config_pairs, keys)) / highest_rps(self._space),
            labels=majority_labels(votes, n_runs).astype(np.float64),
            success=means[:, 3 : 3 + n_functions],
            mean_ms=means[:, 3 + n_functions :],
            cpu_pct=means[:, 1],
            ram_pct=means[:, 2],
        )

    def _row(self, event: ExecutionEvent) -> list[float]:
        functions = {function.name: function for function in event.functions}
        found = [functions.get(name) for name in self._space.functions]
        return [
            LABELS[event.verdict],
            _number(event.node.cpu_pct),
            _number(event.node.ram_pct),
            *(function.success_rate if function else 1.0 for function in found),
            *(_number(function.mean_ms if function else None) for function in found),
        ]


def highest_rps(space: ConfigSpace) -> Floats:
    """Return the highest rate of each function (F,), at least 1: the divisor that turns rates into shares."""
    return np.array([max(rates[-1], 1) for rates in space.rates_rps], np.float64)


def _number(value: float | None) -> float:
    return _NAN if value is None or not math.isfinite(value) else float(value)


def _mean(rows: Floats) -> Floats:
    """Return the mean of each column over its numbers; NaN for a column without a number."""
    known = ~np.isnan(rows)
    counts = known.sum(axis=0)
    sums = np.where(known, rows, 0.0).sum(axis=0)
    means: Floats = np.divide(sums, counts, out=np.full(rows.shape[1], _NAN), where=counts > 0)
    return means
