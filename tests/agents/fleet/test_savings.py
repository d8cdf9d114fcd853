"""What an agent would have measured alone, on a map that is known."""

import numpy as np

from peva_agents.fleet.savings import n_measured_alone
from peva_agents.learnt import LearntPolicy, TransferAgent
from peva_env.config import DfaasConfig
from peva_env.contracts import ExecutionEvent, TransferringAgent, Verdict
from peva_env.inference import MonotoneMap
from peva_env.planning import Candidates
from peva_env.space import Config, ConfigSpace
from tests.support.builders import event, function

SPACE = ConfigSpace({"a": range(10, 90, 10), "b": range(10, 90, 10)}, max_functions=3)


def run(config: Config) -> ExecutionEvent:
    """A run of a node that serves 85 requests/s."""
    total = sum(rate for _, rate in config)
    success = min(1.0, 85 / total)
    functions = tuple(function(name, rate, success_rate=success, mean_ms=20.0) for name, rate in config)
    made: ExecutionEvent = event(config, 0, Verdict.OVERLOADED if total > 85 else Verdict.OK, functions=functions)
    return made


class Recorder(LearntPolicy):
    """Keeps what it is told."""

    def __init__(self) -> None:
        super().__init__(seed=1)
        self.told: list[ExecutionEvent] = []

    def update_batch(self, events: list[ExecutionEvent]) -> None:
        self.told += events
        super().update_batch(events)


def known(configs: list[Config]) -> tuple[MonotoneMap, list[ExecutionEvent]]:
    one, runs = MonotoneMap(SPACE, dominance="within_sets"), [run(config) for config in configs]
    for each in runs:
        one.update(each.config_pairs, each.verdict)
    assert not one.n_unknown
    return one, runs


def test_an_agent_that_learnt_nothing_elsewhere_measures_alone_what_it_measured() -> None:
    policy, replayed = Recorder(), MonotoneMap(SPACE, dominance="within_sets")
    first = n_measured_alone(policy, *known(list(SPACE)))
    measured = [one.config_pairs for one in policy.told]
    assert len(measured) == first < 40
    for one in policy.told:
        replayed.update(one.config_pairs, one.verdict)
    assert n_measured_alone(Recorder(), replayed, policy.told) == first


def test_runs_of_inferred_configurations_are_those_of_the_nearest_moved_there() -> None:
    frontier = [config for config in SPACE if 75 <= sum(rate for _, rate in config) <= 95]
    policy = Recorder()
    n_measured_alone(policy, *known([*frontier, [("a", 80)], [("b", 80)]]))
    moved = [one for one in policy.told if one.config_pairs not in frontier and one.verdict is Verdict.OVERLOADED]
    assert moved
    for one in moved:
        rates = np.array([rate for _, rate in one.config_pairs])
        assert [function.rate_rps for function in one.functions] == rates.tolist()
        served = sum(function.rate_rps * function.success_rate for function in one.functions)
        assert 80 <= served <= 90


def test_the_agent_that_transfers_learns_elsewhere_and_says_how_it_chooses_alone() -> None:
    agent = TransferAgent(DfaasConfig(seed=3))
    assert isinstance(agent, TransferringAgent)
    policy = agent.alone(3)
    assert n_measured_alone(policy, *known(list(SPACE))) == n_measured_alone(LearntPolicy(seed=3), *known(list(SPACE)))
    assert list(policy.choose_batch(candidates=Candidates(SPACE, np.arange(3)), desired_size=1))
