"""The overload map of two functions: the state of each configuration, and the frontier."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from peva_env.errors import ConfigError
from peva_env.inference import MonotoneMap
from peva_env.report.figures.fixed_loads import FixedLoads, evenly_spread
from peva_env.report.figures.map_drawing import draw_slice, legend_of
from peva_env.report.figures.map_slice import MapSlice
from peva_env.report.figures.map_slicer import PAIR, MapSlicer, checked_functions
from peva_env.report.figures.style import LETTERS_AN_INCH, new_axes, require_matplotlib
from peva_env.space import Config

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_SINGLES, _PAIRS = 2, 3  # max_functions, exclusive, of plans that load at most one function, or two, at a time
_CELL_INCHES = 0.3
_LEAST_INCHES, _MOST_INCHES = 1.2, 6.0
_NAMES_INCHES = 0.8
_LEGEND_INCHES = 2.6
_PANEL_INCHES = 2.8
_PANELS_ACROSS = 3
_LINE_INCHES, _ENTRY_INCHES = 0.17, 0.21  # of titles, and of legends


def overload_map(
    known: MonotoneMap,
    ax: "Axes | None" = None,
    *,
    functions: Sequence[str] | None = None,
    at: Mapping[str, int] | None = None,
    predicted: NDArray[np.float64] | None = None,
    begun: Iterable[Config] = (),
) -> "Axes":
    """Draw the map of two functions: one cell a configuration, evenly spaced, and the frontier.

    Of three and more functions one slice is drawn, and the title names it. A plan that loads one function at a time is
    drawn as a row of rates for each function.

    Args:
        known: the map. That of a one-sided campaign has no contradictions; see ``NodeMap.doubting``.
        ax: the axes to draw on; None for new ones.
        functions: the function across and the one upwards; None for the first two. Of a plan that loads one at a time,
            any number.
        at: rates of the other functions, which are not loaded if not named; None for the lowest load of the plan.
        predicted: (N,) in plan order, the probability of overload; drawn where a configuration is unknown.
        begun: configurations that were run; those without a verdict are incomplete.

    Raises:
        ConfigError: there are no such functions, rates or configurations, too many cells, not as many predictions as
            configurations, or matplotlib is not installed.
    """
    slicer = MapSlicer(known, predicted, begun)
    if known.space.max_functions == _SINGLES:
        piece, title = slicer.strips(functions), ""
    else:
        names = checked_functions(known.space, functions or known.space.functions[:PAIR], PAIR)
        loads = FixedLoads(known.space, names)
        piece = slicer.slice(names, loads.load(0) if at is None else loads.checked(at))
        title = f"1 of {loads.n_loads:,} slices: {piece.others}" if at is None and loads.n_loads > 1 else piece.others
    legend = legend_of([piece])
    ax = ax or new_axes(_size_inches(piece, legend["labels"]))
    draw_slice(ax, piece, title)
    ax.legend(**legend, loc="upper left", bbox_to_anchor=(1.02, 1), frameon=False)
    return ax


def overload_maps(
    known: MonotoneMap,
    *,
    functions: Sequence[str] | None = None,
    predicted: NDArray[np.float64] | None = None,
    begun: Iterable[Config] = (),
    max_panels: int = 9,
) -> "list[Axes]":
    """Draw a map of three and more functions as small maps of two: one for each load of the others.

    Of a plan that loads two functions at a time at most, one for each pair of functions, unless ``functions`` says
    which pair. Where there are more than ``max_panels``, some are drawn, evenly spread, and the figure's title says so.

    Args:
        known: the map.
        functions: the function across and the one upwards; None for the first two.
        predicted: as in ``overload_map``.
        begun: as in ``overload_map``.
        max_panels: the largest number of maps.

    Raises:
        ConfigError: as in ``overload_map``, or the plan loads one function at a time, or ``max_panels`` is below 1.
    """
    require_matplotlib()
    if max_panels < 1:
        raise ConfigError(f"max_panels: must be at least 1, not {max_panels}")
    if known.space.max_functions == _SINGLES:
        raise ConfigError("the plan loads one function at a time: overload_map draws all of it")
    pieces, n_all = _pieces(MapSlicer(known, predicted, begun), functions, max_panels)
    return slice_panels(pieces, f"{len(pieces)} of {n_all:,} maps, evenly spread" if len(pieces) < n_all else "")


def slice_panels(pieces: Sequence[tuple[MapSlice, str]], title: str = "") -> "list[Axes]":
    """Draw slices, each with its title, side by side and in rows, with one legend.

    Raises:
        ConfigError: matplotlib is not installed.
    """
    require_matplotlib()
    figure, panels = _panels(len(pieces))
    for ax, (piece, own) in zip(panels, pieces, strict=True):
        draw_slice(ax, piece, own)
    if len({(*piece.rows, piece.row_name, *piece.columns, piece.column_name) for piece, _ in pieces}) == 1:
        _label_outer(panels)
    legend = legend_of([piece for piece, _ in pieces])
    figure.legend(**legend, loc="outside right upper", frameon=False)
    n_lines = max(ax.get_title().count("\n") for ax in panels)
    n_down = -(-len(panels) // _PANELS_ACROSS)
    figure.set_figheight(figure.get_figheight() + _LINE_INCHES * n_lines * n_down)
    if title:
        figure.suptitle(title)
    return panels


def _pieces(
    slicer: MapSlicer, functions: Sequence[str] | None, max_panels: int
) -> tuple[list[tuple[MapSlice, str]], int]:
    """Return the maps that are drawn with their titles, and how many there are in all."""
    space = slicer.space
    if functions is None and space.max_functions == _PAIRS:
        pairs = list(combinations(space.functions, PAIR))
        return [(slicer.slice(pairs[i], []), "") for i in evenly_spread(len(pairs), max_panels)], len(pairs)
    names = checked_functions(space, functions or space.functions[:PAIR], PAIR)
    loads = FixedLoads(space, names)
    pieces = [slicer.slice(names, loads.load(i)) for i in evenly_spread(loads.n_loads, max_panels)]
    return [(piece, piece.others) for piece in pieces], loads.n_loads


def _panels(n: int) -> "tuple[Figure, list[Axes]]":
    """Return a new figure with ``n`` axes in rows."""
    from matplotlib import pyplot

    n_across = min(n, _PANELS_ACROSS)
    n_down = -(-n // n_across)
    size_inches = (_PANEL_INCHES * n_across + _LEGEND_INCHES, _PANEL_INCHES * n_down)
    figure, grid = pyplot.subplots(n_down, n_across, figsize=size_inches, layout="constrained", squeeze=False)
    for ax in grid.flat[n:]:
        ax.remove()
    return figure, list(grid.flat[:n])


def _label_outer(panels: "list[Axes]") -> None:
    """Leave the names of axes to the panels at the left and below."""
    for number, ax in enumerate(panels):
        if number % _PANELS_ACROSS:
            ax.set_ylabel("")
            ax.tick_params(labelleft=False)
        if number + _PANELS_ACROSS < len(panels):
            ax.set_xlabel("")
            ax.tick_params(labelbottom=False)


def _size_inches(piece: MapSlice, labels: Sequence[str]) -> tuple[float, float]:
    """Return how large a figure of one map is, its legend beside it."""
    names = (len(name) / LETTERS_AN_INCH for name in (piece.row_name, piece.column_name))
    rows, columns = (
        min(max(_CELL_INCHES * n, _LEAST_INCHES, name), _MOST_INCHES)
        for n, name in zip(piece.cells.shape, names, strict=True)
    )
    legend = _ENTRY_INCHES * len("\n".join(labels).splitlines())
    return columns + _LEGEND_INCHES + _NAMES_INCHES, max(rows, legend) + _NAMES_INCHES
