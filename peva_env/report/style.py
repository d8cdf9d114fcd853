"""What all figures have in common: colours that colour-blind people tell apart, and axes where none are given.

The colours are those of Okabe and Ito, "Color universal design" (2008).
"""

from typing import TYPE_CHECKING

from peva_env.errors import ConfigError

if TYPE_CHECKING:
    from matplotlib.axes import Axes

BLACK, ORANGE, SKY, GREEN = "#000000", "#E69F00", "#56B4E9", "#009E73"
BLUE, VERMILION, PURPLE, YELLOW = "#0072B2", "#D55E00", "#CC79A7", "#F0E442"
GREY, PALE_GREY = "#999999", "#DDDDDD"
COLOURS = (BLACK, ORANGE, SKY, GREEN, BLUE, VERMILION, PURPLE, YELLOW)
"""Of lines, in this order: yellow, which is faint on white, is the last."""

FAINT = 0.2
"""Opacity of bands and of grids."""

_SIZE_INCHES = (6.4, 4.8)


def require_matplotlib() -> None:
    """Accept that figures can be drawn.

    Raises:
        ConfigError: they cannot; how to mend that.
    """
    try:
        import matplotlib  # noqa: F401
    except ImportError:
        raise ConfigError("figures need matplotlib, which is not installed: pip install 'peva-env[report]'") from None


def new_axes(size_inches: tuple[float, float] = _SIZE_INCHES) -> "Axes":
    """Return axes of a new figure.

    Raises:
        ConfigError: matplotlib is not installed.
    """
    require_matplotlib()
    from matplotlib import pyplot

    return pyplot.subplots(figsize=size_inches, layout="constrained")[1]
