"""Whole campaigns through a stand-in gateway: the real command line, the real k6, a real function behind it."""

import base64
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import duckdb
import pytest
import yaml

pytest.importorskip("functions_framework")

from peva_env.campaign import factories as parts
from peva_env.config import parse_config
from peva_env.errors import PlatformError
from peva_env.make import make_live_env
from peva_env.platforms.local import LocalNode
from peva_env.sources.k6 import K6, FunctionLoad
from tests.support.gateway import Calm, Served, StandIn, serving, throw_away_ca

pytestmark = pytest.mark.live

PASSWORD = "open-sesame-4711"  # noqa: S105 - of a stand-in
MARKER = "written-down-on-purpose"
LIMIT_S = 120

RUN = """
import sys
from peva_env.cli import commands as cli
from peva_env.campaign import factories as parts
from tests.support.gateway import Calm
parts.make_metrics = lambda config: Calm()
sys.argv[0] = "peva-env"
cli.main()
"""
"""The command line with metrics that are always calm."""


@pytest.fixture(autouse=True)
def _cwd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.fixture(scope="module")
def upstream(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Serve a real function; return where."""
    code = tmp_path_factory.mktemp("function") / "quick.py"
    code.write_text("def handle(request): return 'ok'\n")
    config = parse_config({"functions": [{"name": "quick", "source": f"{code}:handle", "concurrency": 50}]})
    with LocalNode(config.functions) as node:
        yield node.url("quick")


def campaign(gateway: StandIn, *rates: int, **settings: Any) -> dict[str, Any]:
    return {
        "platform": "openfaas",
        "gateway_url": gateway.url,
        "functions": [{"name": "quick", "method": "POST", "body": MARKER}],
        "rate_strategy": {"type": "custom", "rates": list(rates)},
        "duration": "1s",
        "timeout": "1s",
        "iterations": 1,
        "overload": {"success_rate_function_min": 0.8, "success_rate_node_min": 0.8},  # five requests decide these
        "cooldown": {"max_wait_seconds": 5, "sleep_step_seconds": 0.1},
        **settings,
    }


def start(config: dict[str, Any]) -> subprocess.Popen[str]:
    Path("peva.yml").write_text(yaml.safe_dump(config))
    command = [sys.executable, "-c", RUN, "run", "--config", "peva.yml"]
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[3])}
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)


def finish(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    """Return exit code, standard output and standard error."""
    try:
        output, errors = process.communicate(timeout=LIMIT_S)
    finally:
        process.kill()
    return process.returncode, output, errors


def events() -> list[dict[str, Any]]:
    return [json.loads(line) for line in Path("peva-results/events.jsonl").read_text().splitlines()]


def everything_written(folder: Path) -> Mapping[str, str]:
    """Return each file's bytes as text; of database and Parquet files, which compress, their values as well."""
    written = {}
    for path in folder.rglob("*"):
        if path.is_file():
            written[str(path.relative_to(folder))] = path.read_bytes().decode("latin-1")
    with duckdb.connect(str(folder / "peva-results" / "peva_faas.duckdb")) as memory:
        tables = [name for (name,) in memory.execute("SELECT table_name FROM duckdb_tables()").fetchall()]
        for table in [*tables, *(f"'{name}'" for name in written if name.endswith(".parquet"))]:
            written[f"values of {table}"] = str(memory.execute(f"SELECT * FROM {table}").fetchall())  # noqa: S608
    return written


def test_a_campaign_writes_the_password_nowhere(upstream: str, tmp_path: Path) -> None:
    Path("secrets").mkdir()
    Path("secrets/gateway").write_text(f"{PASSWORD}\n")
    with serving(StandIn([Served("quick", upstream=upstream, replicas=2, available=2)], password=PASSWORD)) as gateway:
        code, output, errors = finish(
            start(
                campaign(
                    gateway,
                    10,
                    20,
                    openfaas={"password_file": "secrets/gateway"},
                    memory={"export_core_parquet_dir": "core", "export_raw_debug_parquet_dir": "debug"},
                    k6_outputs=["json=samples.json"],
                )
            )
        )
    assert (code, errors) == (0, "")
    assert "complete: 2 configurations measured, 0 inferred, 0 unknown" in output
    assert [event["functions"][0]["replicas"] for event in events()] == [2, 2]
    assert not [one for one in gateway.asked if one.startswith("POST /system")]  # nothing was scaled

    shutil.rmtree("secrets")
    written = {**everything_written(tmp_path), "stdout": output, "stderr": errors}
    assert {"debug/k6_raw_summaries.parquet", "peva-results/peva_faas.duckdb"} <= written.keys()
    assert len([name for name in written if name.startswith("samples") and name.endswith(".json")]) == 2
    # What was written on purpose is found, in the memory and in its exports; so would the password be.
    for name in ("values of run_sessions", "values of 'core/run_sessions.parquet'"):
        assert MARKER in written[name]
    token = base64.b64encode(f"admin:{PASSWORD}".encode()).decode()
    assert [name for name, text in written.items() if PASSWORD in text or token in text] == []


def test_a_gateway_that_dies_during_a_run_makes_it_invalid_and_says_so(upstream: str) -> None:
    with serving(StandIn([Served("quick", upstream=upstream)])) as gateway:
        process = start(campaign(gateway, 20, duration="4s", max_invalid_retries=0))
        # The first call is to see whether all is well, the second one is the load's.
        while len(gateway.functions[0].calls) < 2 and process.poll() is None:
            time.sleep(0.02)
    code, _, errors = finish(process)
    assert code == 1
    (line,) = errors.splitlines()
    assert "quick 20 rps: 1 run(s) in a row measured nothing" in line
    assert "refuses connections" in line
    assert [event["verdict"] for event in events()] == ["INVALID"]


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere k6 trusts the system's own store alone")
def test_a_campaign_over_https_trusts_the_ca_it_was_given(
    upstream: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, certificate = throw_away_ca(tmp_path)
    monkeypatch.setattr(parts, "make_metrics", lambda config: Calm())
    with serving(StandIn([Served("quick", upstream=upstream)]), tls=certificate) as gateway:
        assert gateway.url.startswith("https://")
        distrusted = make_live_env(campaign(gateway, 20))
        with pytest.raises(PlatformError, match="certificate that is not trusted"):
            distrusted.reset()
        distrusted.close()
        env = make_live_env(campaign(gateway, 20, openfaas={"ca_file": "ca.pem"}))
        env.reset(seed=1)
        *_, info = env.step(0)
        env.close()
        assert (info["verdict"], info["reasons"]) == ("OK", [])

        load = FunctionLoad("quick", 10, f"{gateway.url}/function/quick")
        (refused,) = K6(timeout_s=1).run([load], duration_s=1).functions
        assert refused.failed == {"connection_tls": refused.sent}  # so it was the file that made k6 trust
