"""What agents are paid for, by formula; and a reward of the user's own."""

from typing import Any

import gymnasium
import numpy as np
import pytest
from numpy.typing import NDArray

from peva_env.contracts import EndStatus
from peva_env.errors import ConfigError
from peva_env.objectives import (
    EarlyObjective,
    FrontierObjective,
    GoodputObjective,
    RightObjective,
    SecondsObjective,
    Step,
    make_objective,
)
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
        "ran": np.array([True]),
        "ended": np.array([False]),
        "unknown": np.array([0.5]),
        "index": np.array([0]),
        "cost_s": np.array([35.0]),
        "find_newly": lambda: np.array([[True, False, False, False]]),
        "find_map": lambda: np.array([[-1, 1, 0, 0]], np.int8),
        "find_truth": lambda: np.array([[-1, -1, 1, 1]], np.int8),
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


def test_goodput_of_a_step_without_a_run_is_none() -> None:
    nothing = step(rates=(0, 0), ran=np.array([False]))
    assert GoodputObjective(SPACE).reward(nothing, np.zeros(1)).tolist() == pytest.approx([-0.1])


def test_early_charges_what_is_still_unknown() -> None:
    assert EarlyObjective(SPACE).reward(step(), np.zeros(1)).tolist() == pytest.approx([-0.5 * 0.1])


def test_seconds_are_charged_up_to_their_limit_and_all_of_it_at_the_end() -> None:
    objective, memo = SecondsObjective(SPACE, limit_s=70), np.zeros(1)
    assert objective.reward(step(), memo).tolist() == pytest.approx([0.25 - 0.5])
    no_op = {"ran": np.array([False]), "resolved": np.zeros(1)}
    assert objective.reward(step(**no_op), memo).tolist() == pytest.approx([-0.1])
    assert objective.reward(step(ended=np.array([True])), memo).tolist() == pytest.approx([0.25 - 0.4])
    assert memo.tolist() == pytest.approx([1.0])
    assert objective.reward(step(), memo).tolist() == pytest.approx([0.25])


def test_right_pays_true_labels_and_charges_wrong_ones_and_in_the_end_unknown_ones() -> None:
    objective, memo = RightObjective(SPACE), np.zeros(1)
    assert objective.reward(step(), memo).tolist() == pytest.approx([0 - 0.1]), "one is right, one is wrong"
    better = {"find_map": lambda: np.array([[-1, -1, 1, 0]], np.int8), "unknown": np.array([0.25])}
    assert objective.reward(step(**better), memo).tolist() == pytest.approx([3 / 4 - 0.1])
    assert objective.reward(step(ended=np.array([True]), **better), memo).tolist() == pytest.approx([-0.1 - 0.25])


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"reward": "seconds"}, "give budget_seconds, or reward_kwargs"),
        ({"reward": "seconds", "reward_kwargs": {"limit_s": 0}}, "limit_s = 0: must be a number of seconds above 0"),
        ({"reward": "seconds", "reward_kwargs": {"limit_s": "9"}}, "limit_s = '9': must be a number of seconds"),
        ({"reward": "goodput", "reward_kwargs": {"p95_ms": 0}}, "p95_ms must be above 0"),
    ],
)
def test_wrong_arguments_of_a_reward_are_refused(arguments: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        gymnasium.make("peva_env:peva/FaasSim-v1", **arguments)


def test_seconds_charges_the_budget_of_seconds_unless_told_otherwise() -> None:
    for arguments in ({"budget_seconds": 350.0}, {"reward_kwargs": {"limit_s": 350.0}}):
        env = gymnasium.make("peva_env:peva/FaasSim-v1", reward="seconds", **arguments)
        env.reset(seed=1)
        *_, reward, _, _, info = env.step(220)
        assert float(reward) == pytest.approx(info["n_resolved"] / 441 - 35 / 350)


def test_right_is_refused_where_nobody_knows_the_truth() -> None:
    with pytest.raises(ConfigError, match="reward = 'right': needs the truth, which nobody knows of a live node"):
        gymnasium.make("peva_env:peva/FaasLive-v1", reward="right")


class Watches:
    """Keeps what each step tells."""

    def __init__(self, space: ConfigSpace) -> None:
        self.told: list[dict[str, Any]] = []

    def reward(self, step: Step, memo: NDArray[np.float64]) -> NDArray[np.float64]:
        names = ("ran", "ended", "index", "cost_s", "labels", "rates_rps", "unknown", "newly", "map", "truth")
        self.told.append({name: getattr(step, name)[0].tolist() for name in names})
        return memo


def test_a_step_tells_what_was_asked_for_and_what_became_known_and_what_is_true() -> None:
    env: Any = gymnasium.make(
        "peva_env:peva/FaasSim-v1",
        rates_rps={"a": [0, 100, 2000]},
        noise=0.0,
        reward="tests.objectives.test_objectives:Watches",
    )
    env.reset(seed=0)
    env.step(1)
    env.step(1)
    env.step(2)
    run, no_op, last = env.unwrapped._objective.told
    truth = env.unwrapped.known.labels.tolist()
    assert [told["truth"] for told in (run, no_op, last)] == [truth] * 3
    assert (run["index"], run["ran"], run["cost_s"], run["rates_rps"]) == (1, True, 35.0, [100])
    assert run["newly"] == [label != 0 for label in run["map"]]
    assert (no_op["index"], no_op["ran"], no_op["labels"], no_op["rates_rps"]) == (1, False, 0, [0])
    assert (no_op["cost_s"], any(no_op["newly"]), no_op["unknown"]) == (0.0, False, run["unknown"])
    assert (last["unknown"], last["ended"], last["map"]) == (0, False, truth)


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
        "reward": "tests.objectives.test_objectives:PaysPerRun",
        "reward_kwargs": {"pay": 0.5},
        "budget_runs": 3,
    }
    env = gymnasium.make("peva_env:peva/FaasSim-v1", **arguments)
    vector: Any = gymnasium.make_vec(
        "peva/FaasSim-v1", num_envs=2, vectorization_mode="vector_entry_point", autoreset_mode="SameStep", **arguments
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
    arguments: Any = {"reward": "tests.objectives.test_objectives:Spoils", "reward_kwargs": {"what": what}}
    env: Any = gymnasium.make("peva_env:peva/FaasSim-v1", **arguments)
    if n_envs:
        env = gymnasium.make_vec("peva_env:peva/FaasSim-v1", num_envs=n_envs, **arguments)
    env.reset(seed=0)
    with pytest.raises(ConfigError, match="reward Spoils") as caught:
        env.step(np.arange(n_envs) if n_envs else 0)
    assert "\n" not in str(caught.value)
    if not n_envs:
        assert env.unwrapped.status is EndStatus.FAILED


def test_rewards_are_arrays_of_their_own() -> None:
    arguments: Any = {"reward": "tests.objectives.test_objectives:Spoils", "reward_kwargs": {"what": "memo"}}
    env: Any = gymnasium.make_vec("peva_env:peva/FaasSim-v1", num_envs=2, **arguments)
    env.reset(seed=0)
    rewards = env.step(np.array([0, 1]))[1]
    rewards += 5
    assert env.step(np.array([2, 3]))[1].tolist() == [0.0, 0.0]


def test_what_is_no_objective_is_refused() -> None:
    with pytest.raises(ConfigError, match="lacks the method reward"):
        make_objective("tests.objectives.test_objectives:PaysNothing", {}, SPACE)
