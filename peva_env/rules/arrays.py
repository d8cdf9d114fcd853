"""The overload rules of ``peva_env.rules.checks`` for many runs at once.

Notation: ``n`` runs, ``F`` functions; ``success`` is (F, n), 1 where a function is absent from a run. Sums and
quotients are taken as ``judge`` takes them, so that labels and margins are the same to the last bit.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, reduce

import numpy as np
from numpy.typing import NDArray

from peva_env.config import LATENCIES, OverloadConfig
from peva_env.rules.checks import NO_LATENCY_MARGIN

type Floats = NDArray[np.float64]

_LABELS = np.array([-1, 1], np.int8)


@dataclass(frozen=True)
class ArrayRules:
    """The rules for runs of some functions, all but that on a backlog: a simulated node has none.

    Args:
        rules: the thresholds.
        functions: the names of the F functions, in the order of the arrays.
    """

    rules: OverloadConfig
    functions: tuple[str, ...]

    def success_margins(self, success: Floats, present: Floats, n_present: Floats) -> Floats:
        """Return the smallest margin (n,) of the rules on success, infinite where none is on.

        Args:
            success: success rate over offered load, (F, n), 0..1.
            present: 1 where the function is part of the run, 0 elsewhere, (F, n).
            n_present: functions in the run, (n,), at least 1.
        """
        margins = self._of_functions(success, present)
        node = self.rules.success_rate_node_min
        if node is None:
            return margins
        total = reduce(np.add, success * present)
        least: Floats = np.minimum(margins, (total / n_present - node) / (node or 1))
        return least

    def use_margins(self, cpu_pct: Floats, ram_pct: Floats) -> Floats:
        """Return the smallest margin (n,) of the rules on the node's use, in percent of its capacity (n,).

        A rule that is off has an infinite margin.
        """
        cpu, ram = self.rules.cpu_overload_pct_of_capacity, self.rules.ram_overload_pct
        return np.minimum(_use_margin(cpu_pct, cpu), _use_margin(ram_pct, ram))

    def latency_margins(self, latency_ms: Callable[[str], Floats], offered: Floats, succeeded: Floats) -> Floats | None:
        """Return the smallest margin (n,) of the latency rules, None if none is on.

        Args:
            latency_ms: returns the latencies (F, n) of successful requests, by a name of ``LATENCIES``.
            offered: offered requests, (F, n).
            succeeded: successful requests, (F, n).
        """
        if not self._latency_limits_ms:
            return None
        margins = []
        for name, limits_ms in self._latency_limits_ms.items():
            with np.errstate(invalid="ignore"):  # of functions without a limit, which is infinite
                own = (limits_ms - latency_ms(name)) / limits_ms
            own = np.where(succeeded > 0, own, NO_LATENCY_MARGIN)
            margins.append(np.where(np.isinf(limits_ms) | (offered == 0), np.inf, own))
        least: Floats = reduce(np.minimum, np.concatenate(margins))
        return least

    def _of_functions(self, success: Floats, present: Floats) -> Floats:
        limits = self._success_limits
        if len(set(limits)) > 1:
            least = np.array([np.nan if limit is None else limit for limit in limits])[:, None]
            scale = np.where(least > 0, least, 1.0)
            margins = np.where((present > 0) & ~np.isnan(least), (success - least) / scale, np.inf)
            return np.asarray(reduce(np.minimum, margins))
        if limits[0] is None:
            return np.full(success.shape[1], np.inf)
        lowest = reduce(np.minimum, success)  # an absent one, having 1, is never below the others
        return np.asarray((lowest - limits[0]) / (limits[0] or 1))

    @cached_property
    def _success_limits(self) -> tuple[float | None, ...]:
        return tuple(self.rules.limits_of(name).success_rate_min for name in self.functions)

    @cached_property
    def _latency_limits_ms(self) -> dict[str, Floats]:
        """The limits (F, 1) of each latency with a rule, infinite for functions without."""
        of_functions: Sequence[tuple[float | None, ...]] = [
            self.rules.limits_of(name).latencies_ms for name in self.functions
        ]
        return {
            name: np.array([np.inf if limit is None else limit for limit in limits])[:, None]
            for name, limits in zip(LATENCIES, zip(*of_functions, strict=True), strict=True)
            if any(limit is not None for limit in limits)
        }


def _use_margin(used_pct: Floats, limit_pct: float | None) -> Floats:
    if limit_pct is None:
        return np.full_like(used_pct, np.inf)
    return (limit_pct - used_pct) / (limit_pct or 1)


def labels(margins: Floats) -> NDArray[np.int8]:
    """Return -1 (OK) or 1 (overloaded): a rule fires where its margin is negative, for its threshold itself is OK."""
    return _LABELS.take(margins < 0)


def majority_labels(votes: NDArray[np.int64], n_runs: NDArray[np.int64]) -> NDArray[np.int8]:
    """Return the majority label of each configuration's runs, (n,): -1 OK, 1 overloaded, 0 without runs.

    ``votes`` are the sums of the runs' labels. A tie is OK, as in ``peva_env.rules.judge.majority``.
    """
    return np.where(n_runs == 0, 0, np.where(votes > 0, 1, -1)).astype(np.int8)
