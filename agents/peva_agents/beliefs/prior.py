"""Measurements of other campaigns with the same functions: on another node, or of fewer functions at once.

Notation: ``E`` earlier configurations, ``k`` candidates, ``F`` functions. An earlier measurement votes by dominance, as
if it belonged to this campaign; an absent function has rate 0. The weight of a vote depends on how often such votes
were right in this campaign. A larger node serves higher rates of every function, so earlier rates are multiplied by the
factor for which most votes are right.
"""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from peva_env.contracts import ExecutionEvent, Tensors
from peva_env.features import Measurements, highest_rps
from peva_env.inference import LABELS, OK_LABEL, OVERLOADED_LABEL, no_lower_pairs
from peva_env.rules import majority_labels
from peva_env.space import ConfigSpace

type Floats = NDArray[np.float64]

_BEFORE = 1.0
"""Added to the numbers of right and of wrong votes: Laplace's rule of succession."""

_SCALES = np.array(sorted(np.exp2(np.arange(-8, 9) / 4), key=lambda scale: abs(np.log(scale))))
"""Factors to try, the nearest to 1 first: from a node with a quarter of the capacity to one with four times as much."""


class Prior:
    """The earlier configurations of a memory whose functions all belong to the space.

    Args:
        tensors: the events of the memory.
        space: the space of the campaign.
        own: rates (t, F) that a resumed campaign has measured itself. Their events in the memory are left out, because
            their votes would always be right.
    """

    def __init__(self, tensors: Tensors, space: ConfigSpace, own: Floats) -> None:
        self._space = space
        rates, labels = _shares(tensors, space)
        known = set(map(tuple, own.tolist()))
        earlier = np.array([tuple(row) not in known for row in rates.tolist()], np.bool_)
        self._fit(rates[earlier], labels[earlier])

    def add(self, events: Iterable[ExecutionEvent]) -> None:
        """Add valid runs of other campaigns; those with functions that the space does not have are left out."""
        added = [event for event in events if event.is_valid and set(event.config_key[0]) <= set(self._space.functions)]
        if added:
            rates = self._space.rates_of(event.config_pairs for event in added) / highest_rps(self._space)
            labels = np.array([LABELS[event.verdict] for event in added], np.int8)
            self._fit(np.concatenate([self._rates, rates]), np.concatenate([self._labels, labels]))

    def _fit(self, rates: Floats, labels: NDArray[np.int8]) -> None:
        self._rates, self._labels = rates, labels
        rates, labels = _majorities(rates, labels)
        self._ok = _extremes(rates[labels < 0], OK_LABEL)
        self._overloaded = _extremes(rates[labels > 0], OVERLOADED_LABEL)

    def _scale(self, measured: Measurements) -> float:
        """Return the factor by which earlier rates are multiplied; of equally good factors, the nearest to 1."""
        right = [int((self._votes(measured.rates / scale) * measured.labels).sum()) for scale in _SCALES]
        return float(_SCALES[int(np.argmax(right))])

    def log_odds(self, rates: Floats, measured: Measurements) -> Floats:
        """Return the log odds that the votes add for *overloaded*, for candidates with these rates (k, F), (k,)."""
        scale = self._scale(measured)
        votes, tried = self._votes(rates / scale), self._votes(measured.rates / scale)
        added = np.zeros(len(rates))
        for label in (OK_LABEL, OVERLOADED_LABEL):
            voted = tried == label
            right = np.count_nonzero(measured.labels[voted] == label)
            wrong = np.count_nonzero(voted) - right
            added += label * (votes == label) * np.log((right + _BEFORE) / (wrong + _BEFORE))
        return added

    def _votes(self, rates: Floats) -> NDArray[np.int8]:
        """Return -1 for a vote OK, 1 for overloaded, 0 for none or both, (k,)."""
        ok = no_lower_pairs(self._ok, rates).any(axis=0)
        overloaded = no_lower_pairs(rates, self._overloaded).any(axis=1)
        return overloaded.astype(np.int8) - ok.astype(np.int8)


def _shares(tensors: Tensors, space: ConfigSpace) -> tuple[Floats, NDArray[np.int8]]:
    """Return rates (E, F) as shares of the space's highest ones, and labels (E,), of the events that fit the space."""
    n = len(tensors.functions)
    present = tensors.mask[:, :n]
    known = np.array([name in space.functions for name in tensors.functions], np.bool_)
    fits = ~present[:, ~known].any(axis=1)
    highest = highest_rps(space)
    shares = np.zeros((int(fits.sum()), len(space.functions)))
    for column, name in enumerate(tensors.functions):
        if name in space.functions:
            position = space.functions.index(name)
            # The same arithmetic as for candidates: rounding to float32 would make equal rates differ.
            rates_rps = tensors.features[fits, column].astype(np.float64)
            shares[:, position] = rates_rps / highest[position]
    return shares, tensors.labels[fits]


def _majorities(rates: Floats, labels: NDArray[np.int8]) -> tuple[Floats, NDArray[np.int8]]:
    """Return each configuration once, with the majority of its labels."""
    if not len(rates):
        return rates, labels
    configs, which = np.unique(rates, axis=0, return_inverse=True)
    votes = np.bincount(which.ravel(), labels).astype(np.int64)
    return configs, majority_labels(votes, np.bincount(which.ravel()))


def _extremes(rates: Floats, label: int) -> Floats:
    """Return the minimal overloaded or the maximal OK rates: all others follow from these."""
    signed = label * rates
    signed = signed[np.argsort(signed.sum(axis=1), kind="stable")]  # a row comes after all that it is no lower than
    extreme = np.zeros(len(signed), np.bool_)
    for i, row in enumerate(signed):
        extreme[i] = not no_lower_pairs(row[None], signed[extreme]).any()
    return label * signed[extreme]
