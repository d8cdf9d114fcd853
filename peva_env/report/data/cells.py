"""The state of each configuration, as figures and pages show it.

Notation: ``N`` configurations in plan order.
"""

from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from peva_env.contracts import Verdict
from peva_env.inference import OK_LABEL, OVERLOADED_LABEL, MonotoneMap, Status
from peva_env.space import Config, config_key


class Cell(IntEnum):
    """The state of a configuration; ``ABSENT``: it is not in the plan, or not in the record.

    ``page/data.js`` has the same numbers.
    """

    ABSENT = 0
    UNKNOWN = 1
    CONTRADICTED = 2
    OK_MEASURED = 3
    OK_INFERRED = 4
    OVERLOADED_MEASURED = 5
    OVERLOADED_INFERRED = 6


_OF_LABEL = {
    OK_LABEL: (Cell.OK_MEASURED, Cell.OK_INFERRED),
    OVERLOADED_LABEL: (Cell.OVERLOADED_MEASURED, Cell.OVERLOADED_INFERRED),
}
_OF_VERDICT = {Verdict.OK: _OF_LABEL[OK_LABEL], Verdict.OVERLOADED: _OF_LABEL[OVERLOADED_LABEL]}


def cell_codes(known: MonotoneMap) -> NDArray[np.uint8]:
    """Return the ``Cell`` of each configuration, (N,).

    Raises:
        ValueError: the space is beyond ``DENSE_LIMIT``.
    """
    status, labels = known.status(), known.labels
    cells = np.full(known.space.n_configs, Cell.UNKNOWN, np.uint8)
    for label, (measured, inferred) in _OF_LABEL.items():
        cells[labels == label] = measured
        cells[(labels == label) & (status == Status.INFERRED)] = inferred
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
