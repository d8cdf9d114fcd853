"""The whole chain for real: k6, a function, a node exporter and Prometheus; only the gateway is a stand-in."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import yaml

from peva_env.config import parse_config
from peva_env.platforms.local import LocalNode
from tests.support.forkserver import peva
from tests.support.gateway import Served, StandIn
from tests.support.gateway import serving as serving_gateway
from tests.support.prometheus_server import Server, free_port, real_prometheus

pytestmark = [pytest.mark.live, pytest.mark.prometheus]

LIMIT_S = 120
COMMAND = "from peva_env_command import main; main()"
WITHOUT = (
    "metrics: no data so far of ram_usage_function of quick, cpu_usage_function of quick; runs are valid without\n"
)
"""What a campaign says first: nothing here tells of containers."""


def campaign(gateway: StandIn, prometheus: str, **settings: Any) -> dict[str, Any]:
    """Return a campaign of one run; the node is this whole machine, whose use the tests cannot know.

    Its first look at the node sets what counts as idle, so that other tests may run meanwhile.
    """
    return {
        "platform": "openfaas",
        "gateway_url": gateway.url,
        "prometheus_url": prometheus,
        "functions": [{"name": "quick"}],
        "rate_strategy": {"type": "custom", "rates": [20]},
        "duration": "3s",
        "cooldown": {"max_wait_seconds": 30, "sleep_step_seconds": 1},
        "timeout": "1s",
        "iterations": 1,
        "max_invalid_retries": 0,
        "overload": {"cpu_overload_pct_of_capacity": 100, "ram_overload_pct": 100},
        **settings,
    }


def run(config: dict[str, Any]) -> tuple[int, str]:
    """Run a campaign; return exit code and standard error."""
    Path("peva.yml").write_text(yaml.safe_dump(config))
    ended = peva("run", "--config", "peva.yml")
    return ended.returncode, ended.stderr


def start(config: dict[str, Any]) -> subprocess.Popen[str]:
    Path("peva.yml").write_text(yaml.safe_dump(config))
    command = [sys.executable, "-c", COMMAND, "run", "--config", "peva.yml"]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def finish(process: subprocess.Popen[str]) -> tuple[int, str]:
    """Return exit code and standard error."""
    try:
        _, errors = process.communicate(timeout=LIMIT_S)
    finally:
        process.kill()
    return process.returncode, errors


def last_event(output_dir: str) -> dict[str, Any]:
    event: dict[str, Any] = json.loads((Path(output_dir) / "events.jsonl").read_text().splitlines()[-1])
    return event


@pytest.fixture
def gateway(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A gateway before a real function; the working directory is the test's own."""
    monkeypatch.chdir(tmp_path)
    Path("quick.py").write_text("def handle(request): return 'ok'\n")
    config = parse_config({"functions": [{"name": "quick", "source": "quick.py:handle", "concurrency": 50}]})
    served = Served("quick", replicas=2, available=2)
    with LocalNode(config.functions) as node:
        served.upstream = node.url("quick")
        with serving_gateway(StandIn([served])) as gateway:
            yield gateway


def test_prometheus_measures_the_node_and_its_death_makes_a_run_invalid(gateway: StandIn, tmp_path: Path) -> None:
    with real_prometheus(tmp_path, [], history_s=3) as server:
        measured(gateway, server)
        dies(gateway, server)


def measured(gateway: StandIn, server: Server) -> None:
    code, errors = run(campaign(gateway, server.url, output_dir="measured"))
    assert (code, errors) == (0, WITHOUT)
    event = last_event("measured")
    assert event["verdict"] == "OK"
    assert 0 < event["node"]["cpu_pct"] <= 100
    assert 0 < event["node"]["ram_pct"] < 100
    assert event["node"]["idle_cpu_pct"] is not None
    (function,) = event["functions"]
    assert (function["offered"], function["replicas"]) == (function["succeeded"], 2)
    assert function["cpu_pct"] is None  # nothing here tells of containers, and that is not zero


def dies(gateway: StandIn, server: Server) -> None:
    calls = gateway.functions[0].calls
    already = len(calls)
    process = start(campaign(gateway, server.url, output_dir="dies"))
    # The first call is to see whether all is well, the second one is the load's.
    while len(calls) < already + 2 and process.poll() is None:
        time.sleep(0.02)
    os.kill(server.pid, signal.SIGKILL)
    code, errors = finish(process)
    assert code == 1
    assert errors.startswith(WITHOUT)
    assert errors.count("\n") == 2
    assert "quick 20 rps: 1 run(s) in a row measured nothing: Prometheus at http://127.0.0.1:" in errors
    event = last_event("dies")
    assert event["verdict"] == "INVALID"
    assert event["functions"][0]["succeeded"] > 0  # what k6 counted is kept


def test_a_prometheus_that_is_not_there_is_told_before_any_load(gateway: StandIn) -> None:
    code, errors = run(campaign(gateway, f"http://127.0.0.1:{free_port()}"))
    assert code == 1
    assert errors.count("\n") == 1
    assert "is it running" in errors
    assert not Path("peva-results").exists() or not list(Path("peva-results").glob("events.jsonl"))
