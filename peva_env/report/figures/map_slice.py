"""A slice of an overload map: configurations that differ only in the rates of two functions.

Notation: ``R`` rows and ``C`` columns, from the lowest rate up, both ways. Where the plan has configurations without
the function of an axis, its first row or column is theirs.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from peva_env.inference import OK_LABEL, OVERLOADED_LABEL, UNKNOWN_LABEL, Cell

NOT_LOADED = "none"
FRONTIER, LIKELY_FRONTIER = "frontier", "frontier, predicted"

type Edge = tuple[tuple[float, float], tuple[float, float]]
"""Two points (column, row); the middle of a cell is a whole number."""


_SIDES = {
    Cell.ABSENT: UNKNOWN_LABEL,
    Cell.UNKNOWN: UNKNOWN_LABEL,
    Cell.INCOMPLETE: UNKNOWN_LABEL,
    Cell.CONTRADICTED: UNKNOWN_LABEL,
    Cell.OK_INFERRED: OK_LABEL,
    Cell.OK_MEASURED: OK_LABEL,
    Cell.OVERLOADED_INFERRED: OVERLOADED_LABEL,
    Cell.OVERLOADED_MEASURED: OVERLOADED_LABEL,
}


@dataclass(frozen=True, slots=True)
class MapSlice:
    """One slice: ``cells`` is (R, C) of ``Cell``, from the lowest rate up, both ways.

    ``predicted`` is (R, C), the probability of overload, NaN where there is none. ``quarantined`` is (R, C): measured,
    and still contradicted by another measurement. Rows are comparable if they are rates of one function, not if they
    are functions. ``others`` states the loads of the other functions, in words.
    """

    rows: Sequence[str]
    columns: Sequence[str]
    row_name: str
    column_name: str
    cells: NDArray[np.uint8]
    predicted: NDArray[np.float64]
    quarantined: NDArray[np.bool_]
    others: str = ""
    rows_are_rates: bool = True

    def frontiers(self) -> dict[str, list[Edge]]:
        """Return the edges of cells at which OK and overloaded meet: known edges, and further predicted ones."""
        known = _edges(self._sides(), self.rows_are_rates)
        likely = _edges(self._likely_sides(), self.rows_are_rates)
        return {FRONTIER: known, LIKELY_FRONTIER: sorted(set(likely) - set(known))}

    def _sides(self) -> NDArray[np.int8]:
        """Return the known side of the frontier of each cell, (R, C): -1 OK, 1 overloaded, 0 neither."""
        return np.array([_SIDES[cell] for cell in Cell], np.int8)[self.cells]

    def _likely_sides(self) -> NDArray[np.int8]:
        likely = np.where(self.predicted >= 0.5, OVERLOADED_LABEL, OK_LABEL)
        return np.where(np.isnan(self.predicted), self._sides(), likely).astype(np.int8)


def _edges(sides: NDArray[np.int8], rows_are_rates: bool) -> list[Edge]:
    rows, columns = (sides[:, :-1] * sides[:, 1:] < 0).nonzero()
    edges = [((x + 0.5, y - 0.5), (x + 0.5, y + 0.5)) for y, x in zip(rows.tolist(), columns.tolist(), strict=True)]
    if rows_are_rates:
        rows, columns = (sides[:-1] * sides[1:] < 0).nonzero()
        edges += [
            ((x - 0.5, y + 0.5), (x + 0.5, y + 0.5)) for y, x in zip(rows.tolist(), columns.tolist(), strict=True)
        ]
    return edges
