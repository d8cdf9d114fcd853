"""The map of a node as one static figure: of three and more functions small maps, as on the page."""

from typing import TYPE_CHECKING

import numpy as np

from peva_env.errors import ConfigError
from peva_env.inference import Cell, cell_codes
from peva_env.maps import NodeMap
from peva_env.report.figures import overload_map, overload_maps, require_matplotlib
from peva_env.report.predictions import predictions

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_PAIR = 2


def map_figure(node_map: NodeMap) -> "Axes":
    """Draw the map of a node with its predictions; return axes of the figure.

    Raises:
        ConfigError: the map is too large to list or to draw, or matplotlib is not installed.
    """
    require_matplotlib()
    known = node_map.known
    if known.labels is None:
        raise ConfigError(f"a map of {known.n_configs:,} configurations is too large to draw: --functions chooses some")
    predicted, (likely, _) = None, predictions(node_map)
    if likely is not None:
        predicted = np.full(known.space.n_configs, np.nan)
        predicted[cell_codes(known, node_map.begun) == Cell.UNKNOWN] = likely
    if len(known.space.functions) <= _PAIR or known.space.max_functions <= _PAIR:
        return overload_map(known, predicted=predicted, begun=node_map.begun)
    return overload_maps(known, predicted=predicted, begun=node_map.begun)[0]
