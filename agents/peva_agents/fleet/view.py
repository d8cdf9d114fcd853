"""The nodes of a fleet as a table, a line a node."""

from collections.abc import Mapping

from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from peva_agents.fleet.news import NodeState, Phase
from peva_env.console import duration_text, say

_TROUBLED = (Phase.RESTARTING, Phase.ASIDE)
_STYLES = {Phase.COMPLETE: "green", Phase.FAILED: "red", Phase.MEASURING: "bold"} | dict.fromkeys(_TROUBLED, "yellow")


def node_table(states: Mapping[str, NodeState]) -> Table:
    """Return a table with a line for each node."""
    table = Table(box=None, pad_edge=False)
    for heading in ("node", "state", "measured", "left", "time left", "last verdict"):
        table.add_column(heading, no_wrap=True)
    is_compared = any(state.n_alone is not None for state in states.values())
    if is_compared:
        table.add_column("alone", no_wrap=True)
    table.add_column("now")  # the only one that gives way in a narrow terminal; it is cut there, not wrapped
    for name, state in states.items():
        table.add_row(
            Text(name),
            Text(str(state.phase), _STYLES.get(state.phase, "")),
            f"{state.n_measured:,}",
            "" if state.n_left is None else f"{state.n_left:,}",
            "" if state.left_s is None or state.phase.is_end else duration_text(state.left_s),
            Text(state.last),
            *(["" if state.n_alone is None else f"{state.n_alone:,.1f}"] if is_compared else []),
            Text(state.detail, no_wrap=True, overflow="ellipsis"),
        )
    return table


def say_failures(console: Console, states: Mapping[str, NodeState]) -> None:
    """Say why nodes do not go on, in full: the table cuts it."""
    for name, state in states.items():
        if state.phase is Phase.FAILED or state.phase in _TROUBLED:
            say(console, f"{name} {state.phase}: {state.detail}")


def savings_text(states: Mapping[str, NodeState]) -> str:
    """Say what the measurements of other nodes saved, of the nodes for which that is known; empty if of none."""
    known = [state for state in states.values() if state.n_alone is not None]
    if not known:
        return ""
    alone = sum(state.n_alone or 0.0 for state in known)
    saved = alone - sum(state.n_measured for state in known)
    saved_s = sum(((state.n_alone or 0.0) - state.n_measured) * (state.config_s or 0.0) for state in known)
    nodes = f"{len(known)} complete node{'s' if len(known) > 1 else ''}"
    said = (
        f"alone, the agent would have measured {alone:,.1f} configurations of {nodes}: the other nodes' measurements "
    )
    if round(abs(saved), 1) == 0:
        return f"{said}saved none of them"
    came_to = f"saved {saved:,.1f} of them ({saved / alone:.0%})" if saved > 0 else f"cost {-saved:,.1f} more"
    return f"{said}{came_to}, about {duration_text(abs(saved_s))} of machine time"


class FleetView:
    """Shows a running fleet: a table redrawn in a terminal, a line for each verdict and change elsewhere."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._live = Live(console=console, auto_refresh=False, transient=True) if console.is_terminal else None
        self._told: dict[str, tuple[str, str]] = {}

    def __enter__(self) -> "FleetView":
        if self._live:
            self._live.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        if self._live:
            self._live.stop()

    def show(self, states: Mapping[str, NodeState]) -> None:
        """Show the states as they are now."""
        if self._live:
            self._live.update(node_table(states), refresh=True)
            return
        for name, state in states.items():
            last, trouble = self._told.get(name, ("", ""))
            if state.last and state.last != last:  # a new worker in place of a lost one has no verdict of its own yet
                say(self._console, f"{name}: {state.last}  {state.n_measured} measured, {state.n_left} left")
            now = f"{state.phase}{f': {state.detail}' if state.detail else ''}" if _is_told(state.phase) else ""
            if now and now != trouble:
                say(self._console, f"{name}: {now}")
            self._told[name] = (state.last, now)


def _is_told(phase: Phase) -> bool:
    return phase.is_end or phase in _TROUBLED
