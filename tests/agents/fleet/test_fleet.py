"""A fleet on real raylets: each node's map is right, nothing is measured twice, and nothing is lost by a kill."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

import psutil
import pytest
import yaml
from rich.console import Console

from peva_agents.fleet import load_fleet, merge, run, status, stop
from peva_env.contracts import EndStatus
from peva_env.errors import MemoryStoreError, PevaError
from peva_env.memory import DEFAULT_SCHEMA_VERSION, reading, writing
from tests.support.fleet_nodes import SLEEPING, STARTED, started_runs, stored_runs
from tests.support.processes import wait_until
from tests.support.raylets import add_raylet, raylets

pytest.importorskip("ray", reason="needs the `ray` extra")

pytestmark = [pytest.mark.ray, pytest.mark.timeout(240)]

RATES = [10, 20, 30, 40, 50, 60, 70, 80]
CAPACITY = {"small": 2, "middle": 4, "large": 6}
"""Places of each node; each serves 10 requests/s, so that a map of one function has two verdicts next to it."""


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    with raylets({}, {"near-small": 1}, {"near-large": 1}) as running:
        yield running


def write_fleet(folder: Path, *, duration: str = "1s", **keys: Any) -> Path:
    near = {"small": "near-small", "large": "near-large"}
    nodes = [
        {"name": name, "functions": [{"name": "f", "concurrency": places}]}
        | ({"resource": near[name]} if name in near else {})
        for name, places in CAPACITY.items()
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
    for name, places in CAPACITY.items():
        of_node = {rate: verdict for run_id, rate, verdict in rows if run_id.startswith(f"{name}.")}
        capacity_rps = 10 * places
        expected = [rate for rate in RATES if rate <= capacity_rps + 10]  # what cartesian has to measure
        assert of_node == {rate: "OK" if rate <= capacity_rps else "OVERLOADED" for rate in expected}
        assert max(Counter(stored[name]).values()) == 1
    begun = [one for name in CAPACITY for one in started_runs(plan.folder, name)]
    assert sum(map(len, stored.values())) <= len(begun) <= sum(map(len, stored.values())) + n_cut_short


def test_three_nodes_are_measured_at_once_and_again_not_at_all(cluster: Any, tmp_path: Path) -> None:
    path = write_fleet(tmp_path)
    ended, said = run_here(path, cluster)
    assert ended is EndStatus.COMPLETE
    check_maps(path)
    assert "small: f 20 rps: OK  2 measured" in said
    ended, said = run_here(path, cluster)
    assert ended is EndStatus.COMPLETE
    assert "\n0 runs, " in said
    check_maps(path)


def test_no_more_nodes_are_loaded_than_allowed(cluster: Any, tmp_path: Path) -> None:
    path = write_fleet(tmp_path, max_loaded=1)
    assert run_here(path, cluster)[0] is EndStatus.COMPLETE
    check_maps(path)
    with reading(load_fleet(path).memory, DEFAULT_SCHEMA_VERSION) as connection:
        times = connection.execute("SELECT started_at, ended_at FROM execution_events ORDER BY 1").fetchall()
    assert all(one[1] <= other[0] for one, other in pairwise(times))


def test_a_budget_ends_the_fleet_and_a_later_start_completes_it(cluster: Any, tmp_path: Path) -> None:
    path = write_fleet(tmp_path)
    ended, said = run_here(path, cluster, budget_seconds=0.5)
    assert ended is EndStatus.BUDGET
    assert "the machine time of the fleet is spent" in said
    assert run_here(path, cluster)[0] is EndStatus.COMPLETE
    check_maps(path)


def test_a_node_begins_with_what_others_measured_before(cluster: Any, tmp_path: Path) -> None:
    path = write_fleet(tmp_path, agent="learnt-transfer", max_loaded=1)
    assert run_here(path, cluster)[0] is EndStatus.COMPLETE
    plan = load_fleet(path)
    known = {}
    for name in CAPACITY:
        with reading(plan.memory_of(name), DEFAULT_SCHEMA_VERSION) as connection:
            known[name] = stored_runs(connection)
    of_others = [(name, other) for name in CAPACITY for other in known[name] if other != name]
    assert of_others  # whose machine is ready first begins, perhaps with nothing
    for name, other in of_others:
        assert set(known[name][other]) <= set(known[other][other])


def test_a_node_that_fails_leaves_the_others_alone(cluster: Any, tmp_path: Path) -> None:
    path = write_fleet(tmp_path)
    given = yaml.safe_load(path.read_text())
    given["nodes"].append({"name": "twin", "gateway_url": "http://127.0.0.1:9/", "platform": "local"})
    given["nodes"].append({"name": "other-twin", "gateway_url": "http://127.0.0.1:9/", "platform": "local"})
    path.write_text(yaml.safe_dump(given))
    ended, said = run_here(path, cluster)
    assert ended is EndStatus.FAILED
    assert "is the same target as node" in said
    with reading(load_fleet(path).memory, DEFAULT_SCHEMA_VERSION) as connection:
        assert stored_runs(connection).keys() >= CAPACITY.keys()


def test_a_resource_that_no_machine_has_is_one_line(cluster: Any, tmp_path: Path) -> None:
    path = write_fleet(tmp_path, nodes=[{"name": "a", "resource": "near-nobody"}])
    problem = r"node a: no machine .* 'near-nobody' \(there are: near-large, near-small\); start one with ray start"
    with pytest.raises(PevaError, match=problem):
        run_here(path, cluster)


def test_two_fleets_on_one_memory_are_refused(cluster: Any, tmp_path: Path) -> None:
    path = write_fleet(tmp_path)
    with (
        writing(load_fleet(path).memory, DEFAULT_SCHEMA_VERSION),
        pytest.raises(MemoryStoreError, match=r"fleet\.duckdb: .*in use by"),
    ):
        run_here(path, cluster)


def test_a_node_that_another_fleet_measures_is_refused(
    cluster: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("peva_agents.fleet.driver._NAME_FREE_S", 1.0)
    path, other = write_fleet(tmp_path, duration="5s"), tmp_path / "other"
    other.mkdir()
    with driving(path, cluster) as driver:
        driver.wait_for_runs(1)
        with pytest.raises(PevaError, match=r"node small: another fleet on this cluster measures a node of this name"):
            run_here(write_fleet(other), cluster)


def test_memories_of_nodes_are_merged_by_hand(cluster: Any, tmp_path: Path) -> None:
    path = write_fleet(tmp_path)
    run_here(path, cluster)
    load_fleet(path).memory.unlink()
    with (tmp_path / "merged.txt").open("w") as file:
        merge(path, [], console=Console(file=file))
    check_maps(path)


class Driver:
    """A driver of a fleet in a process of its own."""

    def __init__(self, path: Path, process: "subprocess.Popen[bytes]") -> None:
        self.folder, self.process = load_fleet(path).folder, process

    def wait_for_runs(self, n: int) -> None:
        assert wait_until(lambda: sum(len(started_runs(self.folder, name)) for name in CAPACITY) >= n)

    def pid_of(self, name: str) -> int:
        """Return the process that began the last run of a node."""
        return int((self.folder / "nodes" / name / STARTED).read_text().splitlines()[-1].split()[0])


DRIVER = """
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
    process = subprocess.Popen([sys.executable, "-c", DRIVER, str(path), cluster.address])
    try:
        yield Driver(path, process)
    finally:
        process.kill()
        process.wait()


def test_a_driver_that_is_killed_goes_on(cluster: Any, tmp_path: Path) -> None:
    path = write_fleet(tmp_path, duration="5s")
    with driving(path, cluster) as driver:
        driver.wait_for_runs(5)
    assert run_here(path, cluster)[0] is EndStatus.COMPLETE
    check_maps(path, n_cut_short=3)


def test_a_worker_that_is_killed_is_replaced(cluster: Any, tmp_path: Path) -> None:
    path = write_fleet(tmp_path, duration="5s")
    with driving(path, cluster) as driver:
        driver.wait_for_runs(5)
        os.kill(driver.pid_of("small"), signal.SIGKILL)
        assert driver.process.wait(120) == 0
    check_maps(path, n_cut_short=1)


def test_status_and_stop_from_another_process(cluster: Any, tmp_path: Path) -> None:
    path = write_fleet(tmp_path, duration="5s")
    with pytest.raises(PevaError, match="this fleet has not run yet"):
        status(path, console=Console())
    told = tmp_path / "told.txt"
    with driving(path, cluster) as driver, told.open("w") as file:
        driver.wait_for_runs(4)
        assert wait_until((driver.folder / "status.json").exists)
        reaped = threading.Thread(target=driver.process.wait)  # a zombie would not count as ended
        reaped.start()
        for command in (status, stop, status):
            command(path, console=Console(file=file, width=200))
        reaped.join()
    said = told.read_text()
    assert f"process {driver.process.pid} drives the fleet" in said
    assert "interrupted" in said
    assert "the fleet has ended" in said
    with pytest.raises(PevaError, match="no process on this machine drives this fleet"):
        stop(path, console=Console())
    assert run_here(path, cluster)[0] is EndStatus.COMPLETE
    check_maps(path)


def test_a_machine_that_is_lost_is_replaced_when_another_one_joins(cluster: Any, tmp_path: Path) -> None:
    path = write_fleet(tmp_path, duration="5s")
    with driving(path, cluster) as driver:
        driver.wait_for_runs(5)
        raylet = psutil.Process(driver.pid_of("small")).parent()
        assert raylet is not None
        assert "raylet" in raylet.name()
        raylet.kill()
        time.sleep(25)  # the others end meanwhile, and this node is not given up
        add_raylet(cluster, {"near-small": 1})
        assert driver.process.wait(120) == 0
    check_maps(path, n_cut_short=2)
