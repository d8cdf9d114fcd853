"""A table for a terminal of any width."""

from collections.abc import Sequence

from rich.console import Console
from rich.padding import Padding
from rich.text import Text

_GAP = 2
_INDENT = 2


def print_table(
    console: Console, heads: Sequence[str], rows: Sequence[Sequence[str | Text]], *, n_left: int = 1
) -> None:
    """Print a table; where a terminal is too narrow for it, print a paragraph for each row instead.

    No cell is wrapped or cut off, so that a name or a hash can be copied. A paragraph begins with the first cell of its
    row, and then holds each head with its cell.

    Args:
        console: where to print.
        heads: the heads of the columns.
        rows: the cells; text that is not a ``Text`` has no markup.
        n_left: number of columns on the left side of their width; the others stand on the right side.
    """
    cells = [[cell if isinstance(cell, Text) else Text(cell) for cell in row] for row in rows]
    lines = [[Text(head, "bold") for head in heads], *cells]
    widths: list[int] = [max(cell.cell_len for cell in column) for column in zip(*lines, strict=True)]
    if sum(widths) + _GAP * (len(widths) - 1) <= console.width or not console.is_terminal:
        for line in lines:
            padded = [
                _padded(cell, width, number < n_left)
                for number, (cell, width) in enumerate(zip(line, widths, strict=True))
            ]
            whole = Text(" " * _GAP).join(padded)
            whole.rstrip()
            console.print(whole, soft_wrap=True, highlight=False)
        return
    for row in cells:
        console.print(row[0], highlight=False)
        pairs = [Text(f"{head} ", "dim") + cell for head, cell in zip(heads[1:], row[1:], strict=True)]
        console.print(Padding(Text(", ").join(pairs), (0, 0, 0, _INDENT)), highlight=False)


def _padded(cell: Text, width: int, is_left: bool) -> Text:
    spaces = " " * (width - cell.cell_len)
    return cell + spaces if is_left else Text(spaces) + cell
