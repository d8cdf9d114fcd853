"""The earlier verdicts that a memory holds as arrays: of each configuration that of the majority."""

from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from peva_env.contracts import ExecutionEvent, Tensors, Verdict
from peva_env.inference import LABELS, UNKNOWN_LABEL, VERDICTS
from peva_env.rules import majority_labels
from peva_env.space import ConfigKey, config_key

_ABSENT = -1
"""In place of the rate of a function that is not in a configuration."""


def earlier_verdicts(tensors: Tensors, own: Sequence[ExecutionEvent]) -> dict[ConfigKey, Verdict]:
    """Return the majority verdict of each configuration's events, without the campaign's own ones."""
    own_votes: Counter[ConfigKey] = Counter()
    n_own = Counter(event.config_key for event in own)
    for event in own:
        own_votes[event.config_key] += LABELS[event.verdict]
    keys, votes, counts = _votes(tensors)
    votes -= np.array([own_votes[key] for key in keys], np.int64)
    counts -= np.array([n_own[key] for key in keys], np.int64)
    labels = majority_labels(votes, counts).tolist()
    return {key: VERDICTS[label] for key, label in zip(keys, labels, strict=True) if label != UNKNOWN_LABEL}


def _votes(tensors: Tensors) -> tuple[list[ConfigKey], NDArray[np.int64], NDArray[np.int64]]:
    """Return the configurations of some events, the sum of the labels of each, and its number of events, (k,)."""
    if not len(tensors):
        return [], np.zeros(0, np.int64), np.zeros(0, np.int64)
    present = tensors.mask[:, : len(tensors.functions)]
    rates = np.where(present, tensors.features[:, : len(tensors.functions)], _ABSENT).astype(np.int64)
    configs, which = np.unique(rates, axis=0, return_inverse=True)
    pairs = (zip(tensors.functions, row, strict=True) for row in configs.tolist())
    keys = [config_key(pair for pair in some if pair[1] != _ABSENT) for some in pairs]
    counts = np.bincount(which.ravel())
    return keys, np.bincount(which.ravel(), tensors.labels).astype(np.int64), counts
