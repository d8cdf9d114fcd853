"""The plan, its cost, and the scheduler that walks it without replacement."""

from itertools import islice

import pytest

from peva_env.config import DfaasConfig, parse_config
from peva_env.contracts import DfaasRunContext
from peva_env.errors import ConfigError
from peva_env.planning.plan import DfaasPlanBuilder
from peva_env.planning.scheduler import CartesianScheduler
from peva_env.space import Config, ConfigSpace, config_key


def two_functions() -> DfaasConfig:
    return parse_config(
        {
            "functions": [{"name": "b", "max_rate": 10}, {"name": "a"}],
            "rate_strategy": {"type": "custom", "rates": [10, 20]},
            "combinations": {"min_functions": 1, "max_functions": 3},
            "duration": "10s",
            "iterations": 2,
        }
    )


PLAN: list[Config] = [
    [("a", 10)],
    [("a", 20)],
    [("b", 10)],
    [("a", 10), ("b", 10)],
    [("a", 20), ("b", 10)],
]


def test_the_builder_makes_the_plan_step_by_step() -> None:
    planner = DfaasPlanBuilder(two_functions())
    rates = planner.build_rates()
    assert planner.build_function_names() == ["a", "b"]
    assert rates == [10, 20]
    assert planner.build_rates_by_function(rates) == {"b": [10]}
    assert list(planner.build_configurations(["a", "b"], rates, {"b": [10]})) == PLAN
    assert list(planner.build_space()) == PLAN


def test_a_function_may_have_rates_of_its_own_and_is_still_capped() -> None:
    own = {"type": "exponential", "base": 10, "min_power": 2, "max_power": 4}
    functions = [{"name": "fast", "rate_strategy": own, "max_rate": 2000}, {"name": "slow"}]
    config = parse_config({"functions": functions, "rate_strategy": {"type": "custom", "rates": [10, 20]}})
    space = DfaasPlanBuilder(config).build_space()
    assert dict(zip(space.functions, space.rates_rps, strict=True)) == {"fast": (100, 1000), "slow": (10, 20)}
    with pytest.raises(ConfigError, match="the heaviest configuration of this plan offers 1000 requests/s"):
        parse_config({**config.model_dump(exclude_unset=True), "max_total_rate": 999})


def test_random_rates_of_a_function_are_the_same_at_each_start() -> None:
    own = {"type": "random", "max_rate": 10_000}
    config = {"functions": [{"name": "a", "rate_strategy": own}], "seed": 3}
    first, second = (DfaasPlanBuilder(parse_config(config)).build_space().rates_rps for _ in range(2))
    assert first == second != DfaasPlanBuilder(parse_config(config | {"seed": 4})).build_space().rates_rps


def test_the_bound_holds_the_looks_at_a_node_that_prometheus_scrapes_as_rarely_as_it_may() -> None:
    config = two_functions().model_copy(update={"platform": "openfaas"})
    estimate, local = DfaasPlanBuilder(config).estimate(), DfaasPlanBuilder(two_functions()).estimate()
    scrape_s = config.duration_s / 2
    least_s = config.duration_s + config.timeout_s + config.cooldown.max_wait_seconds + 6 * scrape_s
    assert estimate.longest_s > least_s * estimate.n_runs
    assert estimate.cooldown_s > local.cooldown_s
    assert estimate.total_s < estimate.longest_s


def test_the_estimate_counts_load_and_cooldown() -> None:
    estimate = DfaasPlanBuilder(two_functions()).estimate()
    assert (estimate.n_configs, estimate.n_runs, estimate.load_s) == (5, 10, 100)
    assert 0 < estimate.cooldown_s < estimate.longest_s - estimate.load_s
    assert DfaasPlanBuilder(two_functions()).estimate_runtime_seconds() == round(estimate.total_s)


def test_a_batch_is_the_next_of_the_plan_in_plan_order() -> None:
    scheduler = CartesianScheduler(DfaasPlanBuilder(two_functions()))
    ctx = DfaasRunContext()
    assert scheduler.propose_batch(ctx=ctx, desired_size=4) == PLAN[:4]
    assert not scheduler.exhausted
    assert scheduler.propose_batch(ctx=ctx, desired_size=4) == PLAN[4:]
    assert scheduler.exhausted
    assert scheduler.propose_batch(ctx=ctx, desired_size=4) == []


def test_what_is_seen_drops_out_and_nothing_takes_its_place() -> None:
    ctx = DfaasRunContext(configs=PLAN, existing_index={config_key([("a", 10)])})
    assert CartesianScheduler().propose_batch(ctx=ctx, desired_size=3) == PLAN[1:3]


def test_an_entirely_seen_batch_is_empty_but_not_the_end() -> None:
    ctx = DfaasRunContext(configs=PLAN, existing_index={config_key(config) for config in PLAN[:2]})
    scheduler = CartesianScheduler()
    assert scheduler.propose_batch(ctx=ctx, desired_size=2) == []
    assert not scheduler.exhausted
    assert scheduler.propose_batch(ctx=ctx, desired_size=2) == PLAN[2:4]


def test_another_campaign_starts_the_walk_again() -> None:
    scheduler = CartesianScheduler()
    for _ in range(2):
        assert scheduler.propose_batch(ctx=DfaasRunContext(configs=PLAN), desired_size=2) == PLAN[:2]


def test_the_campaigns_own_plan_comes_before_the_builders() -> None:
    scheduler = CartesianScheduler(DfaasPlanBuilder(two_functions()))
    assert scheduler.propose_batch(ctx=DfaasRunContext(configs=[[("z", 1)]]), desired_size=2) == [[("z", 1)]]


def test_a_huge_plan_is_walked_lazily() -> None:
    space = ConfigSpace({name: range(1000) for name in "abc"}, min_functions=3, max_functions=4)
    batch = CartesianScheduler().propose_batch(ctx=DfaasRunContext(configs=space), desired_size=100)
    assert batch == list(islice(space, 100))


def test_nothing_to_schedule_is_an_error() -> None:
    with pytest.raises(ValueError, match="there is no plan"):
        CartesianScheduler().propose_batch(ctx=DfaasRunContext(), desired_size=1)
    with pytest.raises(ValueError, match="desired_size must be at least 1"):
        CartesianScheduler().propose_batch(ctx=DfaasRunContext(configs=PLAN), desired_size=0)


def test_a_plan_beyond_all_numbers_is_refused() -> None:
    functions = [{"name": f"f{i}"} for i in range(100)]
    data = {"functions": functions, "combinations": {"min_functions": 1, "max_functions": 10**400}}
    with pytest.raises(ConfigError, match=r"max_functions: the plan has more than 1e\+100 runs; load fewer"):
        DfaasPlanBuilder(parse_config(data)).estimate()


def test_some_configurations_of_a_plan_can_be_chosen() -> None:
    chosen = two_functions().model_copy(update={"configurations": [{"b": 10, "a": 20}, {"a": 10}, {"a": 10}]})
    planner = DfaasPlanBuilder(chosen)
    assert list(planner.build_chosen() or ()) == [PLAN[0], PLAN[4]]
    assert planner.estimate().n_runs == 4
    assert DfaasPlanBuilder(two_functions()).build_chosen() is None


@pytest.mark.parametrize(
    ("chosen", "said"),
    [
        ({"a": 30}, "configurations: not in the plan: 30 rps is not a rate of 'a'"),
        ({"c": 10}, "configurations: not in the plan: 'c' is not a function of this space"),
        ({}, "configurations: not in the plan: .* must name 1 to 2 different functions"),
    ],
)
def test_a_choice_outside_the_plan_is_refused(chosen: dict[str, int], said: str) -> None:
    config = two_functions().model_copy(update={"configurations": [chosen]})
    with pytest.raises(ConfigError, match=said):
        DfaasPlanBuilder(config).build_chosen()


def test_a_choice_needs_rates_that_are_known() -> None:
    data = {"functions": [{"name": "a"}], "rate_strategy": {"type": "auto"}, "configurations": [{"a": 10}]}
    with pytest.raises(ConfigError, match="configurations: are chosen from rates; give rates instead of"):
        parse_config(data)
