"""What the view of a fleet prints where there is no terminal: a line for each verdict and change."""

import io
from dataclasses import replace

from rich.console import Console

from peva_agents.fleet.news import NodeState, Phase
from peva_agents.fleet.view import FleetView

MEASURED = NodeState(Phase.MEASURING, n_measured=3, n_left=4, last="f 30 rps: OK")


def shown(*states: NodeState) -> list[str]:
    """Return the lines that are printed while a node has these states, one after the other."""
    console = Console(file=io.StringIO(), width=200)
    with FleetView(console) as view:
        for state in states:
            view.show({"a": state})
    return str(console.file.getvalue()).splitlines()  # type: ignore[attr-defined]


def test_a_worker_in_place_of_a_lost_one_tells_no_verdict_before_it_has_one() -> None:
    restarting = NodeState(Phase.RESTARTING, n_measured=3, n_left=4, last=MEASURED.last, detail="its worker was lost")
    assert shown(MEASURED, restarting, NodeState(Phase.STARTING)) == [
        "a: f 30 rps: OK  3 measured, 4 left",
        "a: restarting: its worker was lost",
    ]


def test_what_a_node_waits_for_is_told_when_that_is_known() -> None:
    lost = NodeState(Phase.RESTARTING, n_measured=3, n_left=4, last=MEASURED.last, detail="its worker was lost")
    waiting = replace(lost, detail="its worker was lost; no machine of the cluster has the resource 'near-a'")
    assert shown(MEASURED, lost, waiting, waiting, lost)[1:] == [
        "a: restarting: its worker was lost",
        "a: restarting: its worker was lost; no machine of the cluster has the resource 'near-a'",
        "a: restarting: its worker was lost",
    ]
