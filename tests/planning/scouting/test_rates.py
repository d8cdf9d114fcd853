"""Rates from brackets: around the limit, denser near it, of numbers that people like."""

from dataclasses import replace
from itertools import pairwise

import pytest

from peva_env.config import DfaasConfig, parse_config
from peva_env.contracts import EventKind, ExecutionEvent, Verdict
from peva_env.errors import ConfigError
from peva_env.planning import DfaasPlanBuilder, scouted_config, with_placeholder_rates
from peva_env.planning.scouting.rates import levels
from peva_env.space import Config
from tests.support.builders import event

OK, OVERLOADED = Verdict.OK, Verdict.OVERLOADED


def step(config: Config, verdict: Verdict = OK) -> ExecutionEvent:
    made: ExecutionEvent = event(config, 0, verdict, reasons=("why",) if verdict is OVERLOADED else ())
    return replace(made, kind=EventKind.SCOUTED)


def auto(*names: str, levels: int = 12, **settings: object) -> DfaasConfig:
    functions = [{"name": name} for name in names]
    return parse_config({"functions": functions, "rate_strategy": {"type": "auto", "levels": levels}, **settings})


def rates(config: DfaasConfig) -> dict[str, tuple[int, ...]]:
    space = DfaasPlanBuilder(config).build_space()
    return dict(zip(space.functions, space.rates_rps, strict=True))


def test_the_rates_of_a_function_that_serves_a_hundred() -> None:
    assert levels(100, 12) == [20, 35, 50, 60, 70, 80, 90, 95, 105, 115, 125, 140]


@pytest.mark.parametrize("limit", [3, 17, 95, 250, 1234, 60_000])
@pytest.mark.parametrize("n", [2, 5, 12, 30])
def test_levels_lie_around_the_limit_and_are_denser_near_it(limit: int, n: int) -> None:
    found = levels(limit, n)
    assert found == sorted(set(found))
    assert 0 < found[0] <= max(1, 0.25 * limit)
    assert found[-1] <= 1.45 * limit + 1
    assert found[-1] > limit
    assert len(found) == n or limit < n
    if n >= 12 and limit >= 95:
        gaps = [(b - a, abs((a + b) / 2 - limit)) for a, b in pairwise(found)]
        nearest, farthest = min(gaps, key=lambda gap: gap[1])[0], max(gaps, key=lambda gap: gap[1])[0]
        assert nearest < farthest


def test_where_nothing_breaks_the_levels_end_at_the_highest_rate_that_was_tried() -> None:
    assert levels(1000, 5, is_reached=False) == [350, 500, 700, 850, 1000]


def test_each_function_has_rates_of_its_own_scale() -> None:
    config = auto("slow", "fast", combinations={"max_functions": 3})
    steps = [
        step([("slow", 19)]), step([("slow", 21)], OVERLOADED), step([("fast", 1950)]),
        step([("fast", 2050)], OVERLOADED), step([("fast", 900), ("slow", 9)], OVERLOADED),
    ]  # fmt: skip
    found = rates(scouted_config(config, steps))
    assert found["slow"] == (4, 7, 10, 12, 14, 16, 18, 19, 21, 23, 25, 28)
    assert found["fast"][0] == 400
    assert found["fast"][-1] == 2800
    assert scouted_config(config, steps) == scouted_config(config, reversed(steps))


def test_own_rates_and_bounds_are_kept() -> None:
    own = {"name": "own", "rate_strategy": {"type": "custom", "rates": [7]}}
    config = parse_config({"functions": [{"name": "a", "max_rate": 90}, own], "rate_strategy": {"type": "auto"}})
    found = rates(scouted_config(config, [step([("a", 80)]), step([("a", 85)], OVERLOADED)]))
    assert found["own"] == (7,)
    assert max(found["a"]) <= 90
    assert not parse_config({"functions": [own], "rate_strategy": {"type": "auto"}}).needs_scouting


def test_the_heaviest_configuration_keeps_to_the_total() -> None:
    config = auto("a", "b", combinations={"max_functions": 3}, max_total_rate=150)
    steps = [step([(name, rate)], verdict) for name in "ab" for rate, verdict in ((90, OK), (110, OVERLOADED))]
    found = rates(scouted_config(config, steps))
    assert sum(map(max, found.values())) <= 150


def test_a_function_without_evidence_is_an_error_of_one_line() -> None:
    with pytest.raises(ConfigError, match=r"no step of a was valid: scout again with `peva-env scout`"):
        scouted_config(auto("a"), [])
    with pytest.raises(
        ConfigError, match=r"lowest step, a 1 rps \(why\); no rates .*: mend the function and scout again"
    ):
        scouted_config(auto("a"), [step([("a", 1)], OVERLOADED)])


def test_before_a_scouting_the_plan_has_a_size_but_no_rates() -> None:
    config = auto("a", "b", levels=7, combinations={"max_functions": 3})
    with pytest.raises(ConfigError, match="the rates are not known before a scouting"):
        DfaasPlanBuilder(config).build_space()
    assert DfaasPlanBuilder(with_placeholder_rates(config)).build_space().n_configs == 7 + 7 + 49


def test_other_strategies_stay_as_they_are() -> None:
    config = parse_config({"rate_strategy": {"type": "custom", "rates": [5]}})
    assert scouted_config(config, []) is config
    assert with_placeholder_rates(config) is config
