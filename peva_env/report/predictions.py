"""The probability of overload of the unknown configurations of a map, for its page and its figure."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from peva_env.errors import ConfigError, PevaError, PolicyError
from peva_env.inference import Cell, cell_codes
from peva_env.maps import NodeMap, predict

MAX_PREDICTED = 50_000
"""Largest number of unknown configurations that are predicted: many more would take minutes."""


def predictions(node_map: NodeMap) -> tuple[NDArray[np.float64] | None, Sequence[str]]:
    """Return the probability of overload of each unknown configuration, (n_unknown,), or None and notes on why.

    It is NaN where nothing measured supports a prediction; see ``predict``.
    """
    unknown = np.flatnonzero(cell_codes(node_map.known, node_map.begun) == Cell.UNKNOWN)
    if not unknown.size or not node_map.runs:
        return None, []
    if unknown.size > MAX_PREDICTED:
        return None, [f"{unknown.size:,} configurations are unknown, too many to predict each"]
    try:
        return predict(node_map, [node_map.known.space.config(int(index)) for index in unknown]), []
    except (ConfigError, PevaError, PolicyError) as error:
        return None, [f"unknown configurations are not predicted: {error}"]
