"""What agents are paid for, by formula; and a reward of the user's own."""

from typing import Any

import gymnasium
import numpy as np
import pytest
from numpy.typing import NDArray

from peva_env.contracts import EndStatus
from peva_env.errors import ConfigError
from peva_env.objectives import FrontierObjective, GoodputObjective, Step, make_objective
from peva_env.space import ConfigSpace

SPACE = ConfigSpace({"a": [10, 50], "b": [100, 150]}, min_functions=2, max_functions=3)


class PaysPerRun:
    """Pays what it is told to, for each run."""

    def __init__(self, space: ConfigSpace, *, pay: float = 1.0) -> None:
        self._pay = pay

    def reward(self, step: Step, memo: NDArray[np.float64]) -> NDArray[np.float64]:
        memo += 1
        return self._pay * memo


class PaysNothing:
    """Is no objective."""

    def __init__(self, space: ConfigSpace) -> None:
        pass


def step(*, success: Any = (1.0, 1.0), p95_s: Any = (0.1, 0.1), rates: Any = (50, 100), **values: Any) -> Step:
    plain: dict[str, Any] = {
        "resolved": np.array([0.25]),
        "spent": np.array([0.1]),
        "labels": np.array([-1], np.int8),
        "rates_rps": np.array([rates], np.int32),
        "values": np.array([[0, 0, 0, *success, *p95_s]], np.float32),
        "mask": np.ones((1, 7), np.int8),
    }
    return Step(**plain | values)


def test_frontier_pays_what_is_resolved_less_what_is_spent() -> None:
    assert FrontierObjective(SPACE).reward(step(), np.zeros(1)).tolist() == pytest.approx([0.15])


def test_goodput_pays_what_is_better_than_before() -> None:
    objective, memo = GoodputObjective(SPACE, p95_ms=200, success_rate=0.9), np.zeros(1)
    assert objective.reward(step(), memo).tolist() == pytest.approx([150 / 200 - 0.1])
    assert objective.reward(step(rates=(10, 100)), memo).tolist() == pytest.approx([-0.1])
    assert objective.reward(step(rates=(50, 150)), memo).tolist() == pytest.approx([50 / 200 - 0.1])
    assert memo.tolist() == pytest.approx([1.0])


@pytest.mark.parametrize(
    ("values", "goodput_rps"),
    [
        ({"success": (0.5, 1.0)}, 100),
        ({"success": (1.0, 0.95)}, 50 + 95),
        ({"p95_s": (0.1, 0.3)}, 50),
        ({"mask": np.array([[1, 1, 1, 1, 1, 1, 0]], np.int8)}, 50),
        ({"rates": (0, 100)}, 100),
    ],
)
def test_only_functions_that_meet_their_objective_count(values: dict[str, Any], goodput_rps: float) -> None:
    objective = GoodputObjective(SPACE, p95_ms=200, success_rate=0.9)
    assert objective.reward(step(**values), np.zeros(1)).tolist() == pytest.approx([goodput_rps / 200 - 0.1])


def test_a_reward_of_ones_own_is_found_by_name_and_has_a_memory_per_episode() -> None:
    arguments: dict[str, Any] = {
        "reward": "tests.test_objectives:PaysPerRun",
        "reward_kwargs": {"pay": 0.5},
        "budget_runs": 3,
    }
    env = gymnasium.make("peva_env:peva/FaasSim-v0", **arguments)
    vector: Any = gymnasium.make_vec(
        "peva/FaasSim-v0", num_envs=2, vectorization_mode="vector_entry_point", autoreset_mode="SameStep", **arguments
    )
    _, info = env.reset(seed=0)
    vector.reset(seed=[0, 1])
    for _ in range(2):
        paid = []
        for _ in range(3):
            action = int(np.flatnonzero(info["action_mask"])[-1])
            _, reward, _, ended, info = env.step(action)
            paid.append(reward)
            assert vector.step(np.array([action, 0]))[1][0] == reward
        assert paid == [0.5, 1.0, 1.5]
        assert ended
        _, info = env.reset()


class Spoils:
    """Returns what it is told to, or changes what is not its own."""

    def __init__(self, space: ConfigSpace, *, what: str) -> None:
        self._what = what

    def reward(self, step: Step, memo: NDArray[np.float64]) -> Any:
        if self._what == "change":
            step.values[step.mask == 0] = np.nan
        return {"nan": memo + np.nan, "scalar": 1.0, "long": np.zeros(9), "none": None, "memo": memo}.get(self._what)


@pytest.mark.parametrize("what", ["nan", "scalar", "long", "none", "change"])
@pytest.mark.parametrize("n_envs", [0, 3])
def test_a_reward_that_is_none_is_refused_in_one_line_and_ends_the_campaign(what: str, n_envs: int) -> None:
    arguments: Any = {"reward": "tests.test_objectives:Spoils", "reward_kwargs": {"what": what}}
    env: Any = gymnasium.make("peva_env:peva/FaasSim-v0", **arguments)
    if n_envs:
        env = gymnasium.make_vec("peva_env:peva/FaasSim-v0", num_envs=n_envs, **arguments)
    env.reset(seed=0)
    with pytest.raises(ConfigError, match="reward Spoils") as caught:
        env.step(np.arange(n_envs) if n_envs else 0)
    assert "\n" not in str(caught.value)
    if not n_envs:
        assert env.unwrapped.status is EndStatus.FAILED


def test_rewards_are_arrays_of_their_own() -> None:
    arguments: Any = {"reward": "tests.test_objectives:Spoils", "reward_kwargs": {"what": "memo"}}
    env: Any = gymnasium.make_vec("peva_env:peva/FaasSim-v0", num_envs=2, **arguments)
    env.reset(seed=0)
    rewards = env.step(np.array([0, 1]))[1]
    rewards += 5
    assert env.step(np.array([2, 3]))[1].tolist() == [0.0, 0.0]


def test_what_is_no_objective_is_refused() -> None:
    with pytest.raises(ConfigError, match="lacks the method reward"):
        make_objective("tests.test_objectives:PaysNothing", {}, SPACE)
