"""Whole campaigns on plain HTTP services: real k6, the real command line."""

import json
import threading
import time
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.campaigns import EVENTS, MEMORY, query
from tests.support.forkserver import Ended, peva
from tests.support.gateway import throw_away_ca
from tests.support.services import Service, serving

pytestmark = pytest.mark.live


@pytest.fixture(autouse=True)
def _cwd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def run(service: Service, *, function: dict[str, Any] | None = None, **settings: Any) -> Ended:
    config = {
        "platform": "http",
        "functions": [{"name": "app", "url": f"{service.url}/", **(function or {})}],
        "rate_strategy": {"type": "custom", "rates": [20, 40]},
        "duration": "1s",
        "timeout": "1s",
        "iterations": 1,
        "overload": {"success_rate_function_min": 0.8, "success_rate_node_min": 0.8},
        "cooldown": {"max_wait_seconds": 5, "sleep_step_seconds": 0.1},
        **settings,
    }
    Path("peva.yml").write_text(yaml.safe_dump(config))
    return peva("run", "--config", "peva.yml", TOKEN="s3cr3t")  # noqa: S106 - nobody's


@pytest.mark.alone
def test_a_service_is_measured_and_another_objective_is_answered_without_load() -> None:
    with serving(Service(delay_s=0.03)) as service:
        ended = run(
            service,
            function={"headers_env": {"Authorization": "TOKEN"}},
            rate_strategy={"type": "custom", "rates": [40]},
            max_invalid_retries=20,
        )
        n_requests = len(service.requests)
    asked = peva("ask", "app=40", "--rule", "p95_ms_max=20")

    assert (ended.returncode, ended.stderr.count("\n")) == (0, 1), ended.stderr
    assert "nothing measures CPU and RAM (no prometheus_url); there is no rule on them" in ended.stderr
    assert "complete: 1 configurations measured, 0 inferred, 0 unknown" in ended.stdout
    assert {headers["authorization"] for _, headers in service.requests} == {"s3cr3t"}
    assert asked.stdout.startswith("app 40: OVERLOADED, measured"), asked.stderr
    assert "note: no rule on CPU and RAM" in asked.stdout
    assert len(service.requests) == n_requests
    written = b"".join(path.read_bytes() for path in Path().rglob("*") if path.is_file())
    assert b"s3cr3t" not in written


def test_https_with_a_ca_of_ones_own(tmp_path: Path) -> None:
    ca, files = throw_away_ca(tmp_path)
    with serving(Service(), tls=files) as service:
        ended = run(service, http={"ca_file": str(ca)})

    assert ended.returncode == 0, ended.stderr
    assert query("SELECT DISTINCT verdict FROM execution_events") == [("OK",)]


def test_a_service_that_dies_during_a_run_is_not_overloaded() -> None:
    with serving(Service()) as service:
        done = threading.Event()

        def stop_after_ten_requests() -> None:
            while len(service.requests) < 10:
                time.sleep(0.01)
            done.set()

        watching = threading.Thread(target=stop_after_ten_requests)
        watching.start()
        ending = threading.Thread(target=lambda: results.append(run(service, max_invalid_retries=0)))
        results: list[Ended] = []
        ending.start()
        assert done.wait(30)
    ending.join()
    watching.join()
    (ended,) = results
    assert ended.returncode == 1
    assert "refuses connections" in ended.stderr
    assert {json.loads(line)["verdict"] for line in EVENTS.read_text().splitlines()} == {"INVALID"}
    assert MEMORY.exists()


def test_doctor_calls_each_service() -> None:
    with serving(Service()) as service:
        functions = [{"name": "good", "url": f"{service.url}/"}, {"name": "bad", "url": f"{service.url}/?x=1"}]
        Path("peva.yml").write_text(yaml.safe_dump({"platform": "http", "functions": functions}))
        service.status = 200
        fine = peva("doctor", "--config", "peva.yml")
        service.status = 404
        broken = peva("doctor", "--config", "peva.yml")

    assert fine.returncode == 0, fine.stdout
    assert f"ok     function good: answers at {service.url}/" in fine.stdout
    assert broken.returncode == 1
    assert "FAILED function bad:" in broken.stdout
