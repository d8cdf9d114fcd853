"""The network of the candidate view in NumPy: one score for each candidate, without PyTorch.

Notation: ``n`` campaigns, ``K`` candidates, ``d`` features of a candidate, ``c`` of the context, ``H`` units.

    first  = relu(rows R + r)                                (n, K, H)
    pooled = mean and maximum of first over the candidates   (n, 2 H)
    second = relu(first A + (pooled, context) B + b)         (n, K, H)
    score  = second s + t                                    (n, K)

The weights are the same for each row, and the pools do not depend on the order of the rows. So the network is
equivariant (Zaheer et al., Deep Sets, NIPS 2017): it scores any number of candidates, of any space.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from peva_env.observation import Observation
from peva_env.views import CONTEXT, ROW

type Floats = NDArray[np.float32]

NO_SCORE = -1e8
"""The score of a row without a candidate: its probability is 0."""

UNSEEN = ("runs_left", "seconds_left", "cost")
"""Features of the context that scores do not depend on, so that a model plays campaigns of any budget."""

_LARGEST = 3.0
"""Features are divided so that their bounds are at most this."""


def scales() -> tuple[Floats, Floats]:
    """Return the factors of the features of a row (d,) and of the context (c,), which bring them to a like size."""
    rows, context = (
        np.array([_LARGEST / max(_LARGEST, abs(one.low), abs(one.high)) for one in features], np.float32)
        for features in (ROW, CONTEXT)
    )
    return rows, context


def seen_context() -> Floats:
    """Return 1 for the features of the context that scores depend on, and 0 for the others, (c,)."""
    return np.array([feature.name not in UNSEEN for feature in CONTEXT], np.float32)


class CandidateScores:
    """Scores candidates by arrays of weights; see the names in the module's notation.

    Args:
        arrays: the weights by their names in ``peva_agents.models.candidate_network.Scores``.

    Raises:
        KeyError: an array is missing.
        ValueError: the arrays do not fit each other or the features.
    """

    def __init__(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        weights = {name: np.asarray(arrays[name], np.float32) for name in NAMES}
        self._first = weights["first.weight"], weights["first.bias"]
        self._second = weights["second.weight"], weights["second.bias"]
        self._of_pool = weights["of_pool.weight"]
        self._score = weights["score.weight"], weights["score.bias"]
        self._row_scale, self._context_scale = weights["row_scale"], weights["context_scale"]
        self(no_candidates())

    def __call__(self, observation: Observation) -> Floats:
        """Return the scores of candidates (n, K), ``NO_SCORE`` in rows without a candidate."""
        rows, context = observation["candidates"], observation["context"]
        there = (rows != 0).any(axis=2)
        first = np.maximum(rows * self._row_scale @ self._first[0].T + self._first[1], 0) * there[..., None]
        n_there = np.maximum(there.sum(axis=1), 1)[:, None]
        pooled = [first.sum(axis=1) / n_there, first.max(axis=1), context * self._context_scale]
        of_pool = np.concatenate(pooled, axis=1).astype(np.float32) @ self._of_pool.T
        second = np.maximum(first @ self._second[0].T + self._second[1] + of_pool[:, None], 0)
        scores = (second @ self._score[0].T + self._score[1])[..., 0]
        return np.where(there, scores, np.float32(NO_SCORE))


NAMES = (
    "row_scale",
    "context_scale",
    *(f"{layer}.{part}" for layer in ("first", "second", "score") for part in ("weight", "bias")),
    "of_pool.weight",
)
"""The names of the arrays."""


def no_candidates() -> Observation:
    """Return an observation of one campaign with one row, which has no candidate."""
    return {
        "candidates": np.zeros((1, 1, len(ROW)), np.float32),
        "context": np.zeros((1, len(CONTEXT)), np.float32),
    }
