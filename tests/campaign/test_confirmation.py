"""Confirming a complete map: only its certificate is run again, until it is confirmed or too near a limit."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.confirm import confirmed
from peva_env.campaign.budget import Budget
from peva_env.campaign.confirmation import MOST_RUNS
from peva_env.config import parse_config
from peva_env.contracts import EndStatus, ExecutionEvent, Verdict
from peva_env.errors import ConfigError
from peva_env.space import Config, config_key
from tests.support.builders import ScriptedSource
from tests.support.executor import Campaign

LEVEL = 0.95
CLEAR = 0.2
"""A margin that one run confirms."""


@dataclass
class MarginSource(ScriptedSource):
    """Answers each run with a margin, whose sign is the verdict."""

    margin: Callable[[Config, int], float] = field(default=lambda _config, _iteration: CLEAR)

    def measure(self, config: Config, *, iteration: int, rng: np.random.Generator) -> ExecutionEvent:
        margin = self.margin(config, iteration)
        verdict = Verdict.OK if margin > 0 else Verdict.OVERLOADED
        run = super().measure(config, iteration=iteration, rng=rng)
        return replace(run, verdict=verdict, margin=margin, functions=())


def campaign(folder: Path, margins: dict[int, Callable[[int], float]], **settings: Any) -> Campaign:
    """A campaign whose certificate is a 40, b 40 and both at 40; ``margins`` are those of ``a`` alone, by its rate."""

    def margin(config: Config, iteration: int) -> float:
        names, rates = config_key(config)
        return margins[rates[0]](iteration) if names == ("a",) and rates[0] in margins else CLEAR

    return Campaign(folder, MarginSource(margin=margin), dominance="within_sets", confirm=LEVEL, **settings)


def complete(one: Campaign) -> Counter[str]:
    """Measure the three highest configurations, which prove all others, and return how often each was run."""
    for rates in ({"a": 40}, {"b": 40}, {"a": 40, "b": 40}):
        one.execute(**rates)
    return Counter(" ".join(f"{name}{rate}" for name, rate in config) for config, _ in one.source.asked)


def test_only_what_is_not_confirmed_is_run_again(tmp_path: Path) -> None:
    with campaign(tmp_path, {40: lambda _: 0.02}) as one:
        assert complete(one) == {"a40": 7, "b40": 1, "a40 b40": 1}  # 0.02 / 0.03 x sqrt(7) > 1.64
        assert one.running.ending is EndStatus.COMPLETE
        one.running.end(EndStatus.COMPLETE)
        assert one.running.end_detail == (
            "certificate confirmed: each of its 3 verdicts has a confidence of 0.95, "
            "with more runs of some configurations"
        )


def test_what_lies_at_a_limit_is_run_a_bounded_number_of_times(tmp_path: Path) -> None:
    with campaign(tmp_path, {40: lambda iteration: 0.02 * (-1) ** iteration}) as one:
        assert complete(one)["a40"] == MOST_RUNS
        one.running.end(EndStatus.COMPLETE)
        assert one.running.end_detail == (
            "certificate proved: 3 of 3 measured configurations prove all 24 verdicts; 1 of 3 lie so near a limit that "
            "9 runs do not confirm them, with more runs of some configurations"
        )


def test_a_verdict_that_turns_opens_the_map_again(tmp_path: Path) -> None:
    margins = {40: lambda iteration: -0.06 if iteration else 0.01, 30: lambda _: CLEAR}
    with campaign(tmp_path, margins) as one:
        complete(one)
        assert one.running.known.verdict([("a", 40)]) is Verdict.OVERLOADED
        assert one.running.known.n_unknown == 3
        assert one.running.ending is None
        context = one.running.context
        one.execute(a=30)
        assert one.running.ending is EndStatus.COMPLETE
        assert context is not one.context, "schedulers begin anew"


def test_a_budget_ends_a_confirmation_and_the_next_start_continues_it(tmp_path: Path) -> None:
    with campaign(tmp_path, {40: lambda _: 0.02}, budget=Budget(runs=5)) as one:
        assert complete(one)["a40"] == 3
        assert one.running.ending is EndStatus.BUDGET
    with campaign(tmp_path, {40: lambda _: 0.02}) as again:
        again.running.resume(np.random.default_rng(0))
        assert len(again.source.asked) == 4
        assert again.running.ending is EndStatus.COMPLETE


def test_only_a_confirmation_that_ran_something_speaks_of_more_runs(tmp_path: Path) -> None:
    with campaign(tmp_path, {40: lambda _: 0.02}, budget=Budget(runs=3)) as one:
        complete(one)
        one.running.end(EndStatus.BUDGET)
        assert one.running.end_detail == "budget of runs: all 3 are spent, the map is complete, and not confirmed"


def test_a_confirmation_that_was_killed_near_its_end_still_speaks_of_more_runs(tmp_path: Path) -> None:
    with campaign(tmp_path, {40: lambda _: 0.02}) as one:
        complete(one)
    with campaign(tmp_path, {40: lambda _: 0.02}) as again:
        again.running.resume(np.random.default_rng(0))
        assert again.source.asked == []
        again.running.end(EndStatus.COMPLETE)
        assert (again.running.end_detail or "").endswith("with more runs of some configurations")


@pytest.mark.parametrize("level", [1.0, 0.5, 0])
def test_a_confidence_that_no_run_can_reach_is_refused(level: float) -> None:
    with pytest.raises(ConfigError, match=rf"confirm = {level}: must be above 0.5 and below 1, such as 0.95; no"):
        parse_config({"confirm": level})


def test_a_confirmation_leaves_fewer_wrong_labels() -> None:
    """A small version of ``python -m benchmarks confirm``, on other nodes."""
    found = list(confirmed(3_000, 15, iterations=3))
    assert sum(one.wrong_after for one in found) <= 0.75 * sum(one.wrong_before for one in found)
    assert sum(one.n_runs_after for one in found) <= 1.4 * sum(one.n_runs_before for one in found)
