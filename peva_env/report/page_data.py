"""A map and its runs as the columns that the page is drawn from.

Notation: ``N`` configurations of the map in plan order. A column is little-endian binary in base64: an object for each
cell would be ten times as large.
"""

import base64
from collections.abc import Callable, Iterable, Sequence
from enum import IntEnum
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

from peva_env.contracts import ExecutionEvent, FunctionMeasurement, Verdict
from peva_env.frontier import MonotoneMap, Status
from peva_env.maps import NodeMap
from peva_env.rate_grid import OK_LABEL, OVERLOADED_LABEL

NOT_PREDICTED = 255
"""Where no probability is told; else it is in percent."""


class Cell(IntEnum):
    """What the page knows of a configuration. ``data.js`` has the same numbers."""

    ABSENT = 0
    UNKNOWN = 1
    CONTRADICTED = 2
    OK_MEASURED = 3
    OK_INFERRED = 4
    OVERLOADED_MEASURED = 5
    OVERLOADED_INFERRED = 6


_RUN_VERDICTS = (Verdict.OK, Verdict.OVERLOADED, Verdict.INVALID)


def page_data(node_map: NodeMap, probabilities: NDArray[np.float64] | None = None) -> dict[str, Any]:
    """Return all that the page draws, as plain data.

    Args:
        node_map: what is known.
        probabilities: how likely each unknown configuration is to be overloaded, (n_unknown,); None predicts nothing.
    """
    known = node_map.known
    cells = cell_codes(known)
    proof = [known.space.index(config) for config in chain(*known.frontier())]
    return {
        "functions": known.space.functions,
        "rates": known.space.rates_rps,
        "minFunctions": known.space.min_functions,
        "maxFunctions": known.space.max_functions,
        "cells": _packed(cells, "u1"),
        "predicted": None if probabilities is None else _packed(_percent(cells, probabilities), "u1"),
        "proof": _packed(proof, "u4"),
        "nProofOverloaded": len(known.frontier()[0]),
        "evidence": _packed(evidence(known, cells, proof), "u4"),
        "disputes": [[*map(known.space.index, (one.overloaded, one.ok)), one.state] for one in known.disputes()],
        "campaigns": [campaign.run_id for campaign in node_map.campaigns],
        **_runs(node_map),
    }


def cell_codes(known: MonotoneMap) -> NDArray[np.uint8]:
    """Return the ``Cell`` of each configuration, (N,)."""
    status, labels = known.status(), known.labels
    cells = np.full(known.space.n_configs, Cell.UNKNOWN, np.uint8)
    for label, measured in ((OK_LABEL, Cell.OK_MEASURED), (OVERLOADED_LABEL, Cell.OVERLOADED_MEASURED)):
        cells[labels == label] = measured
        cells[(labels == label) & (status == Status.INFERRED)] = measured + 1
    cells[status == Status.CONTRADICTED] = Cell.CONTRADICTED
    if known.recorded is not None:
        cells[~known.recorded] = Cell.ABSENT
    return cells


def evidence(known: MonotoneMap, cells: NDArray[np.uint8], proof: Sequence[int]) -> NDArray[np.uint32]:
    """Return from which configuration each inferred one follows, (N,): its number in ``proof`` from 1 on; 0 = none."""
    follows_from = np.zeros(known.space.n_configs, np.uint32)
    assert known.grid is not None and known.labels is not None  # noqa: PT018, S101  a NodeMap is never beyond them
    for label, inferred in ((OK_LABEL, Cell.OK_INFERRED), (OVERLOADED_LABEL, Cell.OVERLOADED_INFERRED)):
        left = np.flatnonzero(cells == inferred)
        for number, index in enumerate(proof, 1):
            if known.labels[index] == label and left.size:
                reached = known.grid.reached(index, label, left, known.dominance)
                follows_from[left[reached]] = number
                left = left[~reached]
    return follows_from


def _percent(cells: NDArray[np.uint8], probabilities: NDArray[np.float64]) -> NDArray[np.uint8]:
    percent = np.full(len(cells), NOT_PREDICTED, np.uint8)
    percent[cells == Cell.UNKNOWN] = np.rint(100 * probabilities)
    return percent


def _runs(node_map: NodeMap) -> dict[str, Any]:
    """Return the columns of the configurations that were run, of their runs, and of their runs' functions."""
    events = node_map.events
    place = {key: row for row, key in enumerate(dict.fromkeys(event.config_key for event in events))}
    campaign = {record.run_id: row for row, record in enumerate(node_map.campaigns)}
    reasons: dict[tuple[str, ...], int] = {}
    of_function = [function for event in events for function in event.functions]

    def runs(kind: str, value: Callable[[ExecutionEvent], Any]) -> dict[str, str] | None:
        return _column(map(value, events), kind)

    def functions(kind: str, value: Callable[[FunctionMeasurement], Any]) -> dict[str, str] | None:
        return _column(map(value, of_function), kind)

    return {
        "configs": _packed([node_map.known.space.index(zip(*key, strict=True)) for key in place], "u4"),
        "runs": {
            "config": runs("u4", lambda event: place[event.config_key]),
            "campaign": runs("u2", lambda event: campaign.get(event.run_id, len(campaign))),
            "iteration": runs("i4", lambda event: event.iteration),
            "verdict": runs("u1", lambda event: _RUN_VERDICTS.index(event.verdict)),
            "nFunctions": runs("u2", lambda event: len(event.functions)),
            "reasons": runs("u4", lambda event: reasons.setdefault(event.reasons, len(reasons))),
            "margin": runs("f4", lambda event: event.margin),
            "cpuPct": runs("f4", lambda event: event.node.cpu_pct),
            "ramPct": runs("f4", lambda event: event.node.ram_pct),
            "startedAt": runs("f8", lambda event: event.started_at),
            "cooldownS": runs("f4", lambda event: event.cooldown_s),
            "durationS": runs("f4", lambda event: event.duration_s),
            "costS": runs("f4", lambda event: event.cost_s),
        },
        "runFunctions": {
            "offered": functions("f8", lambda one: one.offered),
            "dropped": functions("f8", lambda one: one.dropped),
            "success": functions("f4", lambda one: one.success_rate),
            "p50Ms": functions("f4", lambda one: one.p50_ms),
            "p95Ms": functions("f4", lambda one: one.p95_ms),
            "cpuPct": functions("f4", lambda one: one.cpu_pct),
            "replicas": functions("f4", lambda one: one.replicas),
        },
        "reasons": list(reasons),
    }


def _column(values: Iterable[Any], kind: str) -> dict[str, str] | None:
    """Pack a value a row, NaN where it is None; nothing at all where all are."""
    filled = [np.nan if value is None else value for value in values]
    return None if kind.startswith("f") and np.isnan(filled).all() else _packed(filled, kind)


def _packed(values: Any, kind: str) -> dict[str, str]:
    return {"kind": kind, "base64": base64.b64encode(np.asarray(values, f"<{kind}").tobytes()).decode("ascii")}
