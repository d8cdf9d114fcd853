"""Staircase, bandit and level set: each does what it says."""

from collections.abc import Callable, Iterator
from typing import Any

import gymnasium
import numpy as np
import pytest

from peva_agents.bandit import BanditPolicy
from peva_agents.bisection import BisectionAgent, BisectionPolicy
from peva_agents.level_set import LevelSetAgent, LevelSetPolicy
from peva_agents.loop import run_campaign
from peva_agents.staircase import StaircasePolicy
from peva_env.config import DfaasConfig
from peva_env.contracts import ExecutionEvent, PolicyContext, Verdict
from peva_env.inference import MonotoneMap
from peva_env.memory.tensors import TensorCache
from peva_env.planning import Candidates
from peva_env.space import Config, ConfigSpace
from peva_env.testing.examples import example_event, example_skip

PLANE = ConfigSpace({"a": range(0, 120, 10), "b": range(0, 90, 10)}, min_functions=2, max_functions=3)
CUBE = ConfigSpace({name: range(0, 60, 10) for name in "abc"}, min_functions=3, max_functions=4)

type Truth = Callable[[Config], bool]


def ready(policy: Any, space: ConfigSpace = PLANE, history: tuple[ExecutionEvent, ...] = ()) -> Any:
    policy.setup(PolicyContext(space, 0, {}, history, TensorCache(), dominance="within_sets"))
    return policy


def played(policy: Any, space: ConfigSpace, truth: Truth, **costs_s: float) -> list[ExecutionEvent]:
    """Let a policy find a map, in which a truth says what is overloaded, and return its runs."""
    known, events = MonotoneMap(space, dominance="within_sets"), []
    assert known.labels is not None
    while known.n_unknown:
        candidates = Candidates(space, np.flatnonzero(known.labels == 0))
        (config,) = policy.choose_batch(candidates=candidates, desired_size=1)
        verdict = Verdict.OVERLOADED if truth(config) else Verdict.OK
        events.append(example_event(config, verdict=verdict, cost_s=costs_s.get(verdict.lower(), 1.0)))
        known.update(config, verdict)
        policy.update_online(events[-1])
    return events


def frontiers(space: ConfigSpace, n: int = 20) -> Iterator[Truth]:
    """Yield some monotone truths."""
    rng = np.random.default_rng(1)
    for _ in range(n):
        weights = dict(zip(space.functions, rng.exponential(size=len(space.functions)), strict=True))
        limit, power = 60 * rng.exponential(), rng.uniform(0.3, 3)
        yield lambda config, w=weights, at=limit, p=power: (  # type: ignore[misc]
            sum(w[name] * rate**p for name, rate in config) > at**p
        )


def test_the_staircase_takes_no_more_runs_than_its_bound() -> None:
    n_runs = [len(played(ready(StaircasePolicy()), PLANE, truth)) for truth in frontiers(PLANE)]
    assert max(n_runs) <= 12 + 9 - 1


def test_the_staircase_takes_no_more_than_that_for_each_plane_of_three_functions() -> None:
    n_runs = [len(played(ready(StaircasePolicy(), CUBE), CUBE, truth)) for truth in frontiers(CUBE)]
    assert max(n_runs) <= 6 * (6 + 6 - 1)


def test_the_staircase_begins_in_a_corner_and_steps_along_the_frontier() -> None:
    events = played(ready(StaircasePolicy()), PLANE, lambda config: sum(rate for _, rate in config) > 85)
    steps = [event.config_key[1] for event in events[:5]]
    assert steps == [(0, 80), (10, 80), (10, 70), (20, 70), (20, 60)]


def test_of_one_function_the_staircase_halves_what_is_unknown() -> None:
    line = ConfigSpace({"a": range(64)})
    assert len(played(ready(StaircasePolicy(), line), line, lambda config: config[0][1] > 40)) <= 7


def cost_s(policy: Any, **costs_s: float) -> float:
    return sum(run.cost_s for truth in frontiers(PLANE) for run in played(ready(policy), PLANE, truth, **costs_s))


@pytest.mark.parametrize("costs_s", [{"overloaded": 300, "ok": 30}, {"overloaded": 30, "ok": 300}])
def test_the_bandit_heeds_what_a_verdict_costs(costs_s: dict[str, float]) -> None:
    assert cost_s(BanditPolicy(), **costs_s) < 0.9 * cost_s(BisectionPolicy(), **costs_s)


@pytest.mark.parametrize("make", [BanditPolicy, LevelSetPolicy])
def test_a_resumed_campaign_goes_on_with_what_its_history_taught(make: Callable[[], Any]) -> None:
    history = tuple(
        example_event(config, verdict=Verdict.OVERLOADED if i % 3 else Verdict.OK, cost_s=i)
        for i, config in enumerate(PLANE[:40:4])
    )
    taught = ready(make())
    for event in history:
        taught.update_online(event)
    no_runs = example_event(PLANE[-1], 0, Verdict.INVALID), example_skip(PLANE[-2])
    resumed, new = ready(make(), PLANE, history + no_runs), ready(make())
    a, b, c = (list(policy.choose_batch(candidates=PLANE, desired_size=9)) for policy in (taught, resumed, new))
    assert a == b != c


def test_on_simulated_nodes_the_level_set_needs_fewer_runs_than_bisection() -> None:
    env = gymnasium.make("peva_env:peva/FaasSim-v1", noise=0.0, budget_runs=None)

    def n_runs(make: Callable[[DfaasConfig], Any]) -> int:
        return sum(run_campaign(env, make(DfaasConfig(seed=seed)), seed=seed).n_runs for seed in range(2))

    assert n_runs(LevelSetAgent) < n_runs(BisectionAgent)


def test_the_level_set_predicts_what_it_was_not_told() -> None:
    policy = ready(LevelSetPolicy())
    truth = next(frontiers(PLANE))
    for config in PLANE[::9]:
        policy.update_online(example_event(config, verdict=Verdict.OVERLOADED if truth(config) else Verdict.OK))
    likely = policy.predict(PLANE)
    assert ((likely > 0) & (likely < 1)).all()
    assert np.mean((likely > 0.5) == [truth(config) for config in PLANE]) > 0.85
    assert policy.predict([]).shape == (0,)
