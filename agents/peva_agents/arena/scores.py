"""The scores of a map against the truth, and the size of the certificate that proves a map.

Notation: ``N`` configurations; labels (N,) int8: -1 OK, 0 unknown or never recorded, 1 overloaded.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from peva_env.inference import OK_LABEL, OVERLOADED_LABEL, UNKNOWN_LABEL, RateGrid

type Labels = NDArray[np.int8]


class Scores(NamedTuple):
    """Shares, 0..1, of the recorded configurations; ``precision``, ``recall`` and ``f1`` are those of *overloaded*."""

    accuracy: float
    precision: float
    recall: float
    f1: float


def score(labels: Labels, truth: Labels) -> Scores:
    """Compare a map with the truth, where the truth is known.

    An unknown configuration counts as wrong and as not overloaded: it lowers accuracy and recall, not precision.
    Precision is 1 where nothing is labelled overloaded, recall is 1 where nothing is overloaded, and F1, which is 2 TP
    / (2 TP + FP + FN), is 1 where both hold.
    """
    recorded = truth != UNKNOWN_LABEL
    is_overloaded, labelled = truth == OVERLOADED_LABEL, (labels == OVERLOADED_LABEL) & recorded
    hits = int(np.count_nonzero(is_overloaded & labelled))
    n_overloaded, n_labelled = int(np.count_nonzero(is_overloaded)), int(np.count_nonzero(labelled))
    right = int(np.count_nonzero((labels == truth) & recorded))
    return Scores(
        accuracy=right / int(np.count_nonzero(recorded)),
        precision=hits / n_labelled if n_labelled else 1.0,
        recall=hits / n_overloaded if n_overloaded else 1.0,
        f1=2 * hits / (n_labelled + n_overloaded) if n_labelled + n_overloaded else 1.0,
    )


def certificate_size(grid: RateGrid, truth: Labels) -> int:
    """Return the least number of runs that prove the true map of the recorded configurations.

    The certificate is the lowest overloaded and the highest OK configurations within each set of functions. None of
    them follows from another, and all others follow from them, so that without noise no sound method needs fewer runs.
    Noise can make the recorded truth non-monotone; the extremes of both labels are counted all the same. Noise can also
    make a single run differ from the truth; a map can then be complete, and not quite true, with fewer runs.
    """
    extremes = [
        grid.extremes(np.flatnonzero(truth == label), label, "within_sets") for label in (OK_LABEL, OVERLOADED_LABEL)
    ]
    return sum(len(found) for found in extremes)
