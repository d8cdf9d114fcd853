"""A figure as a file of its own, SVG or PNG."""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from peva_env.errors import ConfigError, PevaError
from peva_env.report.figures import require_matplotlib
from peva_env.system import output_file, replacing

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_NAMES_THE_WRITER = {".svg": "Creator", ".png": "Software"}
"""The metadata of each format by which an earlier figure of ours is recognised."""

_WRITER = "peva-env figure"
_HEAD_BYTES = 4096
"""Both formats have their metadata within these first bytes."""


def figure_file(path: Path, *, inputs: Iterable[Path] = ()) -> Path:
    """Return the file that a figure may be written to.

    Args:
        path: as given.
        inputs: files that the same command reads.

    Raises:
        ConfigError: the name ends neither in .svg nor in .png, the path names no file, or one that exists and is not a
            figure of this project, or one of the inputs; or matplotlib is not installed.
    """
    if path.suffix not in _NAMES_THE_WRITER:
        raise ConfigError(f"--figure {path}: must end in .svg or .png")
    require_matplotlib()
    return output_file("--figure", path, what="a figure of peva-env", is_own=_is_own, inputs=inputs)


def write_figure(ax: "Axes", path: Path) -> None:
    """Write the figure of some axes atomically, and close it. An earlier figure is replaced.

    Raises:
        ConfigError: see ``figure_file``.
        PevaError: the file cannot be written.
    """
    from matplotlib import pyplot
    from matplotlib.figure import Figure

    target = figure_file(path)
    figure = ax.figure
    assert isinstance(figure, Figure)  # noqa: S101 - not the axes of a figure within a figure
    try:
        with replacing(target) as partial:
            figure.savefig(
                partial, format=path.suffix[1:], bbox_inches="tight", metadata={_NAMES_THE_WRITER[path.suffix]: _WRITER}
            )
    except OSError as error:
        raise PevaError(f"--figure {path}: cannot be written: {error.strerror}") from error
    finally:
        pyplot.close(figure)


def _is_own(path: Path) -> bool:
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return _WRITER.encode() in file.read(_HEAD_BYTES)
