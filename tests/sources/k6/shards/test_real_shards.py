"""One run from several real k6 on this machine, against a real server."""

import json
import logging
import os
import re
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from peva_env.config import FunctionConfig
from peva_env.contracts import Verdict
from peva_env.errors import LoadGeneratorError
from peva_env.platforms.local import LocalNode
from peva_env.sources.k6 import K6, FunctionLoad, Generators, LoadResult, LocalPlace, Step
from peva_env.sources.k6.settings import K6Settings
from tests.support.http_server import Server
from tests.support.k6 import running_k6
from tests.support.live import live_source, measured
from tests.support.processes import wait_until

pytestmark = pytest.mark.live


def shared(n: int, **options: Any) -> K6:
    return K6(generators=Generators(LocalPlace(n)), **({"timeout_s": 1} | options))


def begun(result: LoadResult) -> list[float]:
    return [generator["load_started_ms"] for generator in result.raw_summary["generators"]]


@pytest.mark.parametrize("n", [2, 4])
def test_counts_are_those_of_one_k6_to_the_request(server: Server, n: int) -> None:
    loads = [
        FunctionLoad("a", 90, server.url("/delay/0.01")),
        FunctionLoad("b", 7, server.url("/status/503")),
        FunctionLoad("c", 1, server.url("/delay/0")),
        FunctionLoad("d", 0, server.url("/delay/0")),
    ]
    result = shared(n).run(loads, duration_s=2, warm_up_s=1)
    a, b, c, d = result.functions
    for function, planned in ((a, 180), (b, 14), (c, 2)):
        assert planned <= function.offered <= planned + n  # each k6 may send one more, at the very end
        assert (function.sent, function.dropped) == (function.offered, 0)
    assert (a.succeeded, b.succeeded, dict(b.failed)) == (a.sent, 0, {"status_5xx": b.sent})
    assert d.offered == 0
    shares = [generator["iterations"]["f0"] for generator in result.raw_summary["generators"]]
    assert (len(shares), sum(shares)) == (n, a.sent)
    assert max(shares) - min(shares) <= 1
    assert max(begun(result)) - min(begun(result)) <= 50
    assert result.generator_cpu_pct is not None
    assert 0 < result.generator_cpu_pct < 100
    assert not running_k6()


def test_latencies_are_those_of_all_samples(server: Server, tmp_path: Path) -> None:
    """The samples that each k6 writes itself are the truth."""
    rng = np.random.default_rng(0)
    mix = [
        FunctionLoad(f"f{i}", 60, server.url(f"/delay/{delay:.4f}"))
        for i, delay in enumerate(rng.lognormal(-4, 0.5, 3))
    ]
    settings = K6Settings(outputs=["json"], folder=tmp_path)
    result = shared(3, settings=settings).run(mix, duration_s=3, tags={"iteration": "0"})
    lines = [json.loads(line) for path in tmp_path.glob("0-g?.json") for line in path.read_text().splitlines()]
    for i, function in enumerate(result.functions):
        samples = [
            line["data"]["value"]
            for line in lines
            if line["type"] == "Point" and line["metric"] == "http_req_duration"
            and line["data"]["tags"].get("scenario") == f"f{i}"
        ]  # fmt: skip
        assert len(samples) == function.succeeded
        found = [function.mean_ms, function.p50_ms, function.p90_ms, function.p95_ms, function.p99_ms]
        true = [np.mean(samples), *np.percentile(samples, [50, 90, 95, 99])]
        assert found == pytest.approx(true, rel=0.001)
    assert {line["data"]["tags"]["generator"] for line in lines if line["type"] == "Point"} == {"1", "2", "3"}


def during(act: Callable[[], None], after_s: float) -> threading.Thread:
    def run() -> None:
        assert wait_until(lambda: len(running_k6()) > 1)
        time.sleep(after_s)
        act()

    thread = threading.Thread(target=run)
    thread.start()
    return thread


def kill_one() -> None:
    running_k6()[0].kill()


def test_one_that_is_killed_makes_the_run_invalid_and_is_named(server: Server) -> None:
    with LocalNode([FunctionConfig(name="fetch")]) as node:
        thread = during(kill_one, 1.5)
        began = time.monotonic()
        event = measured(node, "fetch", 20, shared(3), duration_s=20)
        thread.join()
    assert event.verdict is Verdict.INVALID
    assert re.match(r"generator \d of 3: k6 failed with exit code -9 ", event.reasons[0])
    assert time.monotonic() - began < 15, "the others do not go on"
    assert not running_k6()


def test_one_that_stands_still_for_good_is_named(server: Server) -> None:
    thread = during(lambda: running_k6()[0].suspend(), 1.0)
    with pytest.raises(LoadGeneratorError, match=r"^generator \d of 2: k6 did not end within 4 s and was killed$"):
        shared(2, wall_margin_s=0.0).run([FunctionLoad("f", 20, server.url("/delay/0"))], duration_s=2)
    thread.join()
    assert not running_k6()


def test_an_interrupt_ends_all(server: Server) -> None:
    thread = during(lambda: os.kill(os.getpid(), signal.SIGINT), 1.0)
    with pytest.raises(KeyboardInterrupt):
        shared(3).run([FunctionLoad("f", 20, server.url("/delay/0"))], duration_s=30)
    thread.join()
    assert not running_k6()


def test_a_script_that_fails_in_all_is_an_error_of_one(server: Server) -> None:
    with pytest.raises(LoadGeneratorError, match=r"^generator \d of 2: k6 failed with exit code 104 "):
        shared(2).run([FunctionLoad("f", 20, server.url("/delay/0"))], duration_s=0.5)
    assert not running_k6()


def test_one_with_more_failures_than_the_whole_run_may_have_ends_the_run(server: Server) -> None:
    began = time.monotonic()
    url = server.url("/status/503")
    result = shared(2).run([FunctionLoad("f", 50, url)], duration_s=20, most_failures=[50])
    assert time.monotonic() - began < 15
    assert result.aborted_after_s is not None
    assert result.aborted_after_s < 10
    assert result.functions[0].failed["status_5xx"] > 50


def test_a_scouting_offers_each_step_from_all_generators(server: Server) -> None:
    with LocalNode([FunctionConfig(name="fetch")]) as node:
        source = live_source(node, "fetch", shared(2), duration_s=2)
        events = source.scout([[("fetch", rate)] for rate in (10, 20, 400, 800)], step_s=2, tag="one")
    assert [event.config_pairs[0][1] for event in events] == [10, 20, 400]
    assert [event.verdict for event in events[:2]] == [Verdict.OK, Verdict.OK]
    assert events[2].verdict is not Verdict.OK  # INVALID if another program disturbs it
    assert events[0].functions[0].offered in (20, 21)


def test_steps_end_with_the_first_that_is_overloaded(server: Server) -> None:
    steps = [Step([FunctionLoad("f", rate, server.url("/delay/0"))], [9]) for rate in (20, 40)]
    first, second = shared(2).run_steps(steps, step_s=2)
    assert (first.functions[0].offered // 10, second.functions[0].offered // 10) == (4, 8)
    assert second.load_started_at - first.load_started_at == pytest.approx(2)


def test_each_writes_its_own_files(server: Server, tmp_path: Path) -> None:
    settings = K6Settings(outputs=["csv", f"json={tmp_path}/samples.json"], folder=tmp_path, dashboard=True)
    shared(2, settings=settings).run(
        [FunctionLoad("f", 20, server.url("/delay/0"))], duration_s=6, tags={"config_id": "ab", "iteration": "0"}
    )
    names = {f"ab-0-g{i}.{kind}" for i in (1, 2) for kind in ("csv", "html")} | {
        f"samples-ab-0-g{i}.json" for i in (1, 2)
    }
    assert {path.name for path in tmp_path.iterdir()} == names


def test_warnings_name_their_generator(server: Server, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "peva_env.k6"):
        shared(2, settings=K6Settings(log=True)).run([FunctionLoad("f", 10, server.url("/reset"))], duration_s=1)
    assert {record.message[: len("k6: generator 1 of 2: ")] for record in caplog.records} == {
        f"k6: generator {i} of 2: " for i in (1, 2)
    }
