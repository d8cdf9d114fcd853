"""The candidate view of ``n`` campaigns: their candidates as rows of features, and their context.

Notation: ``m`` of the ``n`` campaigns, ``K`` candidates, ``d`` features of a candidate, ``c`` of the context, ``F``
functions.
"""

from typing import Any

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from peva_env.config import OverloadConfig
from peva_env.features import FEATURES, Feature
from peva_env.features.side_by_side import Campaigns, CountsOfMany, Runs
from peva_env.observation import N_RUN_VALUES, Observation
from peva_env.space import ConfigSpace
from peva_env.views.choice import NO_CANDIDATE, Shown

type Floats = NDArray[np.float64]
type Numbers = NDArray[np.int64]

ROW = tuple(feature for feature in FEATURES if not feature.of_campaign)
"""The ``d`` features of a candidate, in the order of the rows."""

OF_VIEW = (
    Feature("unknown_share", 0.0, 1.0, "unknown configurations / those that can be measured", of_campaign=True),
    Feature("runs_left", 0.0, 1.0, "share of the budget of runs that is left, 1 without a limit", of_campaign=True),
    Feature("seconds_left", 0.0, 1.0, "share of the budget of seconds that is left, 1 without one", of_campaign=True),
    Feature("cost", 0.0, 30.0, "log(1 + cost so far / cost of the first run)", of_campaign=True),
    Feature("log_functions", 0.0, 10.0, "log(number of functions)", of_campaign=True),
)

CONTEXT = (*(feature for feature in FEATURES if feature.of_campaign), *OF_VIEW)
"""The ``c`` numbers of the context, in their order."""


def runs_of(rates: Floats, labels: NDArray[Any], values: NDArray[Any], mask: NDArray[Any], mean_ms: Any) -> Runs:
    """Return measurements in the layout of ``peva_env.observation``, (m, V), as runs."""
    n_functions = rates.shape[1]
    measured = np.where(mask, values.astype(np.float64), np.nan)
    success = measured[:, N_RUN_VALUES : N_RUN_VALUES + n_functions]
    return Runs(
        rates=rates,
        labels=labels.astype(np.float64),
        success=np.where(np.isnan(success), 1.0, success),
        mean_ms=np.asarray(mean_ms, np.float64),
        cpu_pct=100 * measured[:, 0],
        ram_pct=100 * measured[:, 1],
    )


class CandidateRows:
    """What the candidate view of ``n`` campaigns needs to know, and what it shows.

    ``shown`` (n, K) are the indices of the candidates that were shown last, ``NO_CANDIDATE`` in rows without one.

    Args:
        n: number of campaigns.
        space: the configurations; other spaces must have the same numbers of functions and rates.
        limits: the overload rules.
        k: number of candidates.
    """

    def __init__(self, n: int, space: ConfigSpace, limits: OverloadConfig, k: int) -> None:
        n_functions = len(space.functions)
        self._candidates, self._context = _box(ROW, k), _box(CONTEXT)
        self.observation_space = spaces.Dict({"candidates": self._candidates, "context": self._context})
        self.action_space = spaces.Discrete(k)
        self.shown: NDArray[Any] = np.full((n, k), NO_CANDIDATE, np.int64 if space.is_dense else np.object_)
        self._campaigns = Campaigns(n, n_functions, limits)
        self._first_cost_s, self._cost_s = np.zeros(n), np.zeros(n)
        self._log_functions = np.log(n_functions)

    def begin(self, where: Numbers) -> None:
        """Begin campaigns ``where``: nothing is measured, spent or shown."""
        self.shown[where] = NO_CANDIDATE
        self._first_cost_s[where] = self._cost_s[where] = 0
        self.forget(where)

    def forget(self, where: Numbers) -> None:
        """Forget all measurements of campaigns ``where``."""
        self._campaigns.begin(where)

    def enter(self, where: Numbers, runs: Runs) -> None:
        """Enter a measurement of another configuration in each campaign of ``where`` (m,)."""
        self._campaigns.add(where, runs)

    def spend(self, where: Numbers, cost_s: Floats) -> None:
        """Charge campaigns ``where`` (m,) a cost."""
        first = self._first_cost_s[where]
        self._first_cost_s[where] = np.where(first > 0, first, cost_s)
        self._cost_s[where] += cost_s

    def observe(self, where: Numbers, shown: Shown, unknown_share: Floats, left: Floats) -> Observation:
        """Show candidates in campaigns ``where`` (m,); ``left`` (m, 2) are the shares of runs and seconds left."""
        self.shown[where] = shown.indices
        rows = np.zeros((*shown.below.shape, len(ROW)), np.float32)
        some = (shown.indices[:, 0] != NO_CANDIDATE).nonzero()[0]
        if some.size:
            counts = CountsOfMany(shown.below[some], shown.above[some], shown.n[some])
            rows[some] = self._campaigns.rows(where[some], shown.rates[some], counts)
            rows[shown.indices == NO_CANDIDATE] = 0
        cost = np.log1p(self._cost_s[where] / np.maximum(self._first_cost_s[where], 1e-9))
        functions = np.full(len(where), self._log_functions)
        of_campaigns = self._campaigns.of_campaigns(where, shown.n)
        context = np.column_stack([of_campaigns, unknown_share, left, cost, functions]).astype(np.float32)
        return {
            "candidates": rows.clip(self._candidates.low, self._candidates.high, out=rows),
            "context": context.clip(self._context.low, self._context.high, out=context),
        }

    def masks(self, where: Any = slice(None)) -> NDArray[np.bool_]:
        """Return which rows have a candidate in campaigns ``where``, (m, K), in a new array."""
        has_candidate: NDArray[np.bool_] = self.shown[where] != NO_CANDIDATE
        return has_candidate


def _box(features: tuple[Feature, ...], *shape: int) -> spaces.Box:
    bounds = (np.array([getattr(feature, side) for feature in features], np.float32) for side in ("low", "high"))
    low, high = (np.broadcast_to(bound, (*shape, len(features))).copy() for bound in bounds)
    return spaces.Box(low, high, dtype=np.float32)
