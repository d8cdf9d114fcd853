"""Candidates side by side: the inputs of the learnt agent's correction network for each.

Notation: ``k`` candidates, ``d`` inputs of the correction.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from peva_env.features import Counts
from peva_env.planning import Candidates

type Floats = NDArray[np.float64]

N_INPUTS, SCORE_INPUT = 8, 5
"""Number of inputs of the correction, and index of one input: the score minus the highest score."""


class Comparison(NamedTuple):
    """Candidates that are compared, (k,) each."""

    candidates: Candidates
    overloaded: Floats  # the estimated probability
    score: Floats  # the logarithm of the formula in peva_agents.learnt
    inputs: Floats  # (k, d) of the correction


def correction_inputs(likely: Floats, gain: Floats, score: Floats, counts: Counts, *, n_measured: int) -> Floats:
    """Return the inputs (k, d): estimate, gains and rank of each candidate, and the progress of the campaign."""
    n, n_unknown = len(likely), counts.n
    columns = [
        np.log(likely / (1 - likely)),
        likely * (1 - likely),
        np.log(counts.below / n_unknown),
        np.log(counts.above / n_unknown),
        gain / n_unknown,
        score - score.max(initial=-np.inf),
        np.full(n, np.log1p(n_measured)),
        np.log(np.full(n, n_unknown)),
    ]
    return np.stack(columns, axis=1)
