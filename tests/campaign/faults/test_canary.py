"""Real campaigns on a node that turns bad and recovers: false verdicts are suspect, and measured again.

The functions look at the campaign's own ``events.jsonl``, so that the node turns bad after a certain run, and not at a
certain time. It is well again when the canary has failed often enough.
"""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("functions_framework")

from peva_env.contracts import Verdict
from peva_env.maps import read_map
from peva_env.memory import reading, verify
from tests.support.campaigns import (
    EVENTS,
    MEMORY,
    campaign,
    function,
    one_line,
    query,
    run,
    start,
    statuses,
    write,
)
from tests.support.forkserver import peva
from tests.support.processes import wait_until

pytestmark = pytest.mark.live

RATES = [5, 10]
REST_S = 2


@pytest.fixture(autouse=True)
def _cwd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def unwell(n_events: int, n_failed_canaries: int) -> str:
    """Return the code of a function that fails k6 from so many events on, until so many canaries were overloaded."""
    return f"""
        import json
        from pathlib import Path
        EVENTS = Path({str(EVENTS.absolute())!r})
        def handle(request):
            lines = EVENTS.read_text().splitlines() if EVENTS.exists() else []
            events = [json.loads(line) for line in lines if line.endswith('}}')]
            failed = sum(e['kind'] == 'canary' and e['verdict'] == 'OVERLOADED' for e in events)
            is_k6 = 'k6' in request.headers.get('user-agent', '')
            if is_k6 and len(events) >= {n_events} and failed < {n_failed_canaries}:
                return 'unwell', 503
            return 'ok'
    """


def on_a_node_that_recovers(n_failed_canaries: int, iterations: int = 1, **settings: Any) -> None:
    """Write a campaign whose node turns bad after function one and a canary, when function two is measured."""
    code = unwell(len(RATES) * iterations + 1, n_failed_canaries)
    cooldown = {"max_wait_seconds": REST_S, "sleep_step_seconds": 0.2}
    settings = {"max_invalid_retries": 5} | settings  # a busy machine makes runs INVALID
    canary = {"every_runs": iterations}
    functions = function("one", code), function("two", code)
    write(campaign(*functions, rates=RATES, cooldown=cooldown, canary=canary, iterations=iterations, **settings))


def told(kind: str) -> list[dict[str, Any]]:
    lines = EVENTS.read_text().splitlines() if EVENTS.exists() else []
    return [event for line in lines if line.endswith("}") and (event := json.loads(line))["kind"] == kind]


def assert_true_map() -> None:
    """The node bears every rate: what it said while it was unwell is nowhere in the map."""
    node_map = read_map(MEMORY)
    assert set(node_map.known.measured.values()) == {Verdict.OK}
    assert len(node_map.known.measured) == 2 * len(RATES)
    with reading(MEMORY, "peva_faas_mem_v1") as connection:
        assert list(verify(connection)) == []


def test_what_a_bad_node_said_is_suspect_and_measured_again() -> None:
    on_a_node_that_recovers(n_failed_canaries=1)
    code, output, errors = run()
    assert (code, errors) == (0, "")
    canaries = [event["verdict"] for event in told("canary")]
    assert canaries == ["OK", "OVERLOADED", "OK", "OK", "OK"]
    (mark,) = told("suspect")
    assert (mark["config"], mark["run_id"]) == ({"two": 5}, told("measured")[0]["run_id"])
    assert query("SELECT verdict, success_rate FROM execution_events WHERE rates_rps = [5] AND kind = 'measured' "
                 "AND verdict = 'OVERLOADED'") == [("OVERLOADED", [0.0])], "the run itself is kept"  # fmt: skip
    assert_true_map()
    assert "canary one 5: OVERLOADED  success of one 0.000 < 0.8" in output
    assert "suspect: two 5: the canary one 5 rps was OVERLOADED after this run" in output
    assert "of these runs 5 were canaries; 1 runs became suspect" in output
    info = peva("memory", "info", str(MEMORY)).stdout
    assert "4 canary OK, 1 canary OVERLOADED" in info
    assert "1 suspect INVALID" in info
    again = run()
    assert again[0] == 0
    assert "nothing was left to run" in again[1]


def test_kill_9_while_the_node_is_unwell_leaves_no_false_verdict() -> None:
    """Kills at other moments: see ``tests/campaign/test_canary.py``."""
    on_a_node_that_recovers(n_failed_canaries=2, iterations=2)
    process = start()
    assert wait_until(lambda: bool(told("suspect")))
    process.kill()
    process.communicate()
    n_marks = query("SELECT count(*) FROM execution_events WHERE kind = 'suspect'")[0][0]
    code, _, errors = run()
    assert (code, errors) == (0, "")
    assert statuses() == ["crashed", "complete"]
    assert query("SELECT count(*) FROM execution_events WHERE kind = 'suspect'")[0][0] >= max(1, n_marks)
    assert Counter(event["verdict"] for event in told("canary"))["OVERLOADED"] == 2
    assert_true_map()


def test_a_node_that_stays_bad_stops_the_campaign_and_the_next_start_measures_again() -> None:
    on_a_node_that_recovers(n_failed_canaries=3, max_invalid_retries=2)
    code, _, errors = run()
    assert code == 1
    line = one_line(errors)
    assert line.startswith(
        "peva-env: canary one 5 rps: it was OK before and is OVERLOADED now, 3 time(s) with 2 s of rest in between "
        "(success of one 0.000 < 0.8"
    )
    assert "the same command measures them again once the node is well" in line
    assert statuses() == ["failed"]
    assert len(told("suspect")) == 1
    assert run()[0] == 0
    assert_true_map()
