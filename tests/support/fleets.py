"""Fleets of nodes that sleep, on real raylets: their file, their start in this process or another, and their maps."""

import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml
from rich.console import Console

from peva_agents.fleet import load_fleet, run
from peva_env.contracts import EndStatus
from peva_env.memory import DEFAULT_SCHEMA_VERSION, reading
from tests.support.fleet_nodes import RPS_OF_A_PLACE, SLEEPING, STARTED, started_runs, stored_runs
from tests.support.processes import wait_until

RATES = [10, 20, 30, 40, 50, 60, 70, 80]
PLACES = {"small": 2, "middle": 4, "large": 6}
"""Places of each node, so that a map of one function has verdicts of both kinds."""

NEAR = {"small": "near-small", "large": "near-large"}
"""The resource of the machine that a node is measured from; the others are measured from any."""

RAYLETS: tuple[dict[str, float], ...] = ({}, *({resource: 1.0} for resource in NEAR.values()))

TWO = ("small", "large")
"""Enough nodes for what does not depend on their number: each costs a process that imports everything."""


def write_fleet(folder: Path, names: Sequence[str] = tuple(PLACES), *, duration: str = "1s", **keys: Any) -> Path:
    nodes = [
        {"name": name, "functions": [{"name": "f", "concurrency": PLACES[name]}]}
        | ({"resource": NEAR[name]} if name in NEAR else {})
        for name in names
    ]
    defaults = {
        "rate_strategy": {"type": "custom", "rates": RATES},
        "combinations": {"min_functions": 1, "max_functions": 2},
        "duration": duration,
        "iterations": 1,
    }
    path = folder / "fleet.yml"
    given = {"agent": "cartesian", "output_dir": str(folder / "out"), "defaults": defaults, "nodes": nodes, **keys}
    path.write_text(yaml.safe_dump(given))
    return path


def run_here(path: Path, cluster: Any, **options: Any) -> tuple[EndStatus, str]:
    with Path(path.parent / "said.txt").open("a+") as file:
        console = Console(file=file, width=200)
        ended = run(path, console=console, ray=cluster.address, campaign=SLEEPING, **options)
        file.seek(0)
        return ended, file.read()


def check_maps(path: Path, *, n_cut_short: int = 0) -> None:
    """Check that each node's map is right, and that no run that ended was begun again."""
    plan = load_fleet(path)
    with reading(plan.memory, DEFAULT_SCHEMA_VERSION) as connection:
        stored = stored_runs(connection)
        rows = connection.execute(
            "SELECT run_id, rates_rps[1], verdict FROM execution_events WHERE kind = 'measured'"
        ).fetchall()
    names = [node.name for node in plan.nodes]
    for name in names:
        of_node = {rate: verdict for run_id, rate, verdict in rows if run_id.startswith(f"{name}.")}
        capacity_rps = RPS_OF_A_PLACE * PLACES[name]
        expected = [rate for rate in RATES if rate <= capacity_rps + 10]  # what cartesian has to measure
        assert of_node == {rate: "OK" if rate <= capacity_rps else "OVERLOADED" for rate in expected}
        assert max(Counter(stored[name]).values()) == 1
    begun = [one for name in names for one in started_runs(plan.folder, name)]
    assert sum(map(len, stored.values())) <= len(begun) <= sum(map(len, stored.values())) + n_cut_short


class Driver:
    """A driver of a fleet in a process of its own."""

    def __init__(self, path: Path, process: "subprocess.Popen[bytes]") -> None:
        self.folder, self.process = load_fleet(path).folder, process

    def wait_for_runs(self, name: str, n: int) -> None:
        """Wait until a node has begun so many runs: of two nodes, one may begin long before the other."""
        assert wait_until(lambda: len(started_runs(self.folder, name)) >= n)

    def pid_of(self, name: str) -> int:
        """Return the process that began the last run of a node."""
        return int((self.folder / "nodes" / name / STARTED).read_text().splitlines()[-1].split()[0])


_DRIVER = """
import sys
from pathlib import Path
from rich.console import Console
from peva_agents.fleet import run
from peva_env.system import FirstInterrupt
from tests.support.fleet_nodes import SLEEPING
FirstInterrupt()
print(run(Path(sys.argv[1]), console=Console(), ray=sys.argv[2], campaign=SLEEPING))
"""


@contextmanager
def driving(path: Path, cluster: Any) -> Iterator[Driver]:
    process = subprocess.Popen([sys.executable, "-c", _DRIVER, str(path), cluster.address])
    try:
        yield Driver(path, process)
    finally:
        process.kill()
        process.wait()
