"""Printing the overload map, one letter a configuration."""

import io
from collections.abc import Sequence
from dataclasses import dataclass

from rich.console import Console
from rich.text import Text

from peva_env.console.text import say
from peva_env.contracts import Verdict
from peva_env.inference import MonotoneMap
from peva_env.space import Config, ConfigSpace, config_key

_NONE = "none"
_MAX_ROWS = 60
_TEXT_WIDTH = 120
"""Columns of a map that is returned as text."""

_SINGLES = 2  # max_functions, exclusive, of a plan that loads one function at a time

_LETTERS = {
    "OK": ("o", "green"),
    "overloaded": ("X", "red"),
    "inferred overloaded": ("x", "dim red"),
    "unknown": ("?", ""),
}


@dataclass(frozen=True, slots=True)
class _Grid:
    """The layout of a map: ``configs[i][j]`` is the configuration of row i and column j; the plan may lack it."""

    title: str
    rows: Sequence[str]
    columns: Sequence[str]
    configs: Sequence[Sequence[Config]]


def print_map(console: Console, known: MonotoneMap) -> None:
    """Print the map of a plan of two functions, or of any number of functions that are loaded one at a time.

    Other plans are not drawn in a terminal. Labels of columns that do not fit are written vertically.
    """
    if known.labels is None:
        return
    grid = _singles(known.space) if known.space.max_functions == _SINGLES else _pairs(known.space)
    if grid is None:
        return
    say(console, f"\n{grid.title}")
    lines = _draw(known, grid, console.width)
    if lines is None:
        say(console, f"  {len(grid.rows)} x {len(grid.columns)} cells are too many for this terminal: see results.csv")
        return
    for line in lines:
        console.print(line, no_wrap=True, highlight=False)
    say(console, Text("  ").join(Text(letter, style) + Text(f" {name}") for name, (letter, style) in _LETTERS.items()))


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
    down, across = space.functions
    alone = [None] if space.min_functions == 1 else []
    rows, columns = [[*alone, *rates] for rates in space.rates_rps]
    rows.reverse()
    configs = [[_config((down, row), (across, column)) for column in columns] for row in rows]
    title = f"Overload map (rps): {down} down, {across} across"
    return _Grid(title, [_label(rate) for rate in rows], [_label(rate) for rate in columns], configs)


def _config(*pairs: tuple[str, int | None]) -> Config:
    return [(name, rate) for name, rate in pairs if rate is not None]


def _label(rate: int | None) -> str:
    return _NONE if rate is None else str(rate)


def _draw(known: MonotoneMap, grid: _Grid, width: int) -> list[Text] | None:
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
        cells = (Text(" " * (step - 1)) + _cell(known, config) for config in configs)
        lines.append(Text(name.rjust(margin - 1).ljust(margin)).append_text(Text("").join(cells)))
    return lines


def _cell(known: MonotoneMap, config: Config) -> Text:
    if config not in known.space:
        return Text(" ")
    verdict = known.verdict(config)
    if verdict is None:
        return Text(*_LETTERS["unknown"])
    if verdict is Verdict.OK:
        return Text(*_LETTERS["OK"])
    measured = config_key(config) in known.measured
    return Text(*_LETTERS["overloaded" if measured else "inferred overloaded"])
