"""Why a campaign ended, in words."""

import pytest

from peva_env.campaign.budget import Budget
from peva_env.campaign.confirmation import Confirmation
from peva_env.campaign.ending import why_ended
from peva_env.config import OverloadConfig
from peva_env.contracts import EndReason, EndStatus, Verdict, ending_text
from peva_env.inference import MonotoneMap
from peva_env.space import ConfigSpace, Dominance

OK, OVERLOADED = Verdict.OK, Verdict.OVERLOADED


def line(verdicts: dict[int, Verdict], dominance: Dominance = "within_sets") -> MonotoneMap:
    """The map of one function at five rates, some of them measured."""
    known = MonotoneMap(ConfigSpace({"a": range(10, 60, 10)}), dominance=dominance)
    for rate, verdict in verdicts.items():
        known.update([("a", rate)], verdict)
    return known


def test_a_complete_map_was_measured_or_proved() -> None:
    proved = line({10: OK, 30: OK, 40: OVERLOADED})
    assert why_ended(EndStatus.COMPLETE, proved, Budget()) == (
        "certificate proved: 2 of 3 measured configurations prove all 5 verdicts"
    )
    upwards = line({10: OK, 20: OK, 30: OVERLOADED}, "one_sided")
    assert why_ended(EndStatus.COMPLETE, upwards, Budget()) == (
        "certificate proved: 3 measured configurations prove all 5 verdicts"
    )
    measured = line(dict.fromkeys(range(10, 60, 10), OK))
    assert why_ended(EndStatus.COMPLETE, measured, Budget()) == "complete: every configuration was measured"


def test_what_contradicts_itself_to_the_end_is_noise() -> None:
    known = line({10: OK, 20: OVERLOADED, 30: OK, 40: OVERLOADED})
    known.quarantine([("a", 20)], [("a", 30)])
    assert not known.n_unknown
    assert why_ended(EndStatus.COMPLETE, known, Budget()) == (
        "nothing left above noise: 2 configurations contradict each other after all their runs, the rest is proved"
    )


@pytest.mark.parametrize(
    ("budget", "said"),
    [
        (Budget(runs=40, spent_runs=40), "budget of runs: all 40 are spent, 1 configuration is unknown"),
        (Budget(seconds=1.5, spent_s=2.0), "budget of seconds: all 1.5 s are spent, 1 configuration is unknown"),
        (Budget(runs=9, steps=7, spent_steps=7), "budget of steps: all 7 are spent, 1 configuration is unknown"),
    ],
)
def test_the_budget_that_is_spent_is_named(budget: Budget, said: str) -> None:
    known = line({20: OK, 40: OVERLOADED})
    assert why_ended(EndStatus.BUDGET, known, budget) == said
    assert ending_text(EndStatus.BUDGET, said) == said


def test_an_agent_that_stops_an_interruption_and_a_failure() -> None:
    known = line({20: OK})
    assert why_ended(EndStatus.STOPPED, known, Budget()) == (
        "no further choice: the agent picks nothing more, 3 configurations are unknown"
    )
    interrupted = why_ended(EndStatus.INTERRUPTED, known, Budget())
    assert interrupted == "interrupted: 3 configurations are unknown"
    assert ending_text(EndStatus.INTERRUPTED, interrupted) == interrupted
    assert why_ended(EndStatus.FAILED, known, Budget()) is None


def test_a_status_and_its_reason_are_one_text() -> None:
    assert ending_text(EndStatus.COMPLETE, f"{EndReason.PROVED}: all") == "complete: certificate proved: all"
    assert ending_text(EndStatus.RUNNING, None) == "running"


def test_more_runs_of_some_configurations_are_told() -> None:
    known = line({20: OK})
    said = why_ended(EndStatus.INTERRUPTED, known, Budget(), goes_on_with_some=True)
    assert said == "interrupted: 3 configurations are unknown, with more runs of some configurations"
    unused = Confirmation(0.95, OverloadConfig(), 2.0, known, 1)
    assert why_ended(EndStatus.INTERRUPTED, known, Budget(), unused) == "interrupted: 3 configurations are unknown"
