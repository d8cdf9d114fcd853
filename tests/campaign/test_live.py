"""Whole campaigns: the real command line, the real k6, real functions on 127.0.0.1."""

import contextlib
import csv
import json
import os
import shutil
import signal
import subprocess
import sys
import textwrap
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

pytest.importorskip("functions_framework")

from peva_env.config import parse_config
from peva_env.contracts import ExecutionEvent, Verdict
from peva_env.make import make_live_env
from peva_env.memory import DEFAULT_SCHEMA_VERSION, reading
from peva_env.platforms.local import LocalNode
from peva_env.sources.k6 import K6
from peva_env.system import command_text
from tests.support.campaigns import (
    AT_ONCE,
    EVENTS,
    MEMORY,
    WAITS_200_MS,
    campaign,
    finish,
    function,
    k6_runs_in,
    n_events,
    one_line,
    query,
    run,
    runs,
    start,
    statuses,
    write,
)
from tests.support.forkserver import peva
from tests.support.live import measured
from tests.support.processes import is_gone, wait_until

pytestmark = pytest.mark.live

ONE_AFTER_THE_OTHER = """
    import asyncio
    turn = asyncio.Lock()
    async def handle(request):
        async with turn:
            await asyncio.sleep(0.05)
        return 'ok'
"""


@pytest.fixture(autouse=True)
def _cwd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


# --- from the first run to the last ---------------------------------------------------------------------------------


def test_a_campaign_fills_memory_and_artifacts_alike_and_a_second_start_runs_nothing() -> None:
    limited = function("limited", WAITS_200_MS, concurrency=8)  # 40 requests/s, with which a busy machine keeps up
    write(campaign(limited, function("quick", AT_ONCE), rates=[10, 90], combinations={"max_functions": 3}))
    code, output, errors = run()
    assert (code, errors) == (0, "")

    # limited 90 is overloaded, alone and beside quick 10; limited 90 + quick 90 need not be run.
    measured = query(
        "SELECT function_names, rates_rps, verdict FROM execution_events WHERE kind = 'measured' ORDER BY started_at"
    )
    assert [(names, rates) for names, rates, _ in measured] == [
        (["limited"], [10]),
        (["limited"], [90]),
        (["quick"], [10]),
        (["quick"], [90]),
        (["limited", "quick"], [10, 10]),
        (["limited", "quick"], [10, 90]),
        (["limited", "quick"], [90, 10]),
    ]
    verdicts = [verdict for _, _, verdict in measured]
    assert verdicts == ["OK", "OVERLOADED", "OK", "OK", "OK", "OK", "OVERLOADED"]
    skipped = query("SELECT rates_rps, reasons FROM execution_events WHERE kind = 'skipped'")
    assert skipped == [([90, 90], ["dominates limited 90 rps + quick 10 rps, which is overloaded"])]
    assert query("SELECT count(*) FROM config_catalog") == [(8,)]
    assert query("SELECT count(*) FROM k6_raw_summaries") == query("SELECT count(*) FROM policy_updates") == [(7,)]
    assert statuses() == ["complete"]

    with Path("peva-results/results.csv").open() as file:
        results = list(csv.DictReader(file))
    assert [row["overloaded_node"] for row in results] == [str(int(one == "OVERLOADED")) for one in verdicts]
    assert [row["rate_function_limited"] or None for row in results] == ["10", "90", None, None, "10", "10", "90"]
    assert [json.loads(line)["verdict"] for line in EVENTS.read_text().splitlines()] == verdicts
    assert Path("peva-results/skipped.csv").read_text().splitlines()[1:] == ["limited,90,quick,90"]
    index = [line.split(";") for line in Path("peva-results/index.csv").read_text().splitlines()]
    assert index[0] == ["functions", "rates", "results_file"]
    assert index[1:] == [[str(names), str(rates), "results.csv"] for names, rates, _ in measured]

    lines = [line.split() for line in output.splitlines()]
    assert "\n2 measured, 0 inferred, 6 left (about" in output
    assert ["90", "O", "O", "x"] in lines
    assert ["10", "O", "O", "X"] in lines
    assert ["none", "O", "X"] in lines
    assert "complete: 7 configurations measured, 1 inferred, 0 unknown; 7 runs took" in output
    shown = output.split("runs took")[1].splitlines()[1:]
    assert all(Path(line.strip()).exists() for line in shown if line.startswith("  "))
    report = command_text("report", "--memory", "peva-results/peva_faas.duckdb", extra="report")
    assert shown[-1] == f"as a page: {report}"

    code, output, errors = run()
    assert (code, errors) == (0, "")
    assert "complete: 7 configurations measured, 1 inferred, 0 unknown; 0 runs took 0s" in output
    assert "nothing was left to run: --repetition measures all again" in output
    assert n_events() == len(runs()) == 7
    assert len(Path("peva-results/skipped.csv").read_text().splitlines()) == 2


def test_another_process_reads_a_running_campaign_up_to_its_last_run() -> None:
    write(campaign(rates=[20, 30, 40, 50]))
    process = start()
    assert wait_until(lambda: n_events() > 0)
    told = []
    while process.poll() is None:
        # An event is in the memory before it is in the artifacts.
        already = n_events()
        with reading(MEMORY, DEFAULT_SCHEMA_VERSION) as memory:
            ((n,),) = memory.execute("SELECT count(*) FROM execution_events").fetchall()
        assert n >= already
        told.append(n)
    assert finish(process)[0] == 0
    assert told == sorted(told)
    assert told[0] < 4
    assert len(runs()) == 4


@pytest.mark.parametrize(
    ("numbers", "code", "status"),
    [
        ([signal.SIGINT] * 200, 130, "interrupted"),
        ([signal.SIGTERM], 130, "interrupted"),
        ([signal.SIGKILL], -9, "crashed"),
    ],
    ids=["Ctrl-C until it ends", "SIGTERM", "SIGKILL"],
)
def test_a_stopped_campaign_goes_on_without_repeating_or_losing_anything(
    numbers: list[signal.Signals], code: int, status: str
) -> None:
    # One configuration is complete, the next has one of its two runs, and the other one is going on. That one lasts two
    # seconds, so that it is seen also by a test that is held up for one.
    write(campaign(rates=[10, 20, 30], iterations=2, duration="2s"))
    process = start()
    assert wait_until(lambda: n_events() == 3 and k6_runs_in(process)), finish(process)
    children = psutil.Process(process.pid).children(recursive=True)
    assert len(children) >= 3  # k6, a function, the guard
    for number in numbers:
        process.send_signal(number)
        time.sleep(0.005)  # so that they fall on every part of the ending
    ended = finish(process)
    assert (ended[0], ended[2]) == (code, "")
    assert wait_until(lambda: all(map(is_gone, children)))

    before = runs()
    assert [(rates, iteration) for rates, iteration, *_ in before] == [([10], 0), ([10], 1), ([20], 0)]
    assert statuses() == ["running" if code == -9 else status]

    resumed = run()
    assert (resumed[0], resumed[2]) == (0, "")
    after = runs()
    assert after[:3] == before
    assert [(rates, iteration) for rates, iteration, *_ in after[3:]] == [([20], 1), ([30], 0), ([30], 1)]
    assert Counter(verdict for *_, verdict in after) == {"OK": 6}
    assert statuses() == [status, "complete"]
    assert n_events() == len(Path("peva-results/results.csv").read_text().splitlines()) - 1 == 6
    assert len(Path("peva-results/index.csv").read_text().splitlines()) == 4


def test_a_spent_budget_ends_a_campaign_which_a_later_one_completes() -> None:
    write(campaign(rates=[10, 20, 30, 40]))
    code, output, _ = run("--budget-runs", "2")
    assert (code, len(runs()), statuses()) == (3, 2, ["budget"])
    assert "budget: 2 configurations measured, 0 inferred, 2 unknown" in output
    assert run("--budget-seconds", "0.5")[0] == 3
    assert (len(runs()), statuses()) == (3, ["budget", "budget"])
    assert run()[0] == 0
    assert [rates for rates, *_ in runs()] == [[10], [20], [30], [40]]


def test_another_repetition_measures_all_again() -> None:
    write(campaign(rates=[10]))
    assert run()[0] == run("--repetition", "2")[0] == 0
    assert query("SELECT repetition, iteration FROM execution_events ORDER BY ALL") == [(1, 0), (2, 0)]


# --- policies -----------------------------------------------------------------------------------------------------


def write_policy(name: str, update: str = "pass") -> str:
    Path("my_policies.py").write_text(
        textwrap.dedent(f"""
        class {name}:
            n_events = 0
            def choose_batch(self, *, candidates, desired_size):
                return list(reversed(candidates))[:desired_size]
            def update_online(self, event):
                self.n_events += 1
                {update}
            def update_batch(self, events): pass
    """)
    )
    return f"my_policies:{name}"


def test_a_policy_of_the_users_own_decides_what_runs_in_which_order_but_not_where_the_results_are(
    tmp_path: Path,
) -> None:
    Path("elsewhere").mkdir()
    policy = write_policy("LastFirst", update=f"__import__('os').chdir({str(tmp_path / 'elsewhere')!r})")
    write(campaign(rates=[10, 20, 30], algorithm_entrypoint=policy, k6_outputs=["csv=k6.csv"], refine="50%"))
    code, output, errors = run()
    assert (code, errors) == (0, "")
    assert [rates for rates, *_ in runs()] == [[30], [20], [10]]
    assert query("SELECT agent FROM run_sessions ORDER BY started_at") == [("my_policies:LastFirst",), ("bisection",)]
    assert output.count(f"--memory {MEMORY}") == 2
    assert len(list(Path().glob("k6-*.csv"))) == 3
    assert list(Path("elsewhere").iterdir()) == []


def test_a_policy_that_raises_stops_the_campaign_and_what_was_measured_is_kept() -> None:
    policy = write_policy("Weak", update="if self.n_events == 2: raise ZeroDivisionError('too much')")
    write(campaign(rates=[10, 20, 30], algorithm_entrypoint=policy))
    code, output, errors = run()
    assert code == 1
    assert "policy Weak failed in update_online: ZeroDivisionError('too much')" in one_line(errors)
    assert [rates for rates, *_ in runs()] == [[30], [20]]
    assert statuses() == ["failed"]
    assert "failed: " in output


# --- what goes wrong on the way -------------------------------------------------------------------------------------


def test_a_function_that_dies_ends_the_campaign_with_its_last_words() -> None:
    dies = """
        import os, sys
        calls = []
        def handle(request):
            calls.append(1)
            if len(calls) > 15:  # in the second run: 1 + 10 calls came before
                print('out of licences', file=sys.stderr, flush=True)
                os._exit(3)
            return 'ok'
    """
    write(campaign(function("mortal", dies, concurrency=1), rates=[10, 20], max_invalid_retries=1))
    code, _, errors = run()
    assert code == 1
    assert "function 'mortal' ended with exit code 3" in one_line(errors)
    assert "out of licences" in errors
    assert [verdict for *_, verdict in runs()] == ["OK", "INVALID", "INVALID"]
    assert statuses() == ["failed"]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Mount a disk of 32 MiB, where we may."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = shutil.which("mount")
    unmount = shutil.which("umount")
    command = [mount or "mount", "-t", "tmpfs", "-o", "size=32m", "tmpfs", str(folder)]
    if mount is None or unmount is None or subprocess.run(command, check=False, capture_output=True).returncode:
        pytest.skip("a small disk cannot be mounted here (that takes root)")
    yield folder
    subprocess.run([unmount, "--lazy", str(folder)], check=True)


def fill(disk: Path) -> Path:
    filler = disk / "filler"
    with filler.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while file.write(bytes(4096)):
            pass
    return filler


def test_a_full_disk_ends_the_campaign_and_the_memory_opens_again(
    small_disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(small_disk)
    write(campaign(rates=[10, 20, 30]))
    process = start()
    assert wait_until(lambda: n_events() == 1)
    filler = fill(small_disk)
    code, _, errors = finish(process)
    assert code == 1
    assert str(MEMORY.parent) in one_line(errors)
    filler.unlink()
    before = runs()
    assert [rates for rates, *_ in before][:1] == [[10]]
    assert run()[0] == 0
    assert runs()[: len(before)] == before
    assert [rates for rates, *_ in runs()] == [[10], [20], [30]]


# --- what a verdict is worth ----------------------------------------------------------------------------------------


class Recorder:
    """Notes every run of an environment."""

    def __init__(self) -> None:
        self.events: list[ExecutionEvent] = []

    def starting(self, config: Any, iteration: int) -> None: ...

    def measured(self, event: ExecutionEvent) -> None:
        self.events.append(event)

    def concluded(self, config: Any, verdict: Verdict, resolved: int) -> None: ...


def test_a_function_of_known_capacity_is_judged_right_in_every_one_of_four_tries() -> None:
    """At half of its capacity and at twice; closer to it: ``tests/sources/simulated/test_against_k6.py``."""
    limited = function("limited", WAITS_200_MS, concurrency=20)  # 100 requests/s
    env = make_live_env(campaign(limited, rates=[50, 200], iterations=4, max_invalid_retries=20))
    env.observer = recorder = Recorder()
    env.reset(seed=1)
    try:
        for action in (0, 1):
            env.step(action)
    finally:
        env.close()
    judged = Counter((event.config_pairs[0][1], str(event.verdict)) for event in recorder.events if event.is_valid)
    assert judged == {(50, "OK"): 4, (200, "OVERLOADED"): 4}


@pytest.fixture
def serialised() -> Iterator[LocalNode]:
    """Serves 20 requests/s and lets the others wait."""
    config = parse_config({"functions": [function("serial", ONE_AFTER_THE_OTHER, concurrency=500)]})
    with LocalNode(config.functions) as node:
        yield node


@pytest.mark.parametrize(("max_vus", "what"), [(1000, "timeout"), (20, "dropped")])
def test_a_function_slower_than_the_clients_timeout_is_overloaded(
    serialised: LocalNode, max_vus: int, what: str
) -> None:
    event = measured(serialised, "serial", 60, K6(timeout_s=1, max_vus=max_vus), duration_s=2)
    (serial,) = event.functions
    lost = {"dropped": serial.dropped, **serial.failed}
    assert event.verdict is Verdict.OVERLOADED
    assert lost[what] > 0
    assert serial.offered == pytest.approx(120, abs=3)
    assert serial.success_rate == pytest.approx(serial.succeeded / serial.offered)
    assert serial.success_rate < 0.7


def test_a_queue_without_a_limit_is_overload_although_every_request_is_answered() -> None:
    serial = function("serial", ONE_AFTER_THE_OTHER, concurrency=500)  # 20 requests/s
    write(campaign(serial, rates=[10, 40], duration="2s", timeout="5s"))

    code, shown, errors = run()

    assert (code, errors) == (0, "")
    verdicts = dict(query("SELECT rates_rps[1], verdict FROM execution_events"))
    assert verdicts == {10: "OK", 40: "OVERLOADED"}
    assert "backlog of serial: it served " in shown
    assert "serial 40: OK, measured" in peva("ask", "serial=40", "--rule", "backlog=false").stdout


def test_certain_verdicts_cost_one_run_and_certain_overload_a_part_of_one() -> None:
    limited = function("limited", WAITS_200_MS, concurrency=12)  # 60 requests/s
    write(campaign(limited, rates=[5, 10, 180], iterations=3, duration="5s", max_invalid_retries=20))
    options = ["--dominance", "within_sets", "--repeats", "adaptive", "--early-abort", "--agent", "bisection"]
    code, shown, errors = run(*options)
    assert (code, errors) == (0, "")
    durations = "SELECT rates_rps[1], duration_s FROM execution_events WHERE kind = 'measured' AND verdict != 'INVALID'"
    (low_rps, whole_s), (high_rps, part_s) = sorted(query(durations))  # 10 is in the middle, and tells of 5
    assert (low_rps, whole_s, high_rps) == (10, 5.0, 180)
    assert part_s < 5.0
    assert query("SELECT kind, verdict, rates_rps FROM execution_events WHERE iteration < 0") == [
        ("inferred", "OK", [5])
    ]
    assert "aborted after " in shown
    assert run(*options)[0] == 0
    assert len(query(durations)) == 2, "all of it is complete"
    verified = peva("memory", "verify", str(MEMORY))
    assert verified.returncode == 0, verified.stdout


def test_the_registered_environment_steps_for_real_without_an_import_of_ours() -> None:
    script = f"""
        import gymnasium, json
        env = gymnasium.make("peva_env:peva/FaasLive-v1", config={campaign(rates=[10, 20])!r})
        again = json.loads(env.spec.to_json())
        assert again["id"] == "peva/FaasLive-v1" and again["kwargs"]["config"]["duration"] == "1s", again
        observation, info = env.reset(seed=3)
        assert env.observation_space.contains(observation)
        assert info["action_mask"].tolist() == [1, 1]
        observation, reward, terminated, truncated, info = env.step(1)
        assert env.observation_space.contains(observation)
        assert (info["verdict"], info["n_runs"], info["action_mask"].tolist()) == ("OK", 1, [1, 0]), info
        *_, skipped = env.step(1)
        assert skipped["skip_reason"] == "already measured"
        assert env.step(0)[2]
        env.close()
    """
    environment = {**os.environ, "PYTHONPATH": ""}
    command = [sys.executable, "-W", "error", "-c", textwrap.dedent(script)]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60, env=environment, check=False)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert [rates for rates, *_ in runs()] == [[20], [10]]


def test_only_the_configurations_that_are_named_are_measured() -> None:
    functions = [function("a", AT_ONCE), function("b", AT_ONCE)]
    chosen = [{"a": 20}, {"a": 10, "b": 20}]
    both = {"min_functions": 1, "max_functions": 3}
    write(campaign(*functions, rates=[10, 20], combinations=both, configurations=chosen))
    code, output, _ = run("--agent", "cartesian")
    assert code == 0
    assert sorted(rates for rates, *_ in runs()) == [[10, 20], [20]]
    assert "complete: 2 configurations measured, 0 inferred, 0 unknown" in output
    assert "why it ended: complete: every configuration was measured\n" in output
    assert query("SELECT detail FROM run_sessions") == [("complete: every configuration was measured",)]
