"""The map of a node, or those of several nodes, as one static figure of the same maps as on the page."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from peva_env.errors import ConfigError
from peva_env.inference import Cell, cell_codes
from peva_env.maps import NodeMap
from peva_env.report.data import fleet_parts
from peva_env.report.figures import (
    MapSlice,
    MapSlicer,
    as_written,
    overload_map,
    overload_maps,
    require_matplotlib,
    slice_panels,
)
from peva_env.report.predictions import predictions
from peva_env.space import Config

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_SINGLES = _PAIR = 2  # max_functions, exclusive, of plans that load one function at a time; functions of a map

MAX_NODES = 24
"""Largest number of nodes in a figure: more would be too small to read on one page."""


def map_figure(node_map: NodeMap) -> "Axes":
    """Draw the map of a node with its predictions; return axes of the figure.

    Raises:
        ConfigError: the map is too large to list or to draw, or matplotlib is not installed.
    """
    require_matplotlib()
    node_map = node_map.doubting()
    known, predicted = node_map.known, _predicted(node_map)
    if len(known.space.functions) <= _PAIR or known.space.max_functions <= _PAIR:
        return overload_map(known, predicted=predicted, begun=node_map.begun)
    return overload_maps(known, predicted=predicted, begun=node_map.begun)[0]


def fleet_figure(maps: Mapping[str, NodeMap]) -> "Axes":
    """Draw a small map of each node, by name: the parts that the page of a fleet shows; return axes of the figure.

    Raises:
        ConfigError: a map is too large to list or to draw, or matplotlib is not installed.
    """
    require_matplotlib()
    shown = {name: one.doubting() for name, one in list(maps.items())[:MAX_NODES]}
    parts = zip(shown.items(), fleet_parts(shown.values()), strict=True)
    pieces = [_piece(name, one, *part) for (name, one), part in parts]
    return slice_panels(pieces, f"{len(shown)} of {len(maps):,} nodes" if len(shown) < len(maps) else "")[0]


def _piece(name: str, node_map: NodeMap, axes: Sequence[str], others: Config) -> tuple[MapSlice, str]:
    slicer = MapSlicer(node_map.known, _predicted(node_map), node_map.begun)
    is_strip = len(axes) < _PAIR or node_map.known.space.max_functions == _SINGLES
    piece = slicer.strips(axes) if is_strip else slicer.slice(axes, others)
    return piece, "\n".join(filter(None, [as_written(name), piece.others]))


def _predicted(node_map: NodeMap) -> NDArray[np.float64] | None:
    """Return the probability of overload of each configuration, (N,), NaN where it is known; None for no prediction.

    Raises:
        ConfigError: the map is too large to list.
    """
    known = node_map.known
    if known.labels is None:
        raise ConfigError(f"a map of {known.n_configs:,} configurations is too large to draw: --functions chooses some")
    likely, _ = predictions(node_map)
    if likely is None:
        return None
    predicted = np.full(known.space.n_configs, np.nan)
    predicted[cell_codes(known, node_map.begun) == Cell.UNKNOWN] = likely
    return predicted
