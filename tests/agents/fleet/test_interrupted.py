"""A fleet on real raylets whose driver, worker or machine is killed, that is stopped, or that meets another one."""

import os
import signal
import time
from pathlib import Path
from typing import Any

import psutil
import pytest
from rich.console import Console

from peva_agents.fleet import FleetDriver, Phase, load_fleet, merge, status, stop
from peva_agents.fleet.driver import NAMESPACE
from peva_agents.fleet.status import read_status
from peva_env.contracts import EndStatus
from peva_env.errors import MemoryStoreError, PevaError
from peva_env.memory import DEFAULT_SCHEMA_VERSION, reading, writing
from peva_env.system import ray_cluster
from tests.support.fleet_nodes import SLEEPING, started_runs, stored_runs
from tests.support.fleets import TWO, check_maps, driving, run_here, write_fleet
from tests.support.processes import is_gone, wait_until
from tests.support.raylets import add_raylet

pytest.importorskip("ray", reason="needs the `ray` extra")

pytestmark = [pytest.mark.ray, pytest.mark.timeout(240)]


def test_a_memory_and_a_node_that_another_fleet_has_are_refused(cluster: Any, tmp_path: Path) -> None:
    path, other = write_fleet(tmp_path, TWO, duration="50s"), tmp_path / "other"
    other.mkdir()
    plan = load_fleet(write_fleet(other, TWO))
    with driving(path, cluster) as driver:
        driver.wait_for_runs("small", 1)
        has_it = r"process \d+ drives a fleet with it; wait .* peva-env fleet stop .*fleet\.yml, or choose another"
        for use in (lambda: run_here(path, cluster), lambda: merge(path, [], console=Console(quiet=True))):
            with pytest.raises(MemoryStoreError, match=has_it):
                use()
        with (
            writing(plan.memory, DEFAULT_SCHEMA_VERSION) as store,
            ray_cluster(cluster.address, namespace=NAMESPACE) as ray,
            pytest.raises(PevaError, match=r"node small: another fleet on this cluster measures a node of this name"),
        ):
            FleetDriver(plan, ray, store, SLEEPING).start(name_free_s=1.0)


def test_a_driver_that_is_killed_goes_on(cluster: Any, tmp_path: Path) -> None:
    path = write_fleet(tmp_path, TWO, duration="5s")
    with driving(path, cluster) as driver:
        for name in TWO:
            driver.wait_for_runs(name, 2)
    assert run_here(path, cluster)[0] is EndStatus.COMPLETE
    check_maps(path, n_cut_short=2)


def test_a_worker_that_is_killed_is_replaced(cluster: Any, tmp_path: Path) -> None:
    path = write_fleet(tmp_path, TWO, duration="5s")
    with driving(path, cluster) as driver:
        driver.wait_for_runs("small", 2)
        os.kill(driver.pid_of("small"), signal.SIGKILL)
        assert driver.process.wait(120) == 0
    check_maps(path, n_cut_short=1)


def test_status_and_stop_from_another_process(cluster: Any, tmp_path: Path) -> None:
    path = write_fleet(tmp_path, TWO, duration="10s")
    with pytest.raises(PevaError, match="this fleet has not run yet"):
        status(path, console=Console())
    told = tmp_path / "told.txt"
    with driving(path, cluster) as driver, told.open("w") as file:
        driver.wait_for_runs("large", 1)
        assert wait_until((driver.folder / "status.json").exists)
        for command in (status, stop, status):
            command(path, console=Console(file=file, width=200))
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
        driver.wait_for_runs("small", 2)
        raylet = psutil.Process(driver.pid_of("small")).parent()
        assert raylet is not None
        assert "raylet" in raylet.name()
        raylet.kill()
        time.sleep(25)  # the others end meanwhile, and this node is not given up
        waits_for = read_status(driver.folder / "status.json").nodes["small"].detail
        assert "no machine of the cluster has the resource 'near-small' (there are: near-large)" in waits_for
        add_raylet(cluster, {"near-small": 1})
        assert driver.process.wait(120) == 0
    check_maps(path, n_cut_short=2)


@pytest.mark.timeout(400)
def test_a_fleet_whose_ray_loses_its_head_ends_and_goes_on_with_another_ray(
    cluster: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ray.cluster_utils import Cluster

    monkeypatch.setenv("RAY_gcs_rpc_server_reconnect_timeout_s", "30")  # not 60: after that Ray ends all processes
    path = write_fleet(tmp_path, ["middle"], duration="60s")
    doomed: Any = Cluster()
    try:
        add_raylet(doomed, {})
        with driving(path, doomed) as driver:
            driver.wait_for_runs("middle", 1)
            worker = psutil.Process(driver.pid_of("middle"))
            doomed.head_node.kill_gcs_server()
            assert driver.process.wait(120) == 1
        assert read_status(driver.folder / "status.json").nodes["middle"].phase is Phase.INTERRUPTED
        with reading(load_fleet(path).memory, DEFAULT_SCHEMA_VERSION) as connection:
            assert stored_runs(connection)["middle"] == started_runs(driver.folder, "middle")
        assert wait_until(lambda: is_gone(worker), 90)
    finally:
        doomed.head_node.kill_all_processes(check_alive=False, allow_graceful=False)
    assert run_here(path, cluster)[0] is EndStatus.COMPLETE
    check_maps(path)
