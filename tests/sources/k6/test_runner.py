"""k6 without load: finding it, asking it, reading what it leaves, and its ways to fail, played by small scripts."""

import importlib.metadata
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from peva_env.contracts import FunctionMeasurement
from peva_env.errors import ConfigError, LoadGeneratorError
from peva_env.sources.k6 import runner as k6_module
from peva_env.sources.k6.binary import find_k6, k6_version
from peva_env.sources.k6.execution import Execution
from peva_env.sources.k6.job import Job
from peva_env.sources.k6.plan import FAILURE_KINDS, FunctionLoad, k6_options, k6_requests, virtual_users
from peva_env.sources.k6.runner import K6
from peva_env.sources.k6.settings import K6Settings
from peva_env.sources.k6.summary import load_started_at, measurements, read_summary
from peva_env.system import install_text
from tests.support.k6 import LOAD, fake_k6, run_fake
from tests.support.processes import is_gone, wait_until

GOLDEN = sorted((Path(__file__).parent / "golden").glob("k6-*-summary.json"))
GOLDEN_LOADS = [
    FunctionLoad("fine", 20, "http://127.0.0.1:8080/delay/0.01"),
    FunctionLoad("failing", 10, "http://127.0.0.1:8080/status/500"),
    FunctionLoad("absent", 0, "http://127.0.0.1:8080/"),
    FunctionLoad("starved", 40, "http://127.0.0.1:8080/hang"),
]
"""What the golden summaries hold: a run of 1 s with a timeout of 0.5 s and 24 virtual users, once with each version."""

# Finding it


def test_the_configured_k6_comes_first_then_the_variable_then_the_path_then_the_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    configured, variable, on_path, package = (fake_k6(tmp_path / name) for name in ("a", "b", "c", "d"))
    monkeypatch.setenv("PEVA_ENV_K6", str(variable))
    monkeypatch.setenv("PATH", str(on_path.parent))
    monkeypatch.setattr(sys, "executable", str(package.with_name("python")))
    assert find_k6(str(configured)) == configured
    assert find_k6() == variable
    monkeypatch.delenv("PEVA_ENV_K6")
    assert find_k6() == on_path
    monkeypatch.setenv("PATH", "")
    assert find_k6() == package


def test_a_missing_k6_says_how_to_get_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PEVA_ENV_K6", raising=False)
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    install = install_text("local")
    monkeypatch.setattr("importlib.metadata.distribution", _no_k6)
    with pytest.raises(LoadGeneratorError, match=re.escape(install) + ".*k6_path or PEVA_ENV_K6"):
        find_k6()


def _no_k6(name: str, found: Callable[[str], Any] = importlib.metadata.distribution) -> Any:
    if name == "k6":
        raise importlib.metadata.PackageNotFoundError(name)
    return found(name)


@pytest.mark.parametrize("setting", ["k6_path", "PEVA_ENV_K6"])
def test_a_k6_that_was_named_is_never_passed_over(
    setting: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = tmp_path / "k6"
    plain.write_text("not executable")
    monkeypatch.setenv("PEVA_ENV_K6", str(plain))
    with pytest.raises(LoadGeneratorError, match=rf"{setting} = '{plain}': is not an executable file"):
        find_k6(str(plain) if setting == "k6_path" else None)


@pytest.mark.parametrize("said", ["k6 v2.3.0 (go1.27, linux/amd64)", "k6 v2.3.0+dirty", "k6.exe v2.3.0"])
def test_the_version_is_what_k6_says(said: str, tmp_path: Path) -> None:
    assert k6_version(fake_k6(tmp_path, version=said)) == "2.3.0"


@pytest.mark.parametrize(
    ("said", "version"),
    [
        (
            "k6-2.2.0 v2.2.1-0.20261104120000-abcdef123456 (go1.25.1, linux/amd64)",
            "2.2.1-0.20261104120000-abcdef123456",
        ),
        ("my k6 v2.3.0-rc1 (commit/0e3fb953be, go1.27, linux/amd64)", "2.3.0-rc1"),
    ],
)
def test_a_k6_of_any_name_has_its_whole_version(said: str, version: str, tmp_path: Path) -> None:
    assert k6_version(fake_k6(tmp_path, version=said)) == version


def test_a_path_is_not_looked_up_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "k6").symlink_to("/bin/true")
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.chdir(tmp_path)
    with pytest.raises(LoadGeneratorError, match=r"k6_path = './k6': is not an executable file"):
        find_k6("./k6")
    assert find_k6("k6") == tmp_path / "bin" / "k6"


@pytest.mark.parametrize(
    ("version", "ignored", "needed"),
    [
        ("2.2.0", "K6_OTEL_EXPORTER_TYPE", "K6_OTEL_EXPORTER_PROTOCOL: http/protobuf"),
        ("1.1.0", "K6_OTEL_EXPORTER_PROTOCOL", "K6_OTEL_EXPORTER_TYPE: http"),
    ],
)
def test_a_variable_that_this_k6_ignores_is_refused(tmp_path: Path, version: str, ignored: str, needed: str) -> None:
    binary = fake_k6(tmp_path, version=f"k6 v{version} (fake)")
    settings = K6Settings(outputs=["opentelemetry"], env={ignored: "http"})
    with pytest.raises(ConfigError, match=needed):
        K6(binary, timeout_s=1, settings=settings)


def test_a_k6_that_is_too_old_is_refused_with_both_versions(tmp_path: Path) -> None:
    with pytest.raises(LoadGeneratorError, match=r"is k6 0\.49\.0, but 0\.57 or newer is needed"):
        K6(fake_k6(tmp_path, version="k6 v0.49.0 (fake)"), timeout_s=1)


def test_something_that_is_not_k6_is_refused_with_what_it_said(tmp_path: Path) -> None:
    with pytest.raises(LoadGeneratorError, match="is not a usable k6: 'k6 version' printed 'hello there'"):
        k6_version(fake_k6(tmp_path, version="hello there"))


def test_a_k6_that_does_not_tell_its_version_in_time_may_do_so_later(tmp_path: Path) -> None:
    binary = tmp_path / "k6"
    binary.write_text("#!/bin/sh\nsleep 60\n")
    binary.chmod(0o755)
    with pytest.raises(LoadGeneratorError, match=r"'k6 version' took more than 0\.2 s") as caught:
        k6_version(binary, limit_s=0.2)
    assert caught.value.is_temporary


def test_a_file_that_cannot_be_run_is_refused(tmp_path: Path) -> None:
    binary = tmp_path / "k6"
    binary.write_bytes(b"\x7fELF no program")
    binary.chmod(0o755)
    with pytest.raises(LoadGeneratorError, match="cannot be run"):
        k6_version(binary)


# Asking it


def test_rates_of_zero_get_neither_scenario_nor_users() -> None:
    options = k6_options(GOLDEN_LOADS, duration_s=2, timeout_s=0.5, max_vus=1000, tags={"run": "1"})
    assert list(options["scenarios"]) == ["f0", "f1", "f3", "pulse"]
    assert options["scenarios"]["f3"]["env"] == {"PEVA_REQUEST": "3", "PEVA_SEGMENT_MS": "250.0"}
    assert not any("f2" in name for name in options["thresholds"])


def test_users_cover_a_timeout_of_every_request_or_share_the_limit() -> None:
    assert virtual_users([100, 0, 7], timeout_s=0.5, max_vus=1000) == [51, 0, 5]
    assert virtual_users([100, 0, 300], timeout_s=5, max_vus=400) == [100, 0, 299]
    assert virtual_users([1, 1000], timeout_s=1, max_vus=2) == [1, 1]


def test_the_load_script_counts_the_kinds_that_are_read() -> None:
    script = Path(k6_module.__file__).with_name("load.js").read_text(encoding="utf-8")
    written = script.replace("status_${status}", "status_404 status_429")
    written = written.replace("status_${Math.floor(status / 100)}xx", "status_3xx status_4xx status_5xx")
    assert all(kind in written for kind in FAILURE_KINDS)


@pytest.mark.parametrize(
    ("values", "problem"),
    [
        ({"rate_rps": -1}, "rate_rps = -1"),
        ({"url": "127.0.0.1:80/x"}, "http:// or https://"),
        ({"url": "file:///etc/passwd"}, "http:// or https://"),
        ({"url": "http://127.0.0.1/ HTTP/1.1\r\nX: y"}, "without blanks"),
        ({"method": "GET /x"}, "not an HTTP method"),
        ({"headers": {"X-A\r\nX-B": "1"}}, "not a valid header name"),
        ({"headers": {"X-A": "1\r\nX-B: 2"}}, "must not hold line breaks"),
        ({"body": "\ud800"}, "valid Unicode"),
    ],
)
def test_what_cannot_be_sent_as_it_stands_is_refused(values: dict[str, Any], problem: str) -> None:
    with pytest.raises(ConfigError, match=problem):
        FunctionLoad(**{"name": "f", "rate_rps": 1, "url": "http://127.0.0.1/", **values})


def test_nothing_of_a_function_becomes_code() -> None:
    hostile = "`${__ENV.HOME}`');throw 1;//</script>"
    load = FunctionLoad(hostile, 1, "http://127.0.0.1/", body=hostile, headers={"x": hostile})
    options = k6_options([load], duration_s=1, timeout_s=1, max_vus=10, tags={})
    assert options["scenarios"]["f0"].pop("tags") == {"function": hostile}  # a value that k6 does not look into
    assert hostile not in json.dumps(options)
    assert k6_requests([load], 1)[0]["body"] == hostile


# Reading what it leaves


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.stem)
def test_the_summaries_of_both_versions_read_alike(path: Path) -> None:
    fine, failing, absent, starved = measurements(GOLDEN_LOADS, read_summary(path), 2.0)
    assert fine.success_rate == 1
    assert fine.failed == {}
    assert fine.mean_ms is not None
    assert fine.p50_ms is not None
    assert fine.p99_ms is not None
    assert 10 < fine.p50_ms <= fine.p99_ms < 50
    assert (failing.success_rate, failing.failed, failing.p95_ms) == (0, {"status_5xx": failing.sent}, None)
    assert absent == FunctionMeasurement("absent", 0, 0, 0, 0, 0, {}, 1.0)
    assert starved.dropped > 0
    assert starved.failed == {"timeout": starved.sent}
    assert 39 <= starved.offered == starved.sent + starved.dropped <= 41


def test_requests_beyond_the_plan_came_late() -> None:
    # 40 requests/s for 1 s, and 41 offered: none is late. In a plan of 0.5 s, half of them are beyond its end.
    assert [one.held_up for one in measurements(GOLDEN_LOADS, read_summary(GOLDEN[-1]), 1.0)] == [0, 0, 0, 0]
    starved = measurements(GOLDEN_LOADS, read_summary(GOLDEN[-1]), 0.5)[3]
    assert starved.held_up == starved.offered - 21 > 15


def test_there_is_a_golden_summary_of_each_version() -> None:
    assert [path.name for path in GOLDEN] == ["k6-0.57.0-summary.json", "k6-1.1.0-summary.json"]


@pytest.mark.parametrize(
    ("metric", "values", "problem"),
    [
        ("http_reqs{scenario:f0}", {"count": 3}, "reports 3 requests"),
        ("http_reqs{scenario:f0}", None, r"a summary without count of http_reqs\{scenario:f0\}"),
        ("iterations{scenario:f0}", {"count": "many"}, "without count of iterations"),
        ("iterations{scenario:f0}", {"count": 0}, "sent no request to 'fine' at 20 rps"),
        ("peva_failures{scenario:f0,kind:timeout}", {"count": 999}, "999 failures"),
    ],
)
def test_requests_that_are_not_accounted_for_are_an_error(metric: str, values: Any, problem: str) -> None:
    summary = read_summary(GOLDEN[-1])
    summary["metrics"][metric] = {"values": values}
    with pytest.raises(LoadGeneratorError, match=problem):
        measurements(GOLDEN_LOADS, summary, 2.0)


def test_a_summary_that_does_not_say_when_the_load_began_is_an_error() -> None:
    assert load_started_at(read_summary(GOLDEN[0])) > 1e9
    with pytest.raises(LoadGeneratorError, match="when the load began"):
        load_started_at({"metrics": {}})


# Its ways to fail


@pytest.mark.parametrize(
    ("code", "meaning"),
    [
        (99, "a threshold failed"),
        (104, "refused its configuration"),
        (105, "interrupted by a signal"),
        (107, "script raised an exception"),
        (108, "aborted the test"),
        (126, "cannot be executed"),
        (127, "is gone"),
        (255, "refused its arguments or an output"),
        (3, "without a known meaning"),
    ],
)
def test_an_exit_code_is_explained_in_words_of_k6(code: int, meaning: str, tmp_path: Path) -> None:
    script = f"""printf '%s\\n' '{{"level":"error","msg":"no such\\n\\tthing"}}' > "$log"; exit {code}"""
    with pytest.raises(LoadGeneratorError, match=rf"exit code {code} \(.*{meaning}\): no such thing$"):
        run_fake(tmp_path, script)


def test_errors_before_there_is_a_log_are_read_from_stderr(tmp_path: Path) -> None:
    with pytest.raises(LoadGeneratorError, match=r'output\): unknown "flag": --x$'):
        run_fake(tmp_path, r"""printf '%s\n' 'time="x" level=error msg="unknown \"flag\": --x"' >&2; exit 255""")


def test_a_killed_k6_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(LoadGeneratorError, match=r"exit code -9.*memory"):
        run_fake(tmp_path, "kill -9 $$")


@pytest.mark.parametrize(
    ("script", "problem"),
    [
        ("exit 0", "wrote no summary"),
        (': > "$summary"', "an empty summary: is there no room left in "),
        ('echo "{" > "$summary"', "not valid JSON"),
        ("echo '[]' > \"$summary\"", "without metrics"),
        ("printf '\\377' > \"$summary\"", "not valid JSON"),
        ('echo \'{"metrics": {}}\' > "$summary"', "a summary without"),
    ],
)
def test_an_end_without_a_proper_summary_is_an_error(script: str, problem: str, tmp_path: Path) -> None:
    with pytest.raises(LoadGeneratorError, match=problem):
        run_fake(tmp_path, script)


def test_an_interrupt_while_k6_has_no_handler_costs_no_summary(tmp_path: Path) -> None:
    script = f"""touch {tmp_path}/ending; sleep 0.3; cp {GOLDEN[0]} "$summary" """
    options = k6_options([LOAD], duration_s=0.1, timeout_s=1, max_vus=1, tags={})
    job = Job(options, [], {}, load_s=0.1, limit_s=5.0, may_abort=False, settings=K6Settings())
    with Execution(fake_k6(tmp_path / "k6", script), job) as execution:
        assert wait_until((tmp_path / "ending").exists)
        execution.interrupt()
        end = execution.end(5.0)
    assert "metrics" in end.summary


def test_a_k6_that_hangs_is_killed_with_all_it_started(tmp_path: Path) -> None:
    script = f"trap '' TERM; sleep 60 & echo $! > {tmp_path}/child; echo $$ > {tmp_path}/parent; wait; sleep 60"
    started = time.monotonic()
    with pytest.raises(LoadGeneratorError, match="did not end within"):
        run_fake(tmp_path, script, wall_margin_s=0.0)
    assert time.monotonic() - started < 50
    pids = [int((tmp_path / name).read_text()) for name in ("child", "parent")]
    assert wait_until(lambda: all(map(is_gone, pids)))


def test_a_check_of_settings_that_is_killed_leaves_neither_process_nor_folder(tmp_path: Path) -> None:
    temporary, pid_file = tmp_path / "temporary", tmp_path / "pid"
    temporary.mkdir()
    k6 = fake_k6(tmp_path / "k6", f"echo $$ > {pid_file}.new; mv {pid_file}.new {pid_file}; sleep 60")
    code = (
        "import sys, pathlib; from peva_env.sources.k6.runner import K6; from peva_env.sources.k6.settings import "
        "K6Settings; K6(pathlib.Path(sys.argv[1]), timeout_s=1.0, settings=K6Settings(options={'userAgent': 'us'}))"
    )
    checking = subprocess.Popen([sys.executable, "-c", code, k6], env={**os.environ, "TMPDIR": str(temporary)})
    assert wait_until(pid_file.exists)
    assert any(temporary.iterdir())
    checking.kill()
    checking.wait()
    assert wait_until(lambda: is_gone(int(pid_file.read_text())))
    assert wait_until(lambda: not any(temporary.iterdir()))


def test_what_would_change_a_measurement_is_not_handed_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    planted = ["K6_DURATION", "K6_RPS", "K6_NO_SUMMARY", "k6_vus", "HTTP_PROXY", "https_proxy", "All_Proxy", "no_proxy"]
    for name in planted:
        monkeypatch.setenv(name, "planted")
    monkeypatch.setenv("KEPT", "planted")
    with pytest.raises(LoadGeneratorError, match="no summary"):
        run_fake(tmp_path, f"env > {tmp_path}/env")
    handed_on = {line.partition("=")[0] for line in (tmp_path / "env").read_text().splitlines()}
    assert "KEPT" in handed_on
    assert not handed_on & set(planted)


def test_without_any_load_k6_is_not_started(tmp_path: Path) -> None:
    loads = [FunctionLoad(name, 0, "http://127.0.0.1:9/") for name in ("a", "b")]
    result = K6(fake_k6(tmp_path, "exit 1"), timeout_s=1).run(loads, duration_s=0.2)
    assert [(f.offered, f.success_rate, f.mean_ms) for f in result.functions] == [(0, 1.0, None)] * 2
    assert result.ended_at - result.started_at >= 0.2
    assert (result.generator_cpu_pct, result.raw_summary) == (0.0, {})
