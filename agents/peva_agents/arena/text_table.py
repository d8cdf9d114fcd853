"""A table of texts, for a terminal and in Markdown."""

from collections.abc import Sequence
from typing import NamedTuple

from rich.console import Console
from rich.text import Text

from peva_env.console import print_table


class TextTable(NamedTuple):
    """A table: its title, the heads of its columns, and its rows as texts; the first column is on the left."""

    title: str
    heads: Sequence[str]
    rows: Sequence[Sequence[str]]

    def print(self, console: Console, *, caption: str | None = None) -> None:
        """Print the table, with a caption below it if one is given."""
        console.print(Text(f"\n{self.title}", "bold"), highlight=False)
        print_table(console, self.heads, self.rows)
        if caption:
            console.print(Text(caption, "dim"), highlight=False)

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
