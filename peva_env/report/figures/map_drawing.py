"""Drawing a slice of an overload map.

The fill of a cell shows its verdict, a mark that it was measured. A prediction is a smaller square, or a paler dotted
cell where there is no room for squares. OVERLOADED is darker than OK, so that the map also reads in grey.
"""

import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from peva_env.inference import CELL_NAMES, Cell
from peva_env.report.figures.map_slice import FRONTIER, LIKELY_FRONTIER, NOT_LOADED, Edge, MapSlice
from peva_env.report.figures.style import BLACK, LETTERS_AN_INCH, PALE_GREY, SKY, VERMILION, YELLOW

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_PALE_SKY, _PALE_VERMILION, _PALEST_GREY, _MIDDLE_GREY = "#B5DDF4", "#E08D4D", "#EEEEEE", "#CCCCCC"
_FILLS = {
    Cell.ABSENT: "#FFFFFF00",
    Cell.UNKNOWN: _PALEST_GREY,
    Cell.INCOMPLETE: _MIDDLE_GREY,
    Cell.CONTRADICTED: YELLOW,
    Cell.OK_INFERRED: _PALE_SKY,
    Cell.OK_MEASURED: SKY,
    Cell.OVERLOADED_INFERRED: _PALE_VERMILION,
    Cell.OVERLOADED_MEASURED: VERMILION,
}
_FRONTIERS = {FRONTIER: "-", LIKELY_FRONTIER: ":"}

_MARKS = {Cell.OK_MEASURED: "o", Cell.OVERLOADED_MEASURED: "x", Cell.INCOMPLETE: "_"}
_TURN = np.linspace(0, 2 * np.pi, 25)
_CIRCLE = 0.27 * np.stack([np.cos(_TURN), np.sin(_TURN)], axis=1)
_CROSS = 0.25 * np.array([[-1, -1], [1, 1], [0, 0], [-1, 1], [1, -1]])
_DASH = 0.25 * np.array([[-1, 0], [1, 0]])
_SQUARE = 0.28 * np.array([[-1, -1], [1, -1], [1, 1], [-1, 1], [-1, -1]])
_CELL = 0.5 * np.array([[-1, -1], [1, -1], [1, 1], [-1, 1], [-1, -1]])
"""Outlines in cells, whose sides are 1."""

_QUARANTINED = "measured, contradicted"
_HATCH = "////"
_HATCHED: dict[str, Any] = {"facecolor": "none", "edgecolor": BLACK, "hatch": _HATCH}
_DOTTED: dict[str, Any] = {"edgecolor": "#777777", "hatch": "...", "linewidth": 0}
_PALENESS = 0.6
"""How much of the grey of the unknown is in the colour of a prediction that fills its cell."""

_MARKED_LIMIT = 64
"""Cells a side up to which each has room for a mark."""

_DASHES = 50
"""Along a side of a map whose cells are too small for a dotted line around each."""

_LEAST_LETTERS = 20  # of a line of a title
_LINE_POINTS_AN_INCH = 5.0  # of a cell
_TICK_WIDTH_INCHES, _TICK_HEIGHT_INCHES = 0.4, 0.25
_STEPS = [digit * 10**power for power in range(7) for digit in (1, 2, 5)]
_ASPECT_LIMIT = 40
"""How many times as long as high a map may be with square cells."""


def draw_slice(ax: "Axes", piece: MapSlice, title: str) -> None:
    """Draw one slice, with its axes named, but without a legend."""
    from matplotlib.colors import to_rgba_array

    n_rows, n_columns = piece.cells.shape
    fills = to_rgba_array([_FILLS[cell] for cell in Cell])[piece.cells]
    is_small = _is_small(piece)
    if not is_small:
        fills = _with_predictions(fills, piece.predicted)
    is_long = max(n_rows, n_columns) > _ASPECT_LIMIT * min(n_rows, n_columns)
    ax.imshow(fills, origin="lower", interpolation="nearest", aspect="auto" if is_long else "equal")
    if is_small:
        _draw_marks(ax, piece)
    else:
        _dot_predictions(ax, np.isfinite(piece.predicted))
        title = "\n".join(filter(None, [title, "too many cells to mark what was measured"]))
    width = 0 if is_small else 1.5  # points, so that a cell without room for a hatch is seen
    _draw_outlines(ax, piece.quarantined, _CELL, _QUARANTINED, linewidth=width, **_HATCHED)
    _draw_frontiers(ax, piece)
    _name_axes(ax, piece)
    n_letters = max(int(_size_inches(ax)[0] * LETTERS_AN_INCH), _LEAST_LETTERS)
    lines = [textwrap.fill(line, n_letters, break_on_hyphens=False) for line in title.splitlines()]
    ax.set_title("\n".join(lines), fontsize="medium")


def legend_of(pieces: Sequence[MapSlice]) -> dict[str, Any]:
    """Return the arguments of a legend for some slices: handles, labels and handlers."""
    from matplotlib.legend_handler import HandlerTuple
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    present = set(np.concatenate([np.unique(piece.cells) for piece in pieces]).tolist())
    entries: dict[str, Any] = {name: _cell_handle(cell) for cell, name in CELL_NAMES.items() if cell in present}
    handlers = {}
    if any(piece.quarantined.any() for piece in pieces):
        entries[_QUARANTINED] = Patch(linewidth=0.5, **_HATCHED)
    for is_small in {_is_small(piece) for piece in pieces if np.isfinite(piece.predicted).any()}:
        name = "predicted: " if is_small else "predicted, dotted:\n"
        squares = entries[f"{name}0, 50, 100 %\nlikely overloaded"] = _squares(is_small)
        handlers[squares] = HandlerTuple(ndivide=None)
    for name, line in _FRONTIERS.items():
        if any(piece.frontiers()[name] for piece in pieces):
            entries[name] = Line2D([], [], color=BLACK, linewidth=2, linestyle=line)
    return {"handles": list(entries.values()), "labels": list(entries), "handler_map": handlers}


def _is_small(piece: MapSlice) -> bool:
    return bool(max(piece.cells.shape) <= _MARKED_LIMIT)


def _squares(is_small: bool) -> tuple[Any, ...]:
    from matplotlib.lines import Line2D

    colours = [np.array(_shade(share)) for share in (0.0, 0.5, 1.0)]
    return tuple(Line2D([], [], color=c if is_small else _paler(c), marker="s", linestyle="") for c in colours)


def _cell_handle(cell: Cell) -> Any:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    hatch = _HATCH if cell is Cell.CONTRADICTED else None
    patch = Patch(facecolor=_FILLS[cell], edgecolor=BLACK if hatch else PALE_GREY, linewidth=0.5, hatch=hatch)
    if cell not in _MARKS:
        return patch
    return patch, Line2D([], [], color=BLACK, marker=_MARKS[cell], linestyle="", markersize=5, fillstyle="none")


def _shade(share: float) -> tuple[float, ...]:
    """Return the colour of a probability of overload: from that of OK to that of overloaded, ever darker."""
    from matplotlib.colors import to_rgba

    ok, overloaded = (np.array(to_rgba(_FILLS[cell])) for cell in (Cell.OK_INFERRED, Cell.OVERLOADED_MEASURED))
    return tuple(((1 - share) * ok + share * overloaded).tolist())


def _with_predictions(fills: NDArray[np.float64], predicted: NDArray[np.float64]) -> NDArray[np.float64]:
    share = predicted[..., None]
    return np.where(np.isnan(share), fills, _paler((1 - share) * _shade(0) + share * _shade(1)))


def _paler(colours: NDArray[np.float64]) -> NDArray[np.float64]:
    from matplotlib.colors import to_rgba

    return (1 - _PALENESS) * colours + _PALENESS * np.array(to_rgba(_PALEST_GREY))


def _draw_marks(ax: "Axes", piece: MapSlice) -> None:
    """Draw the marks that tell cells apart without colour: a collection for each state, with its name as label."""
    for axis, n in zip((ax.yaxis, ax.xaxis), piece.cells.shape, strict=True):
        axis.set_ticks(np.arange(0.5, n - 1), minor=True)
    ax.grid(which="minor", color="white", linewidth=0.8)
    ax.tick_params(which="both", length=0)
    cell_inches = min(length / n for length, n in zip(_size_inches(ax), reversed(piece.cells.shape), strict=True))
    linewidth = min(max(cell_inches * _LINE_POINTS_AN_INCH, 0.4), 1.2)
    outlines = {Cell.OK_MEASURED: _CIRCLE, Cell.OVERLOADED_MEASURED: _CROSS, Cell.INCOMPLETE: _DASH}
    for cell, outline in outlines.items():
        _draw_outlines(
            ax, piece.cells == cell, outline, CELL_NAMES[cell], facecolor="none", edgecolor=BLACK, linewidth=linewidth
        )
    contradicted, name = piece.cells == Cell.CONTRADICTED, CELL_NAMES[Cell.CONTRADICTED]
    _draw_outlines(ax, contradicted, _CELL, name, facecolor="none", edgecolor=BLACK, linewidth=0, hatch=_HATCH)
    predicted = np.isfinite(piece.predicted)
    shades = [_shade(share) for share in piece.predicted[predicted]]
    _draw_outlines(ax, predicted, _SQUARE, "predicted", facecolor=shades, linewidth=0)


def _dot_predictions(ax: "Axes", where: NDArray[np.bool_]) -> None:
    """Draw dots on some cells, which are one outline: there may be a million of them."""
    from matplotlib.patches import PathPatch
    from matplotlib.path import Path

    steps = np.diff(np.pad(where.astype(np.int8), ((0, 0), (1, 1))), axis=1)
    (rows, first), (_, end) = (steps == 1).nonzero(), (steps == -1).nonzero()
    corners = [(first, rows), (end, rows), (end, rows + 1), (first, rows + 1), (first, rows)]
    outlines = np.stack([np.stack(corner, axis=1) for corner in corners], axis=1) - 0.5  # (runs of cells, 5, 2)
    if outlines.size:
        ax.add_patch(PathPatch(Path.make_compound_path_from_polys(outlines), label="predicted", **_DOTTED, fill=False))


def _draw_outlines(
    ax: "Axes", where: NDArray[np.bool_], outline: NDArray[np.float64], label: str, **style: Any
) -> None:
    """Draw the same outline, (n, 2) from the middle, in some cells."""
    from matplotlib.collections import PolyCollection

    rows, columns = where.nonzero()
    middles = np.stack([columns, rows], axis=1)
    ax.add_collection(PolyCollection(middles[:, None, :] + outline, closed=False, label=label, **style))


def _draw_frontiers(ax: "Axes", piece: MapSlice) -> None:
    from matplotlib.collections import LineCollection

    for name, edges in piece.frontiers().items():
        line = _FRONTIERS[name]
        if name == LIKELY_FRONTIER and not _is_small(piece):
            edges, line = _dashed(edges, max(piece.cells.shape)), "-"
        ax.add_collection(
            LineCollection(edges, colors=BLACK, linewidths=2, linestyles=line, capstyle="projecting", label=name)
        )


def _dashed(edges: list[Edge], n_cells: int) -> list[Edge]:
    """Leave out every other stretch of a line whose edges are too short for dots of their own."""
    return [edge for edge in edges if (edge[0][0] - edge[0][1]) * _DASHES / n_cells % 2 < 1]


def _name_axes(ax: "Axes", piece: MapSlice) -> None:
    ax.set_xlabel(piece.column_name)
    ax.set_ylabel(piece.row_name)
    width_inches, height_inches = _size_inches(ax)
    ax.set_xticks(*_ticks(piece.columns, max(int(width_inches / _TICK_WIDTH_INCHES), 2)))
    if piece.rows_are_rates:
        ax.set_yticks(*_ticks(piece.rows, max(int(height_inches / _TICK_HEIGHT_INCHES), 2)))
    else:
        ax.set_yticks(range(len(piece.rows)), piece.rows)
    ax.spines[:].set_visible(False)


def _ticks(names: Sequence[str], n_most: int) -> tuple[list[int], list[str]]:
    """Return the places and labels of an axis's ticks: evenly spaced, at the roundest numbers."""
    first = int(names[0] == NOT_LOADED)
    rates = names[first:]
    step = next(step for step in _STEPS if step * n_most >= len(rates))
    start = max(range(min(step, len(rates))), key=lambda start: sum(map(_roundness, rates[start::step])))
    places = [first + place for place in range(start, len(rates), step)]
    if first:
        places = [0, *(place for place in places if place >= step)]
    return places, [names[place] for place in places]


def _roundness(rate: str) -> int:
    return len(rate) - len(rate.rstrip("0"))


def _size_inches(ax: "Axes") -> tuple[float, float]:
    """Return how wide and how high axes are."""
    extent = ax.get_window_extent()
    return extent.width / ax.figure.dpi, extent.height / ax.figure.dpi
