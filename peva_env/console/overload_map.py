"""Printing the overload map, one letter a configuration."""

import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.text import Text

from peva_env.console.text import config_text, say
from peva_env.inference import CELL_NAMES, Cell, MonotoneMap, cell_codes
from peva_env.maps import WHY_ADDING_HELPS, added_functions
from peva_env.space import Config, ConfigSpace

_NONE = "none"
_MAX_ROWS = 60
_TEXT_WIDTH = 120
"""Columns of a map that is returned as text."""

_SINGLES = 2  # max_functions, exclusive, of a plan that loads one function at a time

_LETTERS = {
    Cell.ABSENT: (" ", ""),
    Cell.OK_MEASURED: ("O", "green"),
    Cell.OK_INFERRED: ("o", "dim green"),
    Cell.OVERLOADED_MEASURED: ("X", "red"),
    Cell.OVERLOADED_INFERRED: ("x", "dim red"),
    Cell.CONTRADICTED: ("!", "yellow"),
    Cell.INCOMPLETE: ("~", "yellow"),
    Cell.UNKNOWN: ("?", ""),
}


@dataclass(frozen=True, slots=True)
class _Grid:
    """The layout of a map: ``configs[i][j]`` is the configuration of row i and column j; the plan may lack it."""

    title: str
    rows: Sequence[str]
    columns: Sequence[str]
    configs: Sequence[Sequence[Config]]


def print_map(console: Console, known: MonotoneMap, begun: Iterable[Config] = ()) -> None:
    """Print the map of a plan of two functions, or of any number of functions that are loaded one at a time.

    The first function is across, the second one upwards, as in figures and reports. Other plans are not drawn in a
    terminal. Labels of columns that do not fit are written vertically. The legend has the states that are drawn.
    ``begun`` are the configurations that were run: those without a verdict are incomplete.
    """
    if known.labels is None:
        return
    grid = _singles(known.space) if known.space.max_functions == _SINGLES else _pairs(known.space)
    if grid is None:
        return
    say(console, f"\n{grid.title}")
    cells = cell_codes(known, begun)
    lines = _draw(known.space, cells, grid, console.width)
    if lines is None:
        say(console, f"  {len(grid.rows)} x {len(grid.columns)} cells are too many for this terminal: see results.csv")
        return
    for line in lines:
        console.print(line, no_wrap=True, highlight=False)
    there = [(*_LETTERS[cell], name) for cell, name in CELL_NAMES.items() if cell in cells]
    say(console, Text("  ").join(Text(letter, style) + Text(f" {name}") for letter, style, name in there))
    print_added_functions(console, known)


def print_added_functions(console: Console, known: MonotoneMap) -> None:
    """Print a line if a further function makes a mix OK, which looks like a fault of the map."""
    found = added_functions(known)
    if found:
        ok, overloaded = found[0]
        say(
            console,
            f"{config_text(ok)} is OK above {config_text(overloaded)}, which is overloaded: {WHY_ADDING_HELPS}",
        )


def map_text(known: MonotoneMap, title: str) -> str:
    """Return a title and the map that ``print_map`` prints, as text without colours."""
    text = io.StringIO()
    console = Console(file=text, width=_TEXT_WIDTH, color_system=None, force_terminal=False)
    say(console, title)
    print_map(console, known)
    return text.getvalue()


def _singles(space: ConfigSpace) -> _Grid:
    rates = sorted({rate for rates in space.rates_rps for rate in rates})
    configs = [[[(name, rate)] for rate in rates] for name in space.functions]
    return _Grid("Overload map: rates (rps) across", space.functions, [str(rate) for rate in rates], configs)


def _pairs(space: ConfigSpace) -> _Grid | None:
    if len(space.functions) != 2:
        return None
    across, upwards = space.functions
    alone = [None] if space.min_functions == 1 else []
    columns, rows = [[*alone, *rates] for rates in space.rates_rps]
    rows.reverse()
    configs = [[_config((across, column), (upwards, row)) for column in columns] for row in rows]
    title = f"Overload map (rps): {across} across, {upwards} upwards"
    return _Grid(title, [_label(rate) for rate in rows], [_label(rate) for rate in columns], configs)


def _config(*pairs: tuple[str, int | None]) -> Config:
    return [(name, rate) for name, rate in pairs if rate is not None]


def _label(rate: int | None) -> str:
    return _NONE if rate is None else str(rate)


def _draw(space: ConfigSpace, cells: NDArray[np.uint8], grid: _Grid, width: int) -> list[Text] | None:
    """Return the lines of the map with the widest spacing that fits, or None if none fits."""
    margin = max(map(len, grid.rows)) + 1
    longest = max(map(len, grid.columns))
    fits = (step for step in (longest + 2, 2, 1) if margin + step * len(grid.columns) <= width)
    step = next(fits, None)
    if step is None or len(grid.rows) > _MAX_ROWS:
        return None
    labels = grid.columns if step > longest else [label.rjust(longest) for label in grid.columns]
    header = [labels] if step > longest else list(zip(*labels, strict=True))  # upright: one letter of each a line
    lines = [Text(" " * margin + "".join(label.rjust(step) for label in line)) for line in header]
    for name, configs in zip(grid.rows, grid.configs, strict=True):
        drawn = (Text(" " * (step - 1)) + _letter(space, cells, config) for config in configs)
        lines.append(Text(name.rjust(margin - 1).ljust(margin)).append_text(Text("").join(drawn)))
    return lines


def _letter(space: ConfigSpace, cells: NDArray[np.uint8], config: Config) -> Text:
    return Text(*_LETTERS[Cell(cells[space.index(config)]) if config in space else Cell.ABSENT])
