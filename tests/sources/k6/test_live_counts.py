"""Reading what k6 has counted so far: what is told, and that a reader that fails ends nothing."""

import json
import logging
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from peva_env.rules import Reading
from peva_env.sources.k6 import K6, FunctionLoad, live_counts
from peva_env.sources.k6.cpu_trace import CpuTrace
from peva_env.sources.k6.live_counts import LiveCounts
from peva_env.sources.k6.plan import k6_options
from tests.sources.k6.test_runner import GOLDEN, GOLDEN_LOADS
from tests.support.k6 import fake_k6

LOADS = [FunctionLoad("f", 10, "http://127.0.0.1:9/", slow_ms=(100, 300)), FunctionLoad("g", 0, "http://127.0.0.1:9/")]


def answer_of(n_slow: int = 0, **changed: Any) -> dict[str, Any]:
    """Return the metrics of a k6 that has counted 200 requests of ``f``, two of them failed."""
    metrics = []
    for name in k6_options(LOADS, duration_s=30, timeout_s=1, max_vus=100, tags={})["thresholds"]:
        counts = {"iterations": 199, "http_reqs": 200, "peva_slow": n_slow}
        if "count" in name or not name.startswith(("http_req_duration", "peva_latency", "peva_stalls")):
            count = 2 if "kind:status_5xx" in name else counts.get(name.partition("{")[0], 0)
            kind, sample = "counter", {"count": count, "rate": 1.0}
        else:
            value = 0.0 if name.startswith("peva_stalls") else 50.0
            keys = ("avg", "min", "med", "p(90)", "p(95)")
            kind, sample = "trend", dict.fromkeys(keys, value) | {"max": 8 * value}
        metrics.append({"id": name, "attributes": {"type": kind, "sample": sample}})
    return {"data": metrics} | changed


@contextmanager
def api(counts: LiveCounts, metrics: Any, setup: Any = None) -> Iterator[None]:
    """Play k6's REST API."""
    started = {"load_started_ms": 0} if setup is None else setup

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = {"data": {"attributes": {"data": started}}} if self.path == "/v1/setup" else metrics
            text = (body if isinstance(body, str) else json.dumps(body)).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, *_: Any) -> None: ...

    host, port = counts.address.split(":")
    server = ThreadingHTTPServer((host, int(port)), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class Watcher:
    def __init__(self, *, ends: bool = False) -> None:
        self.ends, self.readings, self.started_at, self.n_ended = ends, [], -1.0, 0  # type: ignore[var-annotated]
        self.counts = LiveCounts(LOADS, warm_up_s=2.0, duration_s=30.0, watcher=self.watch)

    def watch(self, reading: Reading, started_at: float) -> bool:
        self.readings.append(reading)
        self.started_at = started_at
        return self.ends

    def look(self) -> None:
        self.counts._next_at = 0.0
        self.counts.look(self.end, CpuTrace(os.getpid()))

    def end(self) -> None:
        self.n_ended += 1


def test_a_reading_has_the_counts_and_latencies_of_each_function() -> None:
    watcher = Watcher()
    with api(watcher.counts, answer_of(n_slow=1)):
        watcher.look()
    (reading,) = watcher.readings
    f, g = reading.functions
    assert (f.offered, f.succeeded, f.failed, f.dropped) == (200, 198, {"status_5xx": 2}, 0)
    assert (f.mean_ms, f.p50_ms, f.p95_ms) == (50, 50, 50)
    assert f.p99_ms == 100, "one of 198 is slower"
    assert (f.backlog, f.held_up, reading.is_even, g.offered) == (0, 0, True, 0)
    assert watcher.started_at == 2.0, "after the warm-up"
    assert not watcher.n_ended


def test_the_highest_latency_stands_for_the_99th_percentile_that_is_not_known() -> None:
    watcher = Watcher()
    with api(watcher.counts, answer_of(n_slow=3)):
        watcher.look()
    assert watcher.readings[0].functions[0].p99_ms == 400


@pytest.mark.parametrize(("stalled_ms", "is_even"), [(150, True), (450, False)])
def test_a_stall_of_two_requests_is_told_and_one_of_more_than_a_hundredth_makes_a_reading_uneven(
    stalled_ms: int, is_even: bool
) -> None:
    watcher, metrics = Watcher(), answer_of()
    sample = {"type": "counter", "sample": {"count": stalled_ms, "rate": 1.0}}
    metrics["data"].append({"id": "peva_stalled_ms", "attributes": sample})
    with api(watcher.counts, metrics):
        watcher.look()
    (reading,) = watcher.readings
    assert (reading.functions[0].held_up, reading.is_even) == (round(stalled_ms / 100), is_even)


def test_k6_is_ended_once() -> None:
    watcher = Watcher(ends=True)
    with api(watcher.counts, answer_of()):
        watcher.look()
        watcher.counts.look(watcher.end, CpuTrace(os.getpid()))
    assert watcher.n_ended == 1
    assert watcher.counts.has_ended_k6


def test_before_the_load_has_begun_there_is_nothing_to_tell() -> None:
    watcher = Watcher()
    with api(watcher.counts, answer_of(), setup={}):
        watcher.look()
    assert watcher.readings == []


@pytest.mark.parametrize(
    ("metrics", "problem"),
    [
        ("not json", "in another format: JSONDecodeError"),
        ({"data": []}, "in another format: KeyError"),
        ([], "in another format: TypeError"),
        (
            {"data": [{"id": "http_reqs{scenario:f0}", "attributes": {"type": "counter", "sample": {}}}]},
            "without count",
        ),
    ],
)
def test_a_k6_that_answers_otherwise_is_not_read_any_more_and_the_run_goes_on(
    metrics: Any, problem: str, caplog: pytest.LogCaptureFixture
) -> None:
    watcher = Watcher(ends=True)
    with api(watcher.counts, metrics), caplog.at_level(logging.WARNING, logger="peva_env.k6"):
        watcher.look()
    (line,) = caplog.messages
    assert line.startswith("k6's counts cannot be read, so that this run goes on to its end: ")
    assert problem in line
    assert not watcher.n_ended
    assert watcher.counts._next_at == float("inf")


def test_a_k6_that_does_not_answer_is_asked_for_ten_seconds(caplog: pytest.LogCaptureFixture) -> None:
    watcher = Watcher(ends=True)
    for _ in range(19):
        watcher.look()
    assert not caplog.messages
    watcher.look()
    assert "refuses connections" in caplog.messages[0]
    assert not watcher.n_ended


def test_a_k6_that_cannot_serve_its_counts_runs_to_the_end_without(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Another program may have taken the port; k6 says so before it sends anything."""
    script = f"""case "$*" in *"--address 127.0.0.1:"*) exit 106;; esac; cp {GOLDEN[-1]} "$summary" """
    k6 = K6(fake_k6(tmp_path, script), timeout_s=0.5)
    result = k6.run(GOLDEN_LOADS, duration_s=1.0, watcher=lambda *_: True)
    assert (result.is_stopped, result.aborted_after_s) == (False, None)
    assert result.functions[0].offered > 0
    assert "could not serve its counts at 127.0.0.1:" in caplog.messages[0]


def test_the_address_is_of_this_machine_only() -> None:
    assert Watcher().counts.address.startswith("127.0.0.1:")
    assert live_counts._INTERVAL_S == 0.5
