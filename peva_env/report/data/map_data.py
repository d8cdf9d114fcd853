"""The map as packed columns for the page.

Notation: ``N`` configurations of the map in plan order.
"""

from collections.abc import Sequence
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

from peva_env.inference import OK_LABEL, OVERLOADED_LABEL, Cell, MonotoneMap, cell_codes
from peva_env.maps import NodeMap
from peva_env.report.data.canary_data import canary_data
from peva_env.report.data.curve_data import curve_data
from peva_env.report.data.packing import packed
from peva_env.report.data.run_data import summary_data

NOT_PREDICTED = 255
"""Stands for no prediction; a prediction is in percent, from 1 to 99."""


def map_data(node_map: NodeMap, probabilities: NDArray[np.float64] | None = None) -> dict[str, Any]:
    """Return the data that the page draws first, as plain data: the map and the summaries of its runs.

    Args:
        node_map: the map.
        probabilities: the probability of overload of each unknown configuration, (n_unknown,), NaN where it has no
            prediction; None for no prediction at all.
    """
    known = node_map.known
    cells = cell_codes(known, node_map.begun)
    proof = [known.space.index(config) for config in chain(*known.frontier())]
    return {
        "functions": known.space.functions,
        "rates": known.space.rates_rps,
        "minFunctions": known.space.min_functions,
        "maxFunctions": known.space.max_functions,
        "cells": packed(cells, "u1"),
        "predicted": None if probabilities is None else packed(percent_of(cells, probabilities), "u1"),
        "proof": packed(proof, "u4"),
        "nProofOverloaded": len(known.frontier()[0]),
        "evidence": packed(inferred_from(known, cells, proof), "u4"),
        "disputes": [[*map(known.space.index, (one.overloaded, one.ok)), one.state] for one in known.disputes()],
        "curves": curve_data(node_map),
        "canaries": canary_data(node_map),
        "campaigns": [campaign.run_id for campaign in node_map.campaigns],
        "nRuns": len(node_map.events),
        **summary_data(node_map),
    }


def inferred_from(known: MonotoneMap, cells: NDArray[np.uint8], proof: Sequence[int]) -> NDArray[np.uint32]:
    """Return the source of each inferred configuration, (N,): its number in ``proof`` from 1 on, 0 for none."""
    follows_from = np.zeros(known.space.n_configs, np.uint32)
    assert known.grid is not None and known.labels is not None  # noqa: PT018, S101  or there were no cells
    for label, inferred in ((OK_LABEL, Cell.OK_INFERRED), (OVERLOADED_LABEL, Cell.OVERLOADED_INFERRED)):
        left = np.flatnonzero(cells == inferred)
        for number, index in enumerate(proof, 1):
            if known.labels[index] == label and left.size:
                reached = known.grid.reached(index, label, left, known.dominance)
                follows_from[left[reached]] = number
                left = left[~reached]
    return follows_from


def percent_of(cells: NDArray[np.uint8], probabilities: NDArray[np.float64]) -> NDArray[np.uint8]:
    """Return each configuration's probability of overload in percent, (N,), from that of each unknown one or NaN."""
    percent = np.full(len(cells), NOT_PREDICTED, np.uint8)
    likely = np.clip(np.rint(100 * probabilities), 1, 99)  # 0 and 100 would look like knowledge
    percent[cells == Cell.UNKNOWN] = np.where(np.isnan(likely), NOT_PREDICTED, likely)
    return percent
