"""Scoutings of the real command line: real k6, real functions on 127.0.0.1."""

import signal
from contextlib import closing
from importlib.util import find_spec
from itertools import groupby
from pathlib import Path

import duckdb
import pytest

pytest.importorskip("functions_framework")

from peva_env.campaign import planned
from peva_env.config import load_config
from peva_env.errors import ConfigError
from peva_env.make import make_live_env
from peva_env.memory import DEFAULT_SCHEMA_VERSION, reading, scouted_steps
from peva_env.planning import DfaasPlanBuilder, brackets
from tests.support.campaigns import (
    AT_ONCE,
    MEMORY,
    WAITS_200_MS,
    campaign,
    finish,
    function,
    k6_runs_in,
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

FAILS_AFTER_A_FEW_CALLS = """
    calls = 0
    async def handle(request):
        global calls
        calls += 1
        if calls > 3:
            raise RuntimeError('no more')
        return 'ok'
"""

LIMITED_RPS = 20
"""Four requests at once, of 200 ms each; a quarter more makes too many of them fail."""


@pytest.fixture(autouse=True)
def _cwd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def scout(*args: str) -> tuple[int, str, str]:
    ended = peva("scout", "--config", "peva.yml", *args)
    return ended.returncode, ended.stdout, ended.stderr


def auto(**settings: object) -> dict[str, object]:
    return {"rate_strategy": {"type": "auto", "levels": 4, "step": "2s", **settings}}


def rates() -> tuple[tuple[int, ...], ...]:
    return DfaasPlanBuilder(planned(load_config(Path("peva.yml")))).build_space().rates_rps


def test_a_campaign_scouts_first_and_keeps_its_rates_whatever_is_scouted_later() -> None:
    limited = function("limited", WAITS_200_MS, concurrency=4, max_rate=2 * LIMITED_RPS)
    write(campaign(limited, rates=[1], **auto()))
    code, output, errors = run("--budget-runs", "1")
    assert code == 3
    # On a busy machine the lowest rate may be so low that a run of a second has few requests.
    assert all("warning: duration = 1s: limited at" in line for line in errors.splitlines())
    assert "limited: the limit is " in output

    (hashed,) = {hashed for (hashed,) in query("SELECT context_hash FROM execution_events")}
    with reading(MEMORY, DEFAULT_SCHEMA_VERSION) as memory:
        (bracket,) = brackets(scouted_steps(memory, hashed))
    assert bracket.ok is not None
    assert bracket.first_overloaded is not None
    # Close to the limit a busy machine makes steps INVALID, and an interval wider.
    assert 0.5 * LIMITED_RPS <= bracket.ok[0][1] <= 1.3 * LIMITED_RPS
    assert 0.9 * LIMITED_RPS <= bracket.first_overloaded[0][1] <= 2 * LIMITED_RPS
    chosen = rates()
    assert len(chosen[0]) == 4
    assert chosen[0][0] < LIMITED_RPS / 2
    assert chosen[0][-1] > LIMITED_RPS
    kinds = query("SELECT kind, repetition, count(*) FROM execution_events GROUP BY ALL ORDER BY ALL")
    assert [(kind, repetition) for kind, repetition, _ in kinds] == [("measured", 1), ("scouted", 0)]

    with closing(duckdb.connect(str(MEMORY))) as memory:  # the clock was a day ahead then, and was set right since
        for table in ("run_sessions", "execution_events"):
            memory.execute(
                f"UPDATE {table} SET started_at = started_at + 86400, ended_at = ended_at + 86400 "  # noqa: S608
                "WHERE run_id IN (SELECT run_id FROM execution_events WHERE kind = 'measured')"
            )
    code, output, _ = scout("--max-rate", "4")
    assert code == 0
    assert "limited: never overloaded, up to limited 4 rps" in output
    assert "note: a campaign of this context has begun: its rates stay those of an earlier scouting" in output
    assert rates() == chosen
    code, output, _ = run("--budget-runs", "1")
    assert code == 3
    assert "scouting" not in output
    assert statuses().count("budget") == 2
    in_order = query("SELECT kind FROM execution_events ORDER BY started_at")
    assert [kind for (kind,), _ in groupby(in_order)] == ["scouted", "measured", "scouted", "measured"]


def test_a_scouting_of_quick_functions_finds_no_limit_and_is_handed_to_agents() -> None:
    functions = [function(name, AT_ONCE, max_rate=10) for name in ("one", "two")]
    write(campaign(*functions, rates=[1], combinations={"max_functions": 3}, **auto()))
    with pytest.raises(ConfigError, match="holds no complete scouting of this context yet: scout first"):
        make_live_env(config_path="peva.yml")
    figure = ["--figure", "scout.png"] if find_spec("matplotlib") else []
    code, output, errors = scout(*figure)
    assert (code, errors) == (0, "")
    assert "one: never overloaded, up to one 10 rps: a map up to there is all OK" in output
    assert "one + two: never overloaded, up to one 10 rps + two 10 rps" in output
    if figure:
        assert Path("scout.png").stat().st_size > 1000
    assert statuses() == ["complete"]
    env = make_live_env(config_path="peva.yml")
    try:
        env.reset(seed=1)
        history = env.policy_context().history
        assert {event.kind for event in history} == {"scouted"}
        assert len({event.config_key[0] for event in history}) == 3
        assert env.run_context.repetition == 1
    finally:
        env.close()


def test_a_scouting_without_time_says_so_and_decides_nothing() -> None:
    write(campaign(rates=[1], **auto(max_time="3s")))
    code, output, errors = scout()
    assert (code, errors) == (3, "")
    assert "note: the time was up before all steps: give a longer --max-time" in output
    code, output, errors = run()
    assert code == 1
    assert one_line(errors) == "peva-env: rate_strategy.max_time 3s: was too short for all rays; give more time"
    assert statuses() == ["budget", "budget"]
    figure = ["--figure", "scout.png"] if find_spec("matplotlib") else []
    code, output, errors = scout("--max-time", "1s", *figure)
    assert (code, errors) == (3, "")
    assert not figure or "no step is valid: scout.png is not drawn" in output


def test_a_scouting_that_was_cut_off_decides_nothing_and_a_function_that_never_answers_has_no_rates() -> None:
    broken = function("broken", FAILS_AFTER_A_FEW_CALLS)
    write(campaign(broken, rates=[1], cooldown={"max_wait_seconds": 2, "sleep_step_seconds": 0.2}, **auto()))
    process = start()
    assert wait_until(lambda: MEMORY.exists() and k6_runs_in(process))
    process.send_signal(signal.SIGTERM)
    process.send_signal(signal.SIGINT)
    code, output, errors = finish(process)
    assert (code, errors) == (130, "")
    assert "interrupted: the step in progress is discarded; the same command scouts anew" in output
    process = start()
    assert wait_until(lambda: len(statuses()) == 2 and k6_runs_in(process))
    process.kill()
    assert finish(process)[0] == -signal.SIGKILL
    code, output, errors = run()
    assert code == 2
    assert "broken: overloaded at its lowest step, broken 1 rps" in output
    assert one_line(errors).startswith(
        "peva-env: rate_strategy.type auto: broken: overloaded at its lowest step, broken 1"
    )
    assert one_line(errors).endswith(
        "no rates can be chosen: mend the function and scout again with `peva-env scout`, or write its rates yourself"
    )
    assert statuses() == ["interrupted", "crashed", "complete"]
