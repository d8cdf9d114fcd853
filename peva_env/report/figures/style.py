"""The common style of all figures: colours that colour-blind people can tell apart, and new axes.

The colours are those of Okabe and Ito, "Color universal design" (2008).
"""

from typing import TYPE_CHECKING

from peva_env.errors import ConfigError
from peva_env.system import install_text

if TYPE_CHECKING:
    from matplotlib.axes import Axes

BLACK, ORANGE, SKY, GREEN = "#000000", "#E69F00", "#56B4E9", "#009E73"
BLUE, VERMILION, PURPLE, YELLOW = "#0072B2", "#D55E00", "#CC79A7", "#F0E442"
GREY, PALE_GREY = "#999999", "#DDDDDD"
COLOURS = (BLACK, ORANGE, SKY, GREEN, BLUE, VERMILION, PURPLE, YELLOW)
"""Of lines, in this order: yellow, which is faint on white, is the last."""

FAINT = 0.2
"""Opacity of bands and of grids."""

LETTERS_AN_INCH = 12
"""Of titles and names of axes, about."""

_SIZE_INCHES = (6.4, 4.8)
_NAME_LIMIT = 20
"""Characters of a function's name beyond which it is shortened."""


def as_written(name: str) -> str:
    """Return a name with its ``$`` escaped, so that matplotlib does not read a formula."""
    return name.replace("$", r"\$")


def short_name(name: str) -> str:
    """Return the same, with its middle left out if it is long: names often differ at their ends only."""
    if len(name) > _NAME_LIMIT:
        half = _NAME_LIMIT // 2
        name = f"{name[:half]}…{name[1 - half :]}"
    return as_written(name)


def require_matplotlib() -> None:
    """Check that matplotlib is installed.

    Raises:
        ConfigError: it is not; the message names the extra to install.
    """
    try:
        import matplotlib  # noqa: F401
    except ImportError:
        raise ConfigError(f"figures need matplotlib, which is not installed: {install_text('report')}") from None


def new_axes(size_inches: tuple[float, float] = _SIZE_INCHES) -> "Axes":
    """Return axes of a new figure.

    Raises:
        ConfigError: matplotlib is not installed.
    """
    (axes,) = new_figure(1, size_inches)
    return axes


def new_figure(n_rows: int, size_inches: tuple[float, float]) -> list["Axes"]:
    """Return the axes of a new figure, from the top down; they share their x axis.

    Raises:
        ConfigError: matplotlib is not installed.
    """
    require_matplotlib()
    from matplotlib import pyplot

    rows = pyplot.subplots(n_rows, sharex=True, squeeze=False, figsize=size_inches, layout="constrained")[1]
    return [axes for (axes,) in rows]
