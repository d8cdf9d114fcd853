"""Agents and the one loop: the scheduler proposes, the policy decides, nothing is swallowed."""

from asyncio import CancelledError
from collections.abc import Callable, Iterator, Sequence
from importlib.metadata import entry_points
from itertools import repeat
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from peva_agents.bandit import BanditAgent
from peva_agents.cartesian import CartesianAgent
from peva_agents.level_set import LevelSetAgent
from peva_agents.loop import run_campaign
from peva_agents.policy_agent import PolicyAgent
from peva_agents.staircase import StaircaseAgent
from peva_env.config import DfaasConfig
from peva_env.console.output import OutputClosed
from peva_env.contracts import ConfigScheduler, EndStatus, ExecutionEvent, PolicyAlgorithm, PolicyContext
from peva_env.env import PevaEnv
from peva_env.errors import PolicyError
from peva_env.planning import Candidates, CartesianScheduler, NoOpPolicy, agent_factory, own_policy
from peva_env.space import Config, ConfigSpace
from tests.fixtures.custom_algo import CustomPolicy
from tests.support.scripted import ScriptedHost

SPACE = ConfigSpace({"a": [10, 20, 30], "b": [10, 20]}, max_functions=3)
CAPACITY = {"a": 10, "b": 20}

type MakeHost = Callable[..., ScriptedHost]


@pytest.fixture
def make_host(tmp_path: Path) -> Iterator[MakeHost]:
    made: list[ScriptedHost] = []

    def make(space: ConfigSpace = SPACE, **options: Any) -> ScriptedHost:
        made.append(ScriptedHost(space, CAPACITY, tmp_path / str(len(made)), **options))
        return made[-1]

    yield make
    for host in made:
        host.close()


def test_the_defaults_meet_their_contracts() -> None:
    assert isinstance(CartesianScheduler(), ConfigScheduler)
    assert isinstance(NoOpPolicy(), PolicyAlgorithm)


def test_the_baseline_measures_in_plan_order_and_leaves_out_what_is_dominated(make_host: MakeHost) -> None:
    host = make_host()
    result = run_campaign(PevaEnv(host), CartesianAgent())
    assert host.source.runs == [
        [("a", 10)],
        [("a", 20)],
        [("b", 10)],
        [("b", 20)],
        [("a", 10), ("b", 10)],
        [("a", 10), ("b", 20)],
        [("a", 20), ("b", 10)],
    ]
    assert (result.status, result.n_runs) == (EndStatus.COMPLETE, 7)


def test_with_three_planned_and_one_seen_exactly_two_are_executed(make_host: MakeHost) -> None:
    host = make_host(ConfigSpace({"a": [1, 2, 3]}))
    env = PevaEnv(host)
    env.reset()
    env.step(0)
    run_campaign(env, PolicyAgent(NoOpPolicy(), CartesianScheduler(), batch_size=3), options={"warm_start": True})
    assert host.source.runs == [[("a", 1)], [("a", 2)], [("a", 3)]]


@pytest.mark.parametrize("make", [StaircaseAgent, BanditAgent, LevelSetAgent])
def test_an_agent_goes_on_with_a_campaign_that_its_budget_ended(
    make: Callable[[DfaasConfig], PolicyAgent], make_host: MakeHost
) -> None:
    host = make_host(iterations=3, budget=(6, None))
    results = [run_campaign(PevaEnv(host), make(DfaasConfig()), options={"warm_start": True}) for _ in range(6)]
    assert results[0].status is EndStatus.BUDGET
    assert results[-1].status is EndStatus.COMPLETE
    assert all(host.source.runs.count(config) == 3 for config in host.source.runs)


def test_a_resumed_campaign_with_nothing_left_runs_nothing(make_host: MakeHost) -> None:
    host = make_host()
    env = PevaEnv(host)
    run_campaign(env, CartesianAgent(), options={"warm_start": True})
    runs = len(host.source.runs)
    result = run_campaign(env, CartesianAgent(), options={"warm_start": True})
    assert (result.status, result.n_runs, len(host.source.runs)) == (EndStatus.COMPLETE, 0, runs)


def test_the_policy_decides_the_order(make_host: MakeHost) -> None:
    host = make_host(ConfigSpace({"a": [1, 2, 3, 4]}))
    policy = CustomPolicy()
    run_campaign(PevaEnv(host), PolicyAgent(policy, CartesianScheduler(), batch_size=2))
    assert host.source.runs == [[("a", 2)], [("a", 1)], [("a", 4)], [("a", 3)]]
    assert [event.config_pairs for event in policy.online] == host.source.runs


def test_micro_batches_are_flushed_at_the_end(make_host: MakeHost) -> None:
    host = make_host(ConfigSpace({"a": [1, 2, 3]}), selection_mode="micro_batch", micro_batch_size=2)
    policy = CustomPolicy()
    run_campaign(PevaEnv(host), PolicyAgent(policy, CartesianScheduler()))
    assert [len(batch) for batch in policy.batches] == [2, 1]


class Chooses(NoOpPolicy):
    """Returns what it was made with, whatever the candidates are."""

    def __init__(self, choice: Any) -> None:
        self._choice = choice

    def choose_batch(self, *, candidates: Sequence[Config], desired_size: int) -> Sequence[Config]:
        if isinstance(self._choice, BaseException):
            raise self._choice
        chosen: Sequence[Config] = self._choice
        return chosen


class OwnExit(SystemExit):
    """A library's own way out."""


@pytest.mark.parametrize(
    ("choice", "said"),
    [
        ([[("z", 1)]], r"policy Chooses: choose_batch returned \[\('z', 1\)\], which is not a candidate"),
        ([[("a", 10)], [("a", 10)]], "which is not a candidate"),
        (repeat([("a", 10)]), "which is not a candidate, or not any more"),
        ([3], "policy Chooses failed in choose_batch: TypeError"),
        ([[("a", [10])]], "policy Chooses failed in choose_batch: TypeError"),
        ([[("a", np.array([10, 20]))]], "policy Chooses failed in choose_batch: TypeError"),
        ([{"a": 10}], "policy Chooses failed in choose_batch: ValueError"),
        (np.array([[("a", 10), ("b", 10)]], object), "policy Chooses failed in choose_batch: ValueError"),
        (ValueError("boom"), r"policy Chooses failed in choose_batch: ValueError\('boom'\)"),
        (SystemExit(0), r"policy Chooses failed in choose_batch: SystemExit\(0\)"),
        (OwnExit(0), r"policy Chooses failed in choose_batch: OwnExit\(0\)"),
        (CancelledError(), r"policy Chooses failed in choose_batch: CancelledError\(\)"),
        (GeneratorExit(), r"policy Chooses failed in choose_batch: GeneratorExit\(\)"),
        (None, "policy Chooses failed in choose_batch: TypeError"),
        (map(lambda _: 1 / 0, [1]), "policy Chooses failed in choose_batch: ZeroDivisionError"),  # noqa: C417
        ([], "policy Chooses: choose_batch chose none of the candidates"),
    ],
)
def test_a_policy_that_breaks_the_contract_stops_the_campaign(make_host: MakeHost, choice: Any, said: str) -> None:
    host = make_host()
    with pytest.raises(PolicyError, match=said):
        run_campaign(PevaEnv(host), PolicyAgent(Chooses(choice), CartesianScheduler()))
    assert [status for status, _ in host.ended] == [EndStatus.FAILED]


@pytest.mark.parametrize(
    ("error", "ending"),
    [
        (KeyboardInterrupt(), KeyboardInterrupt),
        (RuntimeError("Query interrupted"), KeyboardInterrupt),  # what DuckDB makes of Ctrl-C
        (OutputClosed(), OutputClosed),
    ],
)
def test_what_ends_the_command_is_no_failure_of_the_policy(
    make_host: MakeHost, error: BaseException, ending: type[BaseException]
) -> None:
    host = make_host()
    with pytest.raises(ending):
        run_campaign(PevaEnv(host), PolicyAgent(Chooses(error), CartesianScheduler()))
    assert [status for status, _ in host.ended] == [EndStatus.INTERRUPTED]


def test_a_policy_that_never_chooses_is_stopped(make_host: MakeHost) -> None:
    host = make_host(ConfigSpace({"a": range(2000)}))
    with pytest.raises(PolicyError, match="returned nothing 1000 times in a row"):
        run_campaign(PevaEnv(host), PolicyAgent(Chooses([]), CartesianScheduler(), batch_size=1))


class Vandal(NoOpPolicy):
    """Changes what it shares with the campaign."""

    def __init__(self, change: Callable[[PolicyContext | Sequence[Config]], None]) -> None:
        self._change = change

    def setup(self, context: PolicyContext) -> None:
        self._change(context)

    def choose_batch(self, *, candidates: Sequence[Config], desired_size: int) -> Sequence[Config]:
        self._change(candidates)
        return candidates[:desired_size]


def _swap(given: Any) -> None:
    if isinstance(given, Candidates):
        given.indices[:] = 0


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda given: setattr(given.space, "functions", ()), "functions of a configuration space cannot be changed"),
        (_swap, "policy Vandal failed in choose_batch: ValueError"),
    ],
)
def test_a_policy_cannot_change_what_the_campaign_reads(make_host: MakeHost, change: Any, said: str) -> None:
    host = make_host()
    with pytest.raises(PolicyError, match=said):
        run_campaign(PevaEnv(host), PolicyAgent(Vandal(change)))


class RaisesOnUpdate(NoOpPolicy):
    """Cannot learn."""

    def __init__(self, error: BaseException) -> None:
        self._error = error

    def update_online(self, event: ExecutionEvent) -> None:
        raise self._error


@pytest.mark.parametrize("error", [RuntimeError("cannot learn"), SystemExit(7)])
def test_a_policy_that_cannot_learn_stops_the_campaign_with_the_event_stored(
    make_host: MakeHost, error: BaseException
) -> None:
    host = make_host()
    with pytest.raises(PolicyError, match="RaisesOnUpdate failed in update_online"):
        run_campaign(PevaEnv(host), PolicyAgent(RaisesOnUpdate(error), CartesianScheduler()))
    assert len(host.memory.store.events("c")) == 1
    assert [status for status, _ in host.ended] == [EndStatus.FAILED]


class WantsSetup(NoOpPolicy):
    """Keeps what it is given before its first choice."""

    def setup(self, context: PolicyContext) -> None:
        self.context = context
        self.known_before = len(context.tensors)


def test_a_policy_that_wants_it_gets_space_history_and_memory_once(make_host: MakeHost) -> None:
    host = make_host(ConfigSpace({"a": [1, 2]}))
    env = PevaEnv(host)
    env.reset()
    env.step(0)
    policy = WantsSetup()
    run_campaign(env, PolicyAgent(policy, CartesianScheduler()), seed=7, options={"warm_start": True})
    assert policy.context.space is host.space
    assert policy.context.seed == 7
    assert [event.config_pairs for event in policy.context.history] == [[("a", 1)]]
    assert policy.known_before == 1
    assert policy.context.tensors.labels.tolist() == [-1, -1]
    assert policy.context.tensors.features[:, 0].tolist() == [1, 2]


def test_agents_are_found_by_name() -> None:
    factory = entry_points(group="peva_env.agents")["cartesian"].load()
    assert factory(DfaasConfig()).name == "cartesian"
    custom = factory(DfaasConfig(algorithm_entrypoint="tests.fixtures.custom_algo:CustomPolicy"))
    assert isinstance(custom.policy, CustomPolicy)
    assert entry_points(group="peva_env.loops")["campaign"].load() is run_campaign


class RaisesOnBatch(NoOpPolicy):
    """Cannot learn from what is left at the end."""

    def update_batch(self, events: list[ExecutionEvent]) -> None:
        raise RuntimeError("cannot learn")


def test_a_policy_that_raises_in_the_last_batch_makes_the_campaign_fail(make_host: MakeHost) -> None:
    env = PevaEnv(make_host(ConfigSpace({"a": [1, 2]}), selection_mode="micro_batch"))
    with pytest.raises(PolicyError, match="RaisesOnBatch failed in update_batch"):
        run_campaign(env, PolicyAgent(RaisesOnBatch(), CartesianScheduler()))
    assert env.status is EndStatus.FAILED


class TakesOne(NoOpPolicy):
    """Chooses the first of each batch and leaves the others for good."""

    def choose_batch(self, *, candidates: Sequence[Config], desired_size: int) -> Sequence[Config]:
        return candidates[:1]


def test_an_agent_with_nothing_more_to_ask_stops_a_campaign_that_is_not_complete(make_host: MakeHost) -> None:
    host = make_host(ConfigSpace({"a": [1, 2, 3]}))
    result = run_campaign(PevaEnv(host), PolicyAgent(TakesOne(), CartesianScheduler()))
    assert (result.status, result.n_runs) == (EndStatus.STOPPED, 1)


def test_the_policy_of_an_earlier_campaign_learns_nothing_from_the_next(make_host: MakeHost) -> None:
    env = PevaEnv(make_host(ConfigSpace({"a": [1, 2]})))
    policy = CustomPolicy()
    run_campaign(env, PolicyAgent(policy, CartesianScheduler()))
    env.reset()
    env.step(0)
    assert len(policy.online) == 2


class Predicts(NoOpPolicy):
    """Says what it was made with of all configurations."""

    def __init__(self, likely: Any) -> None:
        self._likely = likely

    def predict(self, configs: Sequence[Config]) -> Any:
        if isinstance(self._likely, Exception):
            raise self._likely
        return self._likely


def test_what_a_policy_predicts_is_told_and_one_that_predicts_nothing_says_none() -> None:
    assert PolicyAgent(NoOpPolicy()).predict(SPACE[:2]) is None
    likely = PolicyAgent(Predicts([0, 1])).predict(SPACE[:2])
    assert likely is not None
    assert likely.tolist() == [0.0, 1.0]


@pytest.mark.parametrize(
    ("likely", "said"),
    [
        ([0.5, float("nan")], r"policy Predicts: predict returned nan for \[\('a', 20\)\], not 0..1"),
        ([0.5, 1.5], r"predict returned 1.5 for \[\('a', 20\)\]"),
        ([0.5], r"predict returned shape \(1,\), not \(2,\)"),
        ([0.5 + 1j, 0], "predict returned complex numbers"),
        (np.array([0.5 + 1j, 0]), "predict returned complex numbers"),
        (["often", "never"], "policy Predicts failed in predict: ValueError"),
        (RuntimeError("boom"), r"policy Predicts failed in predict: RuntimeError\('boom'\)"),
    ],
)
def test_predictions_that_are_none_are_refused_with_policy_and_value(likely: Any, said: str) -> None:
    with pytest.raises(PolicyError, match=said):
        PolicyAgent(Predicts(likely)).predict(SPACE[:2])


class Records(NoOpPolicy):
    """Takes the first candidates and remembers what it was offered."""

    def __init__(self) -> None:
        self.offered: list[Sequence[Config]] = []

    def choose_batch(self, *, candidates: Sequence[Config], desired_size: int) -> Sequence[Config]:
        self.offered.append(candidates)
        return candidates[:desired_size]


def test_without_a_scheduler_all_that_is_unknown_is_offered_one_choice_at_a_time(make_host: MakeHost) -> None:
    host, policy = make_host(), Records()
    result = run_campaign(PevaEnv(host), PolicyAgent(policy))
    assert result.status is EndStatus.COMPLETE
    assert result.n_steps == result.n_runs == len(policy.offered)
    assert list(policy.offered[0]) == list(SPACE)
    assert all(isinstance(candidates, Candidates) for candidates in policy.offered)
    n_offered = [len(candidates) for candidates in policy.offered]
    assert n_offered == sorted(set(n_offered), reverse=True)


def test_of_a_batch_what_another_one_of_it_has_told_is_not_asked_for(make_host: MakeHost) -> None:
    host = make_host(ConfigSpace({"a": [10, 20, 30]}))
    result = run_campaign(PevaEnv(host), PolicyAgent(Records(), batch_size=3))
    assert host.source.runs == [[("a", 10)], [("a", 20)]]
    assert result.n_steps == 2


def test_a_policy_of_ones_own_is_an_agent_by_its_entry_point() -> None:
    agent = agent_factory("tests.fixtures.custom_algo:CustomPolicy")(DfaasConfig(seed=3))
    assert isinstance(agent.policy, CustomPolicy)
    assert agent.name == "tests.fixtures.custom_algo:CustomPolicy"
    with pytest.raises(PolicyError, match="name it, as in --agent my_module:MyPolicy"):
        agent_factory("custom")(DfaasConfig())
    with pytest.raises(PolicyError, match="must be module:Class"):
        own_policy("CustomPolicy")(DfaasConfig())
