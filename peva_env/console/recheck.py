"""Printing the result of a re-check."""

from collections.abc import Iterator

from rich.console import Console

from peva_env.console.text import config_text, say
from peva_env.maps import Recheck


def print_recheck(console: Console, found: Recheck) -> None:
    """Print whether the earlier map held, and by how many runs that is known."""
    for line in _lines(found):
        say(console, line)


def _lines(found: Recheck) -> Iterator[str]:
    agreed = f"{found.n_agreed} of the {found.n_certificate} configurations of the certificate agree"
    runs = f"{found.n_runs} run{'' if found.n_runs == 1 else 's'}"
    if found.has_changed:
        yield f"changed: {agreed}; {runs}"
    elif not found.is_finished:
        yield f"undecided: {agreed}, and the budget is spent; {runs}"
    elif found.n_unproved or found.unsure:
        yield f"held: {agreed}, and the others differ by no more than chance; {runs}"
    else:
        fewest = "as few" if found.n_runs == found.n_certificate else f"{found.n_certificate} are as few"
        yield (
            f"held: {agreed}: all {found.n_configs:,} verdicts of the earlier map are proved again; {runs}, "
            f"{fewest} as any sound method needs"
        )
    if found.n_unproved:
        yield f"  of {found.n_configs:,} configurations {found.n_unproved:,} are not proved again"
    for configs, what in ((found.lost, "lost"), (found.gained, "gained")):
        for config in configs:
            yield f"  {what} for certain: {config_text(config)}"
    for config in found.unsure:
        yield f"  differs, perhaps by chance: {config_text(config)}"
