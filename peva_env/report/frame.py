"""The overload map as pixels, for videos: all frames of a plan have one size, and their parts stay in their places."""

import numpy as np
from numpy.typing import NDArray

from peva_env.inference import MonotoneMap
from peva_env.report.figures import overload_map, require_matplotlib

_SIZE_INCHES, _DOTS_AN_INCH = (7.2, 4.8), 100
"""720 x 480 pixels: both even, as video formats want them."""

_PAIR, _STRIPS = (0.14, 0.12, 0.54, 0.76), (0.26, 0.12, 0.42, 0.76)
"""Left, bottom, width and height of a map as shares of the frame; strips have names of functions on their left, and
every map its legend on its right."""

_SINGLES = 2  # max_functions, exclusive, of a plan that loads one function at a time


def map_frame(known: MonotoneMap, title: str) -> NDArray[np.uint8]:
    """Return a title and the map that ``overload_map`` draws, as a new (480, 720, 3).

    Raises:
        ConfigError: matplotlib is not installed, or the map is too large to draw.
    """
    require_matplotlib()
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=_SIZE_INCHES, dpi=_DOTS_AN_INCH)
    canvas = FigureCanvasAgg(figure)  # no pyplot, which keeps figures and may open windows
    place = _STRIPS if known.space.max_functions == _SINGLES else _PAIR
    overload_map(known, figure.add_axes(place, anchor="W"))
    figure.suptitle(title, fontsize="medium")
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3].copy()
