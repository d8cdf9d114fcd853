"""The real k6 against a real server on 127.0.0.1 whose paths say how it behaves."""

import os
import signal
import subprocess
import sys
import threading
import time
from ast import literal_eval
from pathlib import Path

import pytest

from peva_env.config import OverloadConfig
from peva_env.contracts import FunctionMeasurement, NodeMeasurement, Verdict
from peva_env.errors import LoadGeneratorError
from peva_env.rules import Reading, judge
from peva_env.sources.k6 import K6, FunctionLoad, find_k6
from peva_env.sources.k6.settings import K6Settings
from tests.support.http_server import Server
from tests.support.k6 import running_k6
from tests.support.prometheus_server import free_port

pytestmark = pytest.mark.live

CALM = NodeMeasurement(cpu_pct=20.0, ram_pct=30.0)


def measure(url: str, rate_rps: int, *, timeout_s: float = 1.0, max_vus: int = 500) -> FunctionMeasurement:
    result = K6(timeout_s=timeout_s, max_vus=max_vus).run([FunctionLoad("f", rate_rps, url)], duration_s=1)
    (function,) = result.functions
    assert function.sent + function.dropped == function.offered
    assert function.succeeded + sum(function.failed.values()) == function.sent
    assert abs(function.offered - rate_rps) <= 2
    return function


def test_each_function_gets_its_own_rate_and_figures(server: Server) -> None:
    loads = [
        FunctionLoad("quick", 60, server.url("/delay/0")),
        FunctionLoad("absent", 0, server.url("/delay/0")),
        FunctionLoad("slow", 30, server.url("/delay/0.1")),
    ]
    result = K6(timeout_s=2).run(loads, duration_s=1)
    quick, absent, slow = result.functions
    assert abs(quick.offered - 60) <= 2
    assert abs(slow.offered - 30) <= 2
    assert quick.succeeded == quick.sent == quick.offered
    assert (quick.success_rate, absent.success_rate, slow.success_rate) == (1, 1, 1)
    assert absent.offered == 0
    # A busy machine may add to the 100 ms, nothing takes from them.
    assert slow.p50_ms is not None
    assert slow.p99_ms is not None
    assert quick.p50_ms is not None
    assert 99 <= slow.p50_ms <= slow.p99_ms
    assert quick.p50_ms < slow.p50_ms
    assert result.started_at < result.load_started_at < result.ended_at - 1
    assert result.generator_cpu_pct is not None
    assert 0 < result.generator_cpu_pct < 100
    assert result.raw_summary["functions"] == {"f0": "quick", "f1": "absent", "f2": "slow"}


def test_a_function_slower_than_the_timeout_succeeds_never(server: Server) -> None:
    function = measure(server.url("/hang"), 50, timeout_s=0.5)
    assert function.success_rate == 0
    assert function.failed == {"timeout": function.sent}
    assert function.sent >= function.offered / 2  # users are missing while timeouts are late
    assert function.p95_ms is None


def test_requests_for_which_no_user_was_free_count_as_failures(server: Server) -> None:
    function = measure(server.url("/delay/0.5"), 50, max_vus=10)
    assert function.succeeded == function.sent <= 30
    assert function.dropped >= 20
    assert function.success_rate == function.succeeded / function.offered


def test_failures_are_counted_by_kind(server: Server) -> None:
    urls = {
        "status_3xx": server.url("/status/302"),
        "status_404": server.url("/status/404"),
        "status_429": server.url("/status/429"),
        "status_4xx": server.url("/status/400"),
        "status_5xx": server.url("/status/503"),
        "timeout": server.url("/hang"),
        "connection_refused": f"http://127.0.0.1:{free_port()}/",
        "connection_reset": server.url("/reset"),
        "connection_other": server.url("/half"),
        "connection_dns": "http://function.invalid/",
    }
    loads = [FunctionLoad(kind, 5, url) for kind, url in urls.items()]
    result = K6(timeout_s=0.5).run(loads, duration_s=1)
    assert {f.name: f.failed for f in result.functions} == {f.name: {f.name: f.sent} for f in result.functions}
    assert all(f.success_rate == 0 and f.mean_ms is None for f in result.functions)
    assert measure(server.url("/close"), 5).failed.keys() == {"connection_other"}


def test_files_that_k6_may_not_open_are_told_from_refused_connections(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    limited = tmp_path / "k6"
    real = find_k6()
    limited.write_text(f'#!/bin/sh\n[ "$1" = run ] && sleep 0.3 && ulimit -n 64\nexec {real} "$@"\n')
    limited.chmod(0o755)
    monkeypatch.setenv("PEVA_ENV_K6", str(limited))
    load = FunctionLoad("f", 200, server.url("/delay/0.5"))
    k6 = K6(timeout_s=1, settings=K6Settings(options={"noConnectionReuse": True}))  # its summary needs a file, too
    (function,) = k6.run([load], duration_s=1).functions
    assert function.failed.get("generator_files", 0) > 10
    assert "connection_other" not in function.failed
    assert judge([function], CALM, OverloadConfig()).verdict is Verdict.INVALID


WITHOUT_PORTS = """
from peva_env.sources.k6 import K6, FunctionLoad, find_k6
from tests.support.http_server import Server

server = Server()
load = FunctionLoad("f", 200, server.url("/delay/0.5"))
print(dict(K6(timeout_s=1).run([load], duration_s=1).functions[0].failed))
server.close()
"""


def test_local_ports_that_run_out_are_told_from_refused_connections(tmp_path: Path) -> None:
    commands = 'ip link set lo up && echo 40000 40050 > /proc/sys/net/ipv4/ip_local_port_range && exec "$@"'
    command = ["unshare", "--net", "sh", "-c", commands, "sh", sys.executable, "-c", WITHOUT_PORTS]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60)
    if "generator_ports" not in ended.stdout and "ermi" in ended.stderr:
        pytest.skip(f"needs a network namespace: {ended.stderr.strip()}")
    failed = literal_eval(ended.stdout)
    assert failed["generator_ports"] > 10
    assert "connection_other" not in failed


def test_variables_in_the_environment_change_nothing(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"K6_DURATION": "9s", "K6_RPS": "1", "K6_NO_SUMMARY": "true", "K6_VUS": "1"}.items():
        monkeypatch.setenv(name, value)
    started = time.monotonic()
    assert measure(server.url("/delay/0"), 20).success_rate == 1
    assert time.monotonic() - started < 9  # what K6_DURATION says


def test_requests_arrive_byte_for_byte(server: Server) -> None:
    text = "`${__ENV.HOME}` '\"\\ </script> è世\U0001f600"
    load = FunctionLoad(
        name="na'me\n${x}",
        rate_rps=2,
        url=server.url("/echo/a%20b?q='\"$%7Bx%7D"),
        method="POST",
        body=f"first\r\nsecond\n\x00\t{text}",
        headers={"X-Text": text, "Content-Type": "application/x-own"},
    )
    server.requests.clear()
    result = K6(timeout_s=1).run([load], duration_s=1)
    assert result.functions[0].name == load.name
    head, body = server.requests[0]
    assert body == load.body.encode()
    lines = head.split(b"\r\n")
    assert lines[0].startswith(b"POST /echo/a%20b?q=")
    assert b"X-Text: " + text.encode() in lines
    assert b"Content-Type: application/x-own" in lines


def test_an_interruption_leaves_no_k6_behind(server: Server) -> None:
    def interrupt() -> None:
        while not running_k6():
            time.sleep(0.05)
        time.sleep(0.5)
        interrupted.append(time.monotonic())
        os.kill(os.getpid(), signal.SIGINT)

    interrupted: list[float] = []
    thread = threading.Thread(target=interrupt)
    thread.start()
    with pytest.raises(KeyboardInterrupt):
        K6(timeout_s=5).run([FunctionLoad("f", 20, server.url("/hang"))], duration_s=30)
    assert not running_k6()
    assert time.monotonic() - interrupted[0] < 20  # not to the end of the run
    thread.join()


def test_a_url_that_k6_cannot_send_is_named(server: Server) -> None:
    with pytest.raises(LoadGeneratorError, match="%zz: invalid URL"):
        K6(timeout_s=1).run([FunctionLoad("f", 5, server.url("/%zz"))], duration_s=1)


def test_a_run_that_is_overloaded_whatever_comes_is_ended_early(server: Server) -> None:
    loads = [FunctionLoad("failing", 50, server.url("/status/503")), FunctionLoad("slow", 20, server.url("/delay/1"))]
    result = K6(timeout_s=2).run(loads, duration_s=20, most_failures=[60, 40])
    failing, slow = result.functions
    assert result.aborted_after_s is not None
    assert result.aborted_after_s < 20
    assert failing.failed == {"status_5xx": failing.sent}
    assert 60 < failing.offered < 1000
    assert slow.failed == {}, "what was still waiting counts nowhere"
    assert slow.offered < 400
    assert failing.held_up < 0.5 * failing.offered


def test_a_run_that_lasted_to_its_end_is_whole_however_much_of_it_failed(server: Server) -> None:
    result = K6(timeout_s=1).run([FunctionLoad("f", 40, server.url("/status/503"))], duration_s=1, most_failures=[2])
    assert result.aborted_after_s is None
    assert abs(result.functions[0].offered - 40) <= 2


def test_who_watches_a_run_sees_its_counts_and_can_end_it(server: Server) -> None:
    fine = FunctionLoad("fine", 60, server.url("/delay/0.05"), slow_ms=(5,))
    loads = [fine, FunctionLoad("failing", 20, server.url("/status/503")), FunctionLoad("absent", 0, server.url("/"))]
    readings: list[Reading] = []

    def watch(reading: Reading, started_at: float) -> bool:
        readings.append(reading)
        return reading.ran_s > 2.0 and started_at > 0

    result = K6(timeout_s=2).run(loads, duration_s=20, warm_up_s=1, watcher=watch)
    last = readings[-1]
    assert result.is_stopped
    assert result.aborted_after_s is not None
    assert last.ran_s < result.aborted_after_s < 10
    assert result.functions[1].failed == {"status_5xx": result.functions[1].sent}
    for seen, counted in zip(last.functions, result.functions, strict=True):
        assert seen.offered <= counted.offered
    assert last.functions[0].offered > 60
    assert (last.functions[0].mean_ms or 0) > 50
    assert last.functions[0].p99_ms != 5, "all are slower"
    assert [one.offered for one in last.functions[2:]] == [0]
    assert sorted(reading.ran_s for reading in readings) == [reading.ran_s for reading in readings]


def test_a_watched_run_that_nobody_ends_is_whole(server: Server) -> None:
    result = K6(timeout_s=1).run([FunctionLoad("f", 40, server.url("/echo"))], duration_s=2, watcher=lambda *_: False)
    assert (result.is_stopped, result.aborted_after_s) == (False, None)
    assert abs(result.functions[0].offered - 80) <= 2
