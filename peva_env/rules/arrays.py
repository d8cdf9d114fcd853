"""The overload rules of ``peva_env.rules.judge`` for many runs at once.

Notation: ``n`` runs, ``F`` functions; ``success`` is (F, n), 1 where a function is absent from a run. Sums and
quotients are computed in the order of ``judge``, so that labels and margins are the same to the last bit.
"""

from functools import reduce

import numpy as np
from numpy.typing import NDArray

from peva_env.config import OverloadConfig

type Floats = NDArray[np.float64]

_LABELS = np.array([-1, 1], np.int8)


def success_margins(success: Floats, present: Floats, n_present: Floats, rules: OverloadConfig) -> Floats:
    """Return the smallest margin (n,) of the rules on success rates.

    Args:
        success: success rate over offered load, (F, n), 0..1.
        present: 1 where the function is part of the run, 0 elsewhere, (F, n).
        n_present: functions in the run, (n,), at least 1.
        rules: the thresholds.
    """
    total = reduce(np.add, success * present)
    least = reduce(np.minimum, success)  # an absent function has success 1 and so never lowers the minimum
    function, node = rules.success_rate_function_min, rules.success_rate_node_min
    margins: Floats = np.minimum((least - function) / (function or 1), (total / n_present - node) / (node or 1))
    return margins


def use_margins(cpu_pct: Floats, ram_pct: Floats, rules: OverloadConfig) -> Floats:
    """Return the smallest margin (n,) of the rules on the node's use, in percent of its capacity (n,).

    A rule that is off has an infinite margin.
    """
    cpu, ram = rules.cpu_overload_pct_of_capacity, rules.ram_overload_pct
    return np.minimum(_use_margin(cpu_pct, cpu), _use_margin(ram_pct, ram))


def _use_margin(used_pct: Floats, limit_pct: float | None) -> Floats:
    if limit_pct is None:
        return np.full_like(used_pct, np.inf)
    return (limit_pct - used_pct) / (limit_pct or 1)


def labels(margins: Floats) -> NDArray[np.int8]:
    """Return -1 (OK) or 1 (overloaded): a rule fires if its margin is negative; a value at the threshold is OK."""
    return _LABELS.take(margins < 0)


def majority_labels(votes: NDArray[np.int64], n_runs: NDArray[np.int64]) -> NDArray[np.int8]:
    """Return the majority label of each configuration's runs, (n,): -1 OK, 1 overloaded, 0 without runs.

    ``votes`` are the sums of the runs' labels. A tie is OK, as in ``peva_env.rules.judge.majority``.
    """
    return np.where(n_runs == 0, 0, np.where(votes > 0, 1, -1)).astype(np.int8)
