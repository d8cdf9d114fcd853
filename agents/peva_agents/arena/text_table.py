"""A table of texts, for a terminal and in Markdown."""

from collections.abc import Sequence
from typing import NamedTuple

from rich.console import Console
from rich.table import Table


class TextTable(NamedTuple):
    """A table: its title, the heads of its columns, and its rows as texts; the first column is on the left."""

    title: str
    heads: Sequence[str]
    rows: Sequence[Sequence[str]]

    def print(self, console: Console, *, caption: str | None = None) -> None:
        """Print the table, with a caption below it if one is given."""
        table = Table(title=self.title, caption=caption)
        for number, head in enumerate(self.heads):
            table.add_column(head, justify="right" if number else "left")
        for row in self.rows:
            table.add_row(*row)
        console.print(table)

    def markdown(self) -> list[str]:
        """Return the lines of a section with the table."""
        rows = [f"| {' | '.join(row)} |" for row in self.rows]
        return [
            f"## {self.title}",
            "",
            f"| {' | '.join(self.heads)} |",
            f"|---|{'---:|' * (len(self.heads) - 1)}",
            *rows,
            "",
        ]
