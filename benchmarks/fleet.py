"""A driver and many nodes on local raylets: the driver's memory, its CPU, and the events that it stores in a second.

``python -m benchmarks fleet`` has 100 nodes with 1,000 runs each that answer at once and keep no memory, so that the
driver is all that takes time; the actors need some 10 GB of memory. ``python -m benchmarks.fleet NODES RUNS`` has other
numbers, and ``python -m benchmarks.fleet NODES RUNS whole`` has whole nodes, with a memory and an agent, that sleep as
k6 would: on a few cores they take most of the time.
"""

import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import psutil
import yaml

from benchmarks.timing import report
from peva_agents.fleet import FleetDriver, Orders, Phase, load_fleet
from peva_agents.fleet.driver import NAMESPACE
from peva_agents.fleet.file import FleetNode
from peva_agents.fleet.node import NodeCampaign
from peva_env.memory import DEFAULT_SCHEMA_VERSION, writing
from peva_env.system import ray_cluster
from tests.support.builders import event
from tests.support.fleet_nodes import RPS_OF_A_PLACE, SLEEPING, no_k6
from tests.support.raylets import raylets

_N_NODES, _N_RUNS, _N_RAYLETS = 100, 1000, 4
_MB = 1e6
_GO = "go"


class LightNode(NodeCampaign):
    """A node whose runs take no time. It begins when all nodes are there, which the file ``go`` of a folder tells."""

    def __init__(self, n_runs: int, folder: Path) -> None:
        super().__init__(k6_version=no_k6)
        self._n_runs, self._folder = n_runs, folder
        self._session_known = True  # there is no memory to send

    def _campaign(self, orders: Orders) -> tuple[Phase, str]:
        (self._folder / orders.node.name).touch()
        while not (self._folder / _GO).exists():
            time.sleep(0.1)
        for number in range(self._n_runs):
            config = [("f", number + 1)]
            self.starting(config, 0)
            self.measured(event(config, run_id=orders.run_id))
        return Phase.COMPLETE, ""


class LightDriver(FleetDriver):
    """The driver of nodes whose runs take no time; ``campaign`` are the arguments of ``LightNode``."""

    def _actor(self, node: FleetNode, name_free_s: float) -> Any:  # noqa: ARG002
        actor = self._ray.remote(LightNode).options(name=f"node {node.name}", num_cpus=0, max_concurrency=8)
        return actor.remote(*self._campaign)


def main(n_nodes: int = _N_NODES, n_runs: int = _N_RUNS, *, whole: bool = False) -> None:
    """Print what the driver needs, from the first event to the last."""
    with tempfile.TemporaryDirectory() as folder, raylets(*[{}] * _N_RAYLETS, cpus=1) as cluster:
        plan = load_fleet(_fleet_file(Path(folder), n_nodes, n_runs))
        ready = Path(folder, "ready")
        ready.mkdir()
        with (
            writing(plan.memory, DEFAULT_SCHEMA_VERSION) as store,
            ray_cluster(cluster.address, namespace=NAMESPACE) as ray,
        ):
            make, campaign = (FleetDriver, SLEEPING) if whole else (LightDriver, (n_runs, ready))
            driver = make(plan, ray, store, campaign)
            driver.start()
            sampled = _Samples(driver, n_nodes * n_runs)

            def take() -> None:
                if not driver.n_events and len(list(ready.iterdir())) == n_nodes:
                    (ready / _GO).touch()
                sampled.take()

            driver.run(take)
            sampled.print()


class _Samples:
    def __init__(self, driver: FleetDriver, n_all: int) -> None:
        self._driver, self._n_all = driver, n_all
        self._process = psutil.Process()
        self._begun: tuple[float, float, int] | None = None
        self._resident_mb: dict[int, float] = {}
        self._last = (0.0, 0.0, 0)

    def take(self) -> None:
        n = self._driver.n_events
        if n <= self._last[2]:
            return
        times = self._process.cpu_times()
        self._last = (time.monotonic(), times.user + times.system, n)
        self._begun = self._begun or self._last
        for percent in (10, 40, 70, 100):
            if n >= self._n_all * percent / 100:
                self._resident_mb.setdefault(percent, self._process.memory_info().rss / _MB)

    def print(self) -> None:
        assert self._begun is not None
        wall_s, cpu_s, n = (last - first for last, first in zip(self._last, self._begun, strict=True))
        for percent, megabytes in self._resident_mb.items():
            report(f"resident memory of the driver after {percent} % of {self._n_all:,} events", megabytes, "MB")
        report("events ingested", n / wall_s, "1/s", target="500")
        report("CPU of the driver", 100 * cpu_s / wall_s, "% of a core")
        report("CPU of the driver for an event", 1000 * cpu_s / n, "ms")


def _fleet_file(folder: Path, n_nodes: int, n_runs: int) -> Path:
    functions = [{"name": "f", "concurrency": n_runs // RPS_OF_A_PLACE + 1}]
    defaults = {
        "functions": functions,
        "rate_strategy": {"type": "custom", "rates": list(range(1, n_runs + 1))},
        "combinations": {"min_functions": 1, "max_functions": 2},
        "duration": "1s",
        "iterations": 1,
    }
    nodes = [{"name": f"node-{number}"} for number in range(n_nodes)]
    path = folder / "fleet.yml"
    path.write_text(
        yaml.safe_dump({"agent": "cartesian", "output_dir": str(folder / "out"), "defaults": defaults, "nodes": nodes})
    )
    return path


if __name__ == "__main__":
    main(*map(int, sys.argv[1:3]), whole="whole" in sys.argv)
