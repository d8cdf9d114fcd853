"""What was measured elsewhere: what it says, how far it is trusted, and that none of it counts as measured here."""

import numpy as np
import pytest
from numpy.typing import NDArray

from peva_agents.beliefs.prior import Prior
from peva_env.campaign import replay_setup
from peva_env.contracts import Verdict
from peva_env.env import PevaEnv
from peva_env.features import Measurements
from peva_env.memory.tensors import TensorCache
from peva_env.space import Config, ConfigSpace
from peva_env.testing.examples import example_event

SPACE = ConfigSpace({"a": [10, 20, 30, 40], "b": [10, 20, 30, 40]}, min_functions=2, max_functions=3)


def held(*measured: tuple[Config, Verdict]) -> TensorCache:
    tensors = TensorCache()
    for config, verdict in measured:
        tensors.add(example_event(config, 0, verdict))
    return tensors


def rates(*configs: tuple[int, int]) -> NDArray[np.float64]:
    return np.array(configs, np.float64).reshape(-1, 2) / 40


def measured(labels: list[float], *configs: tuple[int, int]) -> Measurements:
    n = len(configs)
    return Measurements(rates(*configs), np.array(labels), np.ones((n, 2)), np.ones((n, 2)), np.ones(n), np.ones(n))


NOTHING = measured([])


NOWHERE = np.zeros((0, 2))

EARLIER = held(
    ([("a", 30)], Verdict.OVERLOADED), ([("a", 20), ("b", 20)], Verdict.OK), ([("c", 1)], Verdict.OVERLOADED)
)

AGREES = measured([1, 1, -1, -1], (30, 20), (40, 10), (10, 20), (20, 10))


def test_before_anything_was_measured_nothing_is_believed() -> None:
    assert Prior(EARLIER, SPACE, NOWHERE).log_odds(rates((30, 10), (10, 20)), NOTHING).tolist() == [0, 0]


def test_single_functions_tell_of_mixes_and_unknown_ones_of_nothing() -> None:
    odds = Prior(EARLIER, SPACE, NOWHERE).log_odds(rates((30, 10), (10, 20), (20, 40)), AGREES)
    assert odds[0] == pytest.approx(np.log(3))
    assert odds[1] == pytest.approx(-np.log(3))
    assert odds[2] == 0


def test_votes_that_proved_wrong_count_against_themselves() -> None:
    strange = measured([-1, 1, -1, 1], (40, 40), (10, 10), (30, 30), (20, 20))
    odds = Prior(EARLIER, SPACE, NOWHERE).log_odds(rates((40, 10), (10, 20)), strange)
    assert odds[0] <= 0 <= odds[1]


def test_a_node_that_bears_twice_as_much_is_told_by_rates_of_half_the_size() -> None:
    earlier = held(([("a", 20), ("b", 20)], Verdict.OVERLOADED), ([("a", 10), ("b", 20)], Verdict.OK))
    twice = measured([-1, -1, 1], (20, 40), (20, 20), (40, 40))
    odds = Prior(earlier, SPACE, NOWHERE).log_odds(rates((40, 40), (20, 30), (30, 30)), twice)
    assert odds[0] > 0 > odds[1]
    assert odds[2] == 0


def test_without_anything_that_fits_it_says_nothing() -> None:
    prior = Prior(held(([("c", 1)], Verdict.OK)), SPACE, NOWHERE)
    assert prior.log_odds(rates((10, 10)), AGREES).tolist() == [0]


def test_an_environment_holds_it_but_knows_nothing_by_it() -> None:
    setup = replay_setup(prior=["local-node-v1"])
    env = PevaEnv(setup.campaigns(), setup.objective)
    env.reset(seed=1)
    context = env.policy_context()
    assert len(context.tensors) == 504
    assert env.known.n_unknown == env.known.n_configs
    assert not context.history


def test_rates_are_themselves_whatever_they_are() -> None:
    space = ConfigSpace({"a": range(0, 201, 10), "b": range(0, 201, 10)}, min_functions=2, max_functions=3)
    events = [(config, Verdict.OVERLOADED if sum(rate for _, rate in config) > 200 else Verdict.OK) for config in space]
    prior = Prior(held(*events), space, NOWHERE)
    shares = np.array([[rate / 200 for _, rate in config] for config in space])
    labels = np.array([1.0 if verdict is Verdict.OVERLOADED else -1.0 for _, verdict in events])
    everything = Measurements(shares, labels, shares, shares, labels, labels)
    assert np.sign(prior.log_odds(shares, everything)).tolist() == labels.tolist()


def test_what_the_campaign_measured_itself_does_not_prove_itself_right() -> None:
    own = measured([1], (30, 10))
    memory = held(([("a", 30), ("b", 10)], Verdict.OVERLOADED))
    assert Prior(memory, SPACE, NOWHERE).log_odds(rates((40, 40)), own)[0] > 0
    assert Prior(memory, SPACE, own.rates).log_odds(rates((40, 40)), own).tolist() == [0]


def test_what_is_added_counts_like_what_was_there_before() -> None:
    later = [([("a", 30)], Verdict.OVERLOADED), ([("a", 20), ("b", 20)], Verdict.OK), ([("c", 1)], Verdict.OVERLOADED)]
    grown = Prior(held(), SPACE, NOWHERE)
    for config, verdict in later:
        grown.add([example_event(config, 0, verdict)])
    grown.add([example_event([("a", 10)], 0, Verdict.INVALID)])
    candidates = rates((30, 10), (10, 20), (20, 40))
    whole = Prior(EARLIER, SPACE, NOWHERE)
    assert grown.log_odds(candidates, AGREES).tolist() == whole.log_odds(candidates, AGREES).tolist()
