"""Ray is started here or connected to in one place, on loopback only, and what can go wrong is one line."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

import psutil
import pytest

from peva_env.errors import ConfigError, PevaError
from peva_env.system import install_text, ray_cluster
from tests.support.processes import command_of, is_gone, wait_until
from tests.support.raylets import addresses_listened, raylets

ray = pytest.importorskip("ray", reason="needs the `ray` extra")

pytestmark = [pytest.mark.ray, pytest.mark.timeout(180)]


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    with raylets({}, {"stand_a": 1}) as running:
        yield running


def square(number: int) -> tuple[int, int]:
    return number * number, os.getpid()


def test_a_cluster_that_runs_is_joined_and_goes_on(cluster: Any) -> None:
    before = signal.getsignal(signal.SIGTERM)
    for _ in range(2):
        with ray_cluster(cluster.address, namespace="ours") as joined:
            result, pid = joined.get(joined.remote(resources={"stand_a": 1})(square).remote(7))
            assert result == 49
            assert pid != os.getpid()
    assert not ray.is_initialized()
    assert signal.getsignal(signal.SIGTERM) is before


def test_what_ray_tells_of_lost_machines_is_not_printed_among_the_results(
    cluster: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    from ray._private.utils import publish_error_to_driver

    with ray_cluster(cluster.address):
        client = cluster.head_node.get_gcs_client()
        for _ in range(10):  # its listener may not have subscribed yet
            publish_error_to_driver("raylet_died", "pages of a log", gcs_client=client)
            time.sleep(0.2)
    assert capsys.readouterr() == ("", "")


def test_a_cluster_with_another_version_is_refused_in_one_line(cluster: Any) -> None:
    from ray._common.usage import usage_constants

    client = cluster.head_node.get_gcs_client()
    where = {"key": usage_constants.CLUSTER_METADATA_KEY, "namespace": b"cluster"}
    true = client.internal_kv_get(where["key"], namespace=where["namespace"])
    client.internal_kv_put(where["key"], true.replace(ray.__version__.encode(), b"2.7.1"), True, where["namespace"])
    try:
        with pytest.raises(PevaError, match=r"has Ray 2\.7\.1 on .* this is Ray .*; install the same"):
            ray_cluster(cluster.address).__enter__()
    finally:
        client.internal_kv_put(where["key"], true, True, where["namespace"])
    assert not ray.is_initialized()


def ours_of_ray() -> set[int]:
    """Return the processes of Ray below this one; not the guard of temporary folders, which lives as long as we do."""
    processes = {child.pid: command_of(child) for child in psutil.Process().children(recursive=True)}
    return {pid for pid, command in processes.items() if "ray" in command}


def test_ray_that_is_started_here_listens_on_loopback_only_and_ends() -> None:
    before = ours_of_ray()
    with ray_cluster() as started:
        assert started.get(started.remote(square).remote(3))[0] == 9
        pids = ours_of_ray() - before
        assert addresses_listened(sorted(pids)) == {"127.0.0.1"}
    assert wait_until(lambda: all(map(is_gone, pids)))


def test_workers_of_ray_that_is_started_here_have_the_priority_of_this_process() -> None:
    with ray_cluster() as started:
        assert started.get(started.remote(lambda: os.nice(0)).remote()) == os.nice(0)


def test_ray_that_is_started_here_wants_a_token() -> None:
    stranger = """
import os, sys
os.environ.update(RAY_AUTH_MODE=sys.argv[2], RAY_AUTH_TOKEN="0" * 64)
from peva_env.errors import PevaError
from peva_env.system import ray_cluster
try:
    ray_cluster(sys.argv[1]).__enter__()
except PevaError as error:
    sys.exit(str(error))
"""
    with ray_cluster() as started:
        address = started.get_runtime_context().gcs_address
        for mode, advice in (
            ("token", "is RAY_AUTH_TOKEN the one of its head?"),
            ("disabled", "set RAY_AUTH_MODE=token, and its head's token"),
        ):
            command = [sys.executable, "-c", stranger, address, mode]
            tried = subprocess.run(command, capture_output=True, text=True, timeout=100)
            assert tried.returncode == 1
            assert "the cluster does not take this process" in tried.stderr
            assert advice in tried.stderr
            assert tried.stderr.count("\n") == 1  # nothing of Ray's own


def test_nothing_is_reported(cluster: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RAY_USAGE_STATS_ENABLED")
    with ray_cluster(cluster.address):
        assert os.environ["RAY_USAGE_STATS_ENABLED"] == "0"


def test_an_address_without_an_answer_is_one_line() -> None:
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{deaf.getsockname()[1]}"
        with pytest.raises(PevaError, match=rf"--ray {address}: no Ray answers there \(.*refused\); start it"):
            ray_cluster(address).__enter__()


def test_another_server_is_not_taken_for_ray() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(PevaError, match="no Ray answers there"):
            ray_cluster(address, answer_s=0.2).__enter__()


@pytest.mark.parametrize("address", ["nonsense", "127.0.0.1", ":6379", "127.0.0.1:0", "ray://127.0.0.1:6379", "a:b"])
def test_a_malformed_address_is_named(address: str) -> None:
    with pytest.raises(ConfigError, match=r"must be auto, local or HOST:PORT"):
        ray_cluster(address).__enter__()


def test_without_ray_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(ConfigError, match=re.escape(f"which is not installed: {install_text('ray')}")):
        ray_cluster().__enter__()


_RAYLET_WITH_A_WORKER = """
import os, subprocess, sys, time
os.environ["RAY_RAYLET_PID"] = str(os.getpid())
code = "import time; from peva_env.system import end_with_raylet as end; end(); print(1, flush=True); time.sleep(60)"
worker = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
worker.stdout.readline()
print(worker.pid, flush=True)
time.sleep(60)
"""


def test_a_worker_ends_with_a_raylet_that_is_left_as_a_zombie() -> None:
    with subprocess.Popen([sys.executable, "-c", _RAYLET_WITH_A_WORKER], stdout=subprocess.PIPE, text=True) as raylet:
        assert raylet.stdout is not None
        worker = psutil.Process(int(raylet.stdout.readline()))
        raylet.kill()
        assert wait_until(lambda: psutil.Process(raylet.pid).status() == psutil.STATUS_ZOMBIE)
        assert wait_until(lambda: is_gone(worker), timeout_s=20)
