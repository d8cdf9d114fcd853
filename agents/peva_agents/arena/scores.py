"""How right a map is, as what says which configurations are overloaded, and how few runs could have proved it.

Notation: ``N`` configurations; labels (N,) int8: -1 OK, 0 unknown or never recorded, 1 overloaded.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from peva_env.inference import OK_LABEL, OVERLOADED_LABEL, UNKNOWN_LABEL, RateGrid

type Labels = NDArray[np.int8]

_LIKELY = 0.5
"""What is more likely than this to be overloaded is predicted to be."""


class Scores(NamedTuple):
    """Shares, 0..1, over what was recorded; ``precision``, ``recall`` and ``f1`` are those of *overloaded*."""

    accuracy: float
    precision: float
    recall: float
    f1: float


def score(labels: Labels, truth: Labels) -> Scores:
    """Compare a map with what is true, where the truth is known.

    An unknown configuration is told wrong, and not said to be overloaded: it costs accuracy and recall, not precision.
    Without an alarm none is false, so that precision is 1; where nothing is overloaded, recall is 1. F1 is 2 TP / (2 TP
    + FP + FN), 1 where there is nothing to find and nothing was found.
    """
    recorded = truth != UNKNOWN_LABEL
    is_overloaded, said = truth == OVERLOADED_LABEL, (labels == OVERLOADED_LABEL) & recorded
    hits = int(np.count_nonzero(is_overloaded & said))
    n_overloaded, n_said = int(np.count_nonzero(is_overloaded)), int(np.count_nonzero(said))
    right = int(np.count_nonzero((labels == truth) & recorded))
    return Scores(
        accuracy=right / int(np.count_nonzero(recorded)),
        precision=hits / n_said if n_said else 1.0,
        recall=hits / n_overloaded if n_overloaded else 1.0,
        f1=2 * hits / (n_said + n_overloaded) if n_said + n_overloaded else 1.0,
    )


def filled_in(proved: Labels, unknown: NDArray[np.int64], likely: NDArray[np.float64] | None) -> Labels:
    """Return a map with what is predicted of its unknown configurations (k,): overloaded, if that is likely (k,).

    Where nothing is predicted they are taken to be OK, as whoever runs a node does until it turns out otherwise.
    """
    labels = proved.copy()
    labels[unknown] = OK_LABEL if likely is None else np.where(likely > _LIKELY, OVERLOADED_LABEL, OK_LABEL)
    return labels


def certificate_size(grid: RateGrid, truth: Labels) -> int:
    """Return the least number of runs that prove the true map of what was recorded.

    These are the lowest overloaded and the highest OK configurations within each set of functions: none of them
    follows from another, and all else follows from them, so that no sound method needs fewer where runs tell the truth.
    Where noise made a recording's truth other than monotone, the extremes of both labels are counted all the same; and
    as single runs there differ from the truth, a map can be complete with fewer: it is then not quite the true one.
    """
    extremes = [
        grid.extremes(np.flatnonzero(truth == label), label, "within_sets") for label in (OK_LABEL, OVERLOADED_LABEL)
    ]
    return sum(len(found) for found in extremes)
