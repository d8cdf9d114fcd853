"""The state of each configuration, as terminals, figures and pages show it, and the words for it.

Notation: ``N`` configurations in plan order.
"""

from collections.abc import Iterable
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from peva_env.contracts import Verdict
from peva_env.inference.grid import OK_LABEL, OVERLOADED_LABEL
from peva_env.inference.monotone_map import MonotoneMap
from peva_env.inference.records import Status
from peva_env.space import Config, config_key


class Cell(IntEnum):
    """The state of a configuration; ``ABSENT``: it is not in the plan, or not in the record.

    ``page/states.js`` of the report has the same numbers.
    """

    ABSENT = 0
    UNKNOWN = 1
    CONTRADICTED = 2
    OK_MEASURED = 3
    OK_INFERRED = 4
    OVERLOADED_MEASURED = 5
    OVERLOADED_INFERRED = 6
    INCOMPLETE = 7


CELL_NAMES = {
    Cell.OK_MEASURED: "measured OK",
    Cell.OK_INFERRED: "inferred OK",
    Cell.OVERLOADED_MEASURED: "measured overloaded",
    Cell.OVERLOADED_INFERRED: "inferred overloaded",
    Cell.CONTRADICTED: "contradicted",
    Cell.INCOMPLETE: "incomplete",
    Cell.UNKNOWN: "unknown",
}
"""The words of legends, in their order."""

_OF_LABEL = {
    OK_LABEL: (Cell.OK_MEASURED, Cell.OK_INFERRED),
    OVERLOADED_LABEL: (Cell.OVERLOADED_MEASURED, Cell.OVERLOADED_INFERRED),
}
_OF_VERDICT = {Verdict.OK: _OF_LABEL[OK_LABEL], Verdict.OVERLOADED: _OF_LABEL[OVERLOADED_LABEL]}


def cell_codes(known: MonotoneMap, begun: Iterable[Config] = ()) -> NDArray[np.uint8]:
    """Return the ``Cell`` of each configuration, (N,).

    Args:
        known: the map.
        begun: configurations that were run, in the space or not; those without a verdict are incomplete.

    Raises:
        ValueError: the space is beyond ``DENSE_LIMIT``.
    """
    status, labels = known.status(), known.labels
    cells = np.full(known.space.n_configs, Cell.UNKNOWN, np.uint8)
    for label, (measured, inferred) in _OF_LABEL.items():
        cells[labels == label] = measured
        cells[(labels == label) & (status == Status.INFERRED)] = inferred
    for index in (known.space.index(config) for config in begun if config in known.space):
        if cells[index] == Cell.UNKNOWN:
            cells[index] = Cell.INCOMPLETE
    cells[status == Status.CONTRADICTED] = Cell.CONTRADICTED
    if known.recorded is not None:
        cells[~known.recorded] = Cell.ABSENT
    return cells


def cell_of(known: MonotoneMap, config: Config) -> Cell:
    """Return the ``Cell`` of one configuration, in a space of any size."""
    verdict = known.verdict(config)
    if verdict is None:
        return Cell.UNKNOWN
    measured, inferred = _OF_VERDICT[verdict]
    return measured if config_key(config) in known.measured else inferred
