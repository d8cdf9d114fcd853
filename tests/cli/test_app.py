"""The command line as its users meet it: processes of their own. Nothing here sends load."""

import json
import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from typer.testing import CliRunner

from peva_env.cli import commands as cli
from peva_env.config import load_config
from peva_env.errors import ConfigError
from peva_env.make import SAMPLE_CONFIG
from peva_env.system import command_text
from tests.support.builders import event, full, small_disk
from tests.support.commands import complaint, files
from tests.support.forkserver import peva
from tests.support.maps import remember
from tests.support.processes import busy
from tests.support.refusals import SMALL, needs_node, write


@pytest.fixture(autouse=True)
def _cwd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("PEVA_ENV_K6", raising=False)


COMMANDS = ["run", "scout", "plan", "doctor", "init", "config", "export", "memory", "train", "arena", "ask", "diff"]


CHECKS = [f"{name}:" for name in ("k6", "node", "policy", "output_dir", "memory", "load", "machine")]


@pytest.mark.parametrize("args", [[], *[[command] for command in COMMANDS]], ids=lambda args: " ".join(args))
def test_every_command_explains_itself(args: list[str]) -> None:
    ended = peva(*args, "--help")
    assert (ended.returncode, ended.stderr) == (0, "")
    assert "Usage: peva-env" in ended.stdout
    assert args or all(command in ended.stdout for command in COMMANDS)


def test_the_version_is_that_of_the_package() -> None:
    assert peva("--version").stdout == f"peva-env {__import__('peva_env').__version__}\n"


def test_without_a_command_there_is_help_not_a_campaign() -> None:
    assert "Usage: peva-env" in peva().stdout
    assert not files()


def test_what_init_writes_is_the_quick_start_at_rates_that_a_scouting_finds() -> None:
    written, command = peva("init"), command_text("run", "--config", "peva.yml", extra="local")
    header = Path("peva.yml").read_text().splitlines()[:2]
    assert header[1].startswith("# `peva-env run --config FILE` runs it, after a scouting of a few minutes that finds")
    assert "without --config" not in "".join(header)
    assert (written.returncode, written.stdout) == (0, f"wrote peva.yml; now: {command}\n")
    planned, quick_start = peva("run", "-c", "peva.yml", "--dry-run"), peva("run", "--dry-run")
    assert planned.returncode == quick_start.returncode == 0
    assert "configurations of 1 to 2 functions" in quick_start.stdout
    assert "fetch: 12 rates, found by a scouting before the first run" in planned.stdout
    assert "168 configurations of 1 to 2 functions" in planned.stdout
    written_keys, quick_keys = (load_config(path).model_dump() for path in (Path("peva.yml"), SAMPLE_CONFIG))
    assert {key for key in quick_keys if written_keys[key] != quick_keys[key]} == {"rate_strategy"}
    assert files() == {Path.cwd() / "peva.yml"}  # a dry run writes nothing


@pytest.mark.parametrize(
    ("of_function", "problem"),
    [
        ("source: none.py:f", "function 'mine': its source file"),
        (
            "source: fine.py:f, headers_env: {Authorization: NOT_SET}",
            "headers_env.Authorization = 'NOT_SET': there is no",
        ),
    ],
)
def test_a_dry_run_finds_code_and_secrets_of_functions(tmp_path: Path, of_function: str, problem: str) -> None:
    Path("fine.py").write_text("def f(request): return 'ok'\n")
    path = tmp_path / "peva.yml"
    path.write_text(f"functions: [{{name: mine, {of_function}}}]\n")
    tried = peva("run", "--dry-run", "--config", str(path))
    assert tried.returncode == 1
    (failed,) = (line for line in tried.stdout.splitlines() if line.startswith("FAILED"))
    assert problem in failed


def test_a_dry_run_checks_what_the_run_would_check_and_starts_no_node(tmp_path: Path) -> None:
    shown = peva("run", "--dry-run", "--agent", "bisection", "--refine", "10%").stdout.splitlines()
    assert {"then finer rates along the frontier, until each limit is known to 10%"} <= set(shown)
    assert [line.split()[1] for line in shown if line.startswith(("ok ", "WARNS "))] == CHECKS
    path = tmp_path / "bad.yml"
    path.write_text("functions: [{name: fetch}]\nk6_path: /nowhere/k6\nmemory: {db_path: notes.txt}\n")
    Path("notes.txt").write_text("mine")
    failed = peva("run", "--dry-run", "--config", str(path))
    assert failed.returncode == 1
    assert [line.split()[1] for line in failed.stdout.splitlines() if line.startswith("FAILED")] == ["k6:", "memory:"]
    for wrong in (["--agent", "none-such"], ["--refine", "0%"], ["--budget-seconds", "inf"]):
        assert complaint(peva("run", "--dry-run", *wrong), 2) == complaint(peva("run", *wrong), 2)
    assert not Path("peva-results").exists()


def test_init_never_overwrites() -> None:
    mine = write("mine: 1\n")
    assert complaint(peva("init", mine), 2) == "peva-env: peva.yml is there already; give another name"
    assert Path(mine).read_text() == "mine: 1\n"


def test_init_writes_to_a_file() -> None:
    assert "not to the standard output; give a file name" in complaint(peva("init", "-"), 2)
    assert not Path("-").exists()


def test_init_says_where_it_cannot_write() -> None:
    assert "nowhere/peva.yml: cannot be written" in complaint(peva("init", "nowhere/peva.yml"), 1)


def test_init_leaves_no_part_of_a_file_on_a_full_disk(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk") as disk:
        with full(disk):
            assert "No space left on device" in complaint(peva("init", str(disk / "peva.yml")), 1)
        assert list(disk.iterdir()) == []
        assert peva("init", str(disk / "peva.yml")).returncode == 0


def test_a_full_disk_is_named_with_the_file(tmp_path: Path) -> None:
    memory = str(remember(tmp_path / "m.duckdb", [event()]))
    with small_disk(tmp_path / "disk") as disk, full(disk):
        line = complaint(peva("memory", "export", memory, "--core", str(disk / "core")), 1)
    assert line.endswith("No space left on device")
    assert "exception" not in line


def test_every_key_of_the_sample_is_a_key_also_where_it_is_commented_out() -> None:
    peva("init")
    text = Path("peva.yml").read_text()
    for section in ("overload", "memory", "openfaas"):  # as an editor would: take the comment sign off the whole block
        start = text.index(f"# {section}:")
        block = text[start : text.index("\n\n", start)]
        text = text.replace(block, "\n".join(line.removeprefix("# ") for line in block.splitlines()))
    shown = peva("config", "-c", write(text, "all.yml"))
    assert (shown.returncode, shown.stderr) == (0, "")
    assert json.loads(shown.stdout)["memory"]["export_core_parquet_dir"] == "exports/core"


def test_the_schema_is_json_and_describes_every_key() -> None:
    schema = json.loads(peva("config", "--schema").stdout)
    assert {"functions", "rate_strategy", "memory", "algorithm_entrypoint"} <= schema["properties"].keys()


def test_config_shows_every_default() -> None:
    shown = json.loads(peva("config", "-c", write({"duration": "2s"})).stdout)
    assert (shown["duration"], shown["iterations"], shown["selection_mode"]) == ("2s", 3, "online")
    assert shown["rate_strategy"] == {"type": "linear", "min_rate": 0, "max_rate": 200, "step": 10}
    assert shown["memory"]["db_path"].endswith("peva_faas.duckdb")
    assert shown["overload"]["cpu_overload_pct_of_capacity"] == 80


def test_plan_counts_configurations_and_quotes_hours() -> None:
    functions = [{"name": "fetch"}, {"name": "primes"}, {"name": "checkout", "max_rate": 10}]
    rates = {"type": "linear", "min_rate": 10, "max_rate": 30, "step": 10}
    config = {"functions": functions, "rate_strategy": rates, "combinations": {"max_functions": 3}}
    shown = peva("plan", "-c", write(config | {"duration": "1m", "iterations": 2})).stdout
    # alone 3 + 3 + 1, pairs 3 x 3 + 3 x 1 + 3 x 1
    assert "22 configurations of 1 to 2 functions x 2 iterations = 44 runs of 1m" in shown
    assert ["load", "0.73", "h", "(44m", "00s)"] in [line.split() for line in shown.splitlines()]
    assert "first: checkout 10, fetch 10, fetch 20, fetch 30, primes 10, ..." in shown
    assert not files() - {Path.cwd() / "peva.yml"}


def test_plan_of_an_astronomic_space_is_instant() -> None:
    functions = [{"name": f"f{i:02}", "source": "f.py:f"} for i in range(20)]
    config = write({"functions": functions, "combinations": {"min_functions": 20, "max_functions": 21}})
    ended = peva("plan", "--config", config)
    assert ended.returncode == 0
    assert f"{21**20:,} configurations of 20 to 20 functions" in ended.stdout
    assert "years" in ended.stdout


def test_doctor_finds_a_healthy_machine_healthy() -> None:
    needs_node()
    ended = peva("doctor", "-c", write(SMALL))
    assert (ended.returncode, ended.stderr) == (0, "")
    found = [line.split()[:2] for line in ended.stdout.splitlines()]
    assert [name for _, name in found] == CHECKS
    assert {mark for mark, _ in found[:-1]} == {"ok"}
    assert found[-1][0] in ("ok", "WARNS")  # other tests may keep the machine busy
    assert files() == {Path.cwd() / "peva.yml"}


@pytest.mark.live
def test_other_work_on_the_machine_is_told_before_a_campaign_and_by_the_doctor() -> None:
    needs_node()
    with busy((os.cpu_count() or 1) // 4 + 1):
        doctor = peva("doctor", "-c", write(SMALL))
        run = peva("run", "-c", write(SMALL), "--budget-runs", "1")
    assert "machine: is not idle: its programs use " in doctor.stdout
    assert run.stdout.startswith("this machine is not idle: its programs use ")


def test_run_warns_of_what_the_doctor_finds_in_the_plan() -> None:
    heavy = write(SMALL | {"rate_strategy": {"type": "custom", "rates": [100_000]}})
    doctor, run, plan = peva("doctor", "-c", heavy), peva("run", "-c", heavy, "--dry-run"), peva("plan", "-c", heavy)
    (warning,) = (line for line in doctor.stdout.splitlines() if line.startswith("WARNS  load"))
    assert "k6's own CPU load distorts the verdicts" in warning
    problem = warning.removeprefix("WARNS  load: ")
    assert f"peva-env: warning: {problem}" in plan.stderr.splitlines()
    assert (run.returncode, run.stderr) == (0, "")  # the run would begin all the same, and a dry run says it once
    assert warning in run.stdout.splitlines()


def test_doctor_says_what_to_do_about_each_failure() -> None:
    needs_node()
    Path("file").write_text("")
    Path("memory").write_text("no database")
    config = SMALL | {
        "functions": [{"name": "nope"}],
        "k6_path": "/nowhere/k6",
        "algorithm_entrypoint": "nowhere:Policy",
        "output_dir": "file/results",
        "memory": {"db_path": "memory"},
        "rate_strategy": {"type": "custom", "rates": [100_000]},
    }
    ended = peva("doctor", "-c", write(config))
    assert (ended.returncode, ended.stderr) == (1, "")
    lines = ended.stdout.splitlines()
    failures = dict(line.removeprefix("FAILED ").split(": ", 1) for line in lines if line.startswith("FAILED"))
    expected = {
        "k6": "k6_path = '/nowhere/k6'",
        "node": "set 'source'",
        "policy": "there is no module 'nowhere'",
        "output_dir": "choose another path",
        "memory": "choose another db_path",
    }
    assert failures.keys() == expected.keys()
    for name, remedy in expected.items():
        assert remedy in failures[name]


@pytest.mark.parametrize(
    ("path", "problem"),
    [
        ("x.wal", "memory x.wal: DuckDB gives such a name to its logs; choose another db_path"),
        ("link", "memory link: DuckDB gives such a name to its logs; choose another db_path"),
        ("lost", "memory lost: there is only its log, lost.wal, which can hold runs; put the memory back"),
    ],
)
def test_a_memory_that_no_run_can_begin_is_no_memory_that_will_be_made(path: str, problem: str) -> None:
    needs_node()
    Path("link").symlink_to("y.wal")
    Path("lost.wal").write_text("runs")
    config, before = write(SMALL | {"memory": {"db_path": path}}), files()
    run, dry = peva("run", "-c", config, "--budget-runs", "1"), peva("run", "-c", config, "--dry-run")
    doctor = peva("doctor", "-c", config)
    assert problem in run.stderr
    for ended in (dry, doctor):
        assert ended.returncode == 1
        assert f"FAILED memory: {problem}" in ended.stdout
        assert "will be made" not in ended.stdout
    assert files() == {*before, Path.cwd() / "peva.yml"}


PEVA_FAAS = """
common:
  duration: 30s
  iterations: 3
  k3s_host: 10.0.0.1
  k3s_user: admin
  k6_host: 10.0.0.2
  k6_tags: {environment: lab}
  grafana: {enabled: true, url: "http://10.0.0.3:3000"}
plugins:
  peva_faas:
    functions:
      - {name: figlet, method: POST, body: hello, headers: {Content-Type: text/plain}, max_rate: 90}
      - {name: env, method: GET}
    rates: {min_rate: 0, max_rate: 200, step: 10}
    combinations: {min_functions: 1, max_functions: 3}
    cooldown: {max_wait_seconds: 180, sleep_step_seconds: 5, idle_threshold_pct: 15}
    overload: {cpu_overload_pct_of_capacity: 80, ram_overload_pct: 90}
    gateway_url: http://10.0.0.1:31112
    prometheus_url: http://10.0.0.1:30411
    queries_path: queries.yml
    memory: {backend: duckdb, db_path: old.duckdb, schema_version: peva_faas_mem_v1}
"""


def test_a_peva_faas_file_loads_with_one_warning_that_lists_what_means_nothing() -> None:
    shown = peva("config", "-c", write(PEVA_FAAS))
    assert shown.returncode == 0
    ignored, migrated = sorted(shown.stderr.splitlines(), key=lambda line: "deprecated" in line)
    assert ignored.startswith("peva-env: warning: peva.yml: ")
    assert ignored.endswith("mean nothing here: grafana, k3s_user, k6_host")
    assert "rates" in migrated
    settings = json.loads(shown.stdout)
    assert [function["name"] for function in settings["functions"]] == ["figlet", "env"]
    assert settings["rate_strategy"] == {"type": "linear", "min_rate": 0, "max_rate": 200, "step": 10}
    assert settings["memory"]["db_path"] == "old.duckdb"
    assert settings["k6_tags"] == {"environment": "lab"}
    assert settings["platform"] == "openfaas"
    assert settings["queries_path"] == "queries.yml"


def test_the_plan_of_a_peva_faas_file_is_the_same() -> None:
    # figlet is capped at 90: 10 rates, env has 21; alone 31, together 210.
    assert "241 configurations of 1 to 2 functions x 3 iterations" in peva("plan", "-c", write(PEVA_FAAS)).stdout


@pytest.mark.parametrize(
    ("wanted", "config", "option", "expected"),
    [
        (None, {}, [], "one_sided"),
        ("within_sets", {}, [], "within_sets"),
        ("within_sets", {"dominance": "one_sided"}, [], "one_sided"),
        ("within_sets", {"dominance": "one_sided"}, ["--dominance", "two_sided"], "two_sided"),
    ],
)
def test_verdicts_are_inferred_as_the_option_the_file_or_else_the_agent_says(
    monkeypatch: pytest.MonkeyPatch, wanted: str | None, config: dict[str, Any], option: list[str], expected: str
) -> None:
    agent = SimpleNamespace(dominance=wanted) if wanted else SimpleNamespace()
    asked: list[str] = []

    def make(_: str, *, config: dict[str, Any], **others: Any) -> None:
        asked.append(config["dominance"])
        raise ConfigError("enough seen")

    monkeypatch.setattr("peva_env.cli.run.agent_factory", lambda name: lambda settings: agent)
    monkeypatch.setattr("gymnasium.make", make)
    monkeypatch.setattr("peva_env.cli.run.FirstInterrupt", lambda: None)
    ended = CliRunner().invoke(cli.app, ["run", "--config", write(SMALL | config), *option])
    assert str(ended.exception) == "enough seen"
    assert asked == [expected]
