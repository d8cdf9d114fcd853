"""A campaign goes on under other overload rules: with the real command line, the real k6 and real functions."""

from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("functions_framework")

from tests.support.campaigns import MEMORY, WAITS_200_MS, campaign, function, query, run, runs, write
from tests.support.forkserver import peva

pytestmark = pytest.mark.live


@pytest.fixture(autouse=True)
def _cwd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def write_campaign(rates: list[int], overload: dict[str, Any], **settings: Any) -> None:
    """Write a campaign of a function that serves 100 requests/s."""
    limited = function("limited", WAITS_200_MS, concurrency=20)
    write(campaign(limited, rates=rates, overload=at_least(0.8) | overload, max_invalid_retries=20, **settings))


def at_least(success_rate: float) -> dict[str, Any]:
    return dict.fromkeys(["success_rate_function_min", "success_rate_node_min"], success_rate)


def n_valid_runs() -> int:
    return sum(verdict != "INVALID" for *_, verdict in runs())


def test_other_rules_judge_anew_and_only_what_the_new_map_lacks_is_measured() -> None:
    """At twice the capacity half of the requests fail, at three times of it two thirds."""
    write_campaign([200, 300], {})
    _, shown, _ = run()
    assert "1 configurations measured, 1 inferred, 0 unknown" in shown, "200 is overloaded, so 300 is skipped"

    write_campaign([200, 300], at_least(0.15))
    code, shown, errors = run()
    assert (code, errors) == (0, "")
    assert "the overload rules have changed: 1 of 2 configurations judged anew, 1 run measured" in shown
    assert "2 configurations measured, 0 inferred, 0 unknown; 1 runs took" in shown

    write_campaign([200, 300], at_least(0.1))
    _, shown, _ = run()
    assert "the overload rules have changed: 2 of 2 configurations judged anew, nothing measured again" in shown
    assert n_valid_runs() == 2
    assert query("SELECT count(DISTINCT context_hash) FROM run_sessions") == [(1,)]

    assert peva("memory", "verify", str(MEMORY)).returncode == 0
    assert len(Path("peva-results/results.csv").read_text().splitlines()) == 3, "no row is written twice"
    assert peva("ask", "limited=300").stdout.startswith("limited 300: OK, measured")
    strict = [f"--rule={rule}={share}" for rule, share in at_least(0.8).items()]
    assert peva("ask", "limited=300", *strict).stdout.startswith("limited 300: OVERLOADED, measured")


def test_a_campaign_of_a_name_has_another_name_under_other_rules() -> None:
    write_campaign([10], {}, run_id="nightly")
    run()
    for _ in range(2):  # the second time it is resumed
        write_campaign([10], {"p50_ms_max": 5}, run_id="nightly")
        code, shown, errors = run()
        assert (code, errors) == (0, "")
        assert "complete: 1 configurations measured" in shown
        first, second = (name for (name,) in query("SELECT run_id FROM run_sessions ORDER BY started_at"))
        assert f"the name of this campaign in the memory: {second}\n" in shown

    assert first == "nightly"
    assert second.startswith("nightly-")
    assert len(second) == len("nightly-") + 8
    assert n_valid_runs() == 1


def test_a_run_that_was_aborted_is_measured_again_only_where_its_bound_decides_nothing() -> None:
    """Three times the capacity: when k6 first looks, after 2 of 5 s, enough requests have failed for the whole run."""
    write_campaign([300], {}, early_abort=True, duration="5s")
    _, shown, _ = run()
    assert "aborted after" in shown
    ((lasted_s,),) = query("SELECT duration_s FROM execution_events WHERE verdict = 'OVERLOADED'")
    assert lasted_s < 5

    strict = [f"--rule={rule}={share}" for rule, share in at_least(0.85).items()]
    assert peva("ask", "limited=300", *strict).stdout.startswith("limited 300: OVERLOADED, measured")

    write_campaign([300], dict.fromkeys(at_least(0)), early_abort=True, duration="5s")
    _, shown, _ = run()
    assert "1 run measured" in shown
    assert query("SELECT verdict, duration_s FROM execution_events ORDER BY started_at")[-1] == ("OK", 5.0)


def test_a_run_that_was_stopped_counts_under_other_rules_that_it_decides() -> None:
    """Under half of the capacity, and three times of it."""
    write_campaign([40, 300], {}, stop_early="sequential", duration="20s")
    code, shown, _ = run()
    assert code == 0
    assert "clearly OK" in shown
    assert "clearly overloaded" in shown
    lasted_s = [run_s for (run_s,) in query("SELECT duration_s FROM execution_events WHERE kind = 'measured'")]
    assert max(lasted_s) < 20
    assert peva("memory", "verify", str(MEMORY)).returncode == 0

    assert peva("ask", "limited=40", "--rule", "p90_ms_max=1000").stdout.startswith("limited 40: OK, measured")
    close = peva("ask", "limited=40", "--rule", "p90_ms_max=300").stdout
    assert not close.startswith("limited 40: OK, measured"), close

    write_campaign([40, 300], {"p90_ms_max": 1000}, stop_early="sequential", duration="20s")
    _, shown, _ = run()
    assert "2 of 2 configurations judged anew, nothing measured again" in shown
