"""Printing contradictions: two measurements that contradict each other, and their state."""

from collections.abc import Iterable

from rich.console import Console
from rich.text import Text

from peva_env.console.text import STYLES, config_text, say
from peva_env.contracts import Verdict
from peva_env.inference import Dispute

_STATES = {
    "open": "will be measured again",
    "quarantine": "measured again and still contradicted, nothing is inferred from either",
    "settled": "measured again, and one verdict changed",
}


def print_disputes(console: Console, disputes: Iterable[Dispute]) -> None:
    """Print a line for each contradiction."""
    for dispute in disputes:
        say(
            console,
            Text("contradiction", STYLES[Verdict.INVALID])
            + Text(f": {config_text(dispute.overloaded)} was {Verdict.OVERLOADED} and {config_text(dispute.ok)} ")
            + Text(f"{Verdict.OK}: {_STATES[dispute.state]}"),
        )
