"""What was measured elsewhere: what it says, how far it is trusted, and that none of it counts as measured here."""

import numpy as np
from numpy.typing import NDArray

from agents.measured import Measurements
from agents.prior import Prior
from peva_env.contracts import Verdict
from peva_env.memory.tensor_cache import TensorCache
from peva_env.space import Config, ConfigSpace
from peva_env.testing.examples import example_event
from peva_env.worlds import replay_parts

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


def test_single_functions_tell_of_mixes_and_unknown_ones_of_nothing() -> None:
    prior = Prior(
        held(([("a", 30)], Verdict.OVERLOADED), ([("a", 20), ("b", 20)], Verdict.OK), ([("c", 1)], Verdict.OVERLOADED)),
        SPACE,
    )
    odds = prior.log_odds(rates((30, 10), (10, 20), (20, 40)), NOTHING)
    assert odds[0] > 0 > odds[1]
    assert odds[2] == 0


def test_votes_weigh_by_how_often_they_were_right_each_kind_for_itself() -> None:
    prior = Prior(held(([("a", 30)], Verdict.OVERLOADED), ([("a", 20), ("b", 20)], Verdict.OK)), SPACE)
    on_a_larger_node = measured([-1, -1, -1], (30, 10), (40, 10), (20, 10))
    before, after = (prior.log_odds(rates((40, 40), (10, 10)), known) for known in (NOTHING, on_a_larger_node))
    assert after[0] < 0 < before[0]
    assert after[1] < before[1] < 0


def test_without_anything_that_fits_it_says_nothing() -> None:
    prior = Prior(held(([("c", 1)], Verdict.OK)), SPACE)
    assert prior.log_odds(rates((10, 10)), NOTHING).tolist() == [0]


def test_an_environment_holds_it_but_knows_nothing_by_it() -> None:
    env = replay_parts(prior=["local-node-v1"]).env()
    env.reset(seed=1)
    context = env.policy_context()
    assert len(context.tensors) == 504
    assert env.known.n_unknown == env.known.n_configs
    assert not context.history
