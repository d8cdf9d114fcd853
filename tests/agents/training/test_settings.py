"""What a training is told and tells: settings, the split of the maps, the folder, the curve, and the comparison."""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from peva_agents.arena import PARTS
from peva_agents.models import same_shape, signature, signature_text
from peva_agents.training.baselines import validation_return, validation_tasks, validation_verdict
from peva_agents.training.config import parse_training
from peva_agents.training.evaluation import TestEpisode, evaluation_rows, places
from peva_agents.training.evaluation_table import markdown
from peva_agents.training.folder import begin_folder, require_usable, resumed_config
from peva_agents.training.learning_curve import LearningCurve, Point, sparkline
from peva_agents.training.worlds import split, training_worlds
from peva_env.campaign import replay_setup, simulated_setup, true_labels
from peva_env.contracts import Verdict
from peva_env.errors import ConfigError, PevaError
from peva_env.space import ConfigSpace
from tests.support.builders import event, without_privileges, write_recording


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({}, "give --data .*, --sim random, or both"),
        ({"data": ["x"], "sim": "random", "view": "map"}, "--data and --sim together need --view candidates"),
        ({"sim": "random", "budget_runs": -3}, "budget_runs = -3: input should be greater than or equal to 1"),
        ({"sim": "random", "algo": "a2c"}, "algo = 'a2c': input should be 'maskable-ppo', 'ppo' or 'dqn'"),
        ({"sim": "random", "test_scenarios": ["MID"]}, "test_scenarios belongs to --data"),
        ({"data": ["x"], "rates_rps": {"a": [1]}}, "rates_rps belongs to --sim"),
        ({"data": ["x"], "noise": 0.1}, "noise belongs to --sim"),
        ({"sim": "random", "budget": 3}, "budget: unknown key; did you mean 'budget_runs'?"),
    ],
)
def test_settings_that_cannot_be_used_are_refused_in_one_line(settings: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match="(?s)^" + said.replace("?", "[?]")) as caught:
        parse_training(settings)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"data": ["nowhere"]}, "nowhere"),
        (
            {"data": ["local-node-v1"], "test_scenarios": ["MID"]},
            "'MID' is not recorded; there are: local",
        ),
        ({"sim": "lokal"}, "lokal"),
        ({"sim": "random", "reward": "gold"}, "reward = 'gold': must be one of"),
    ],
)
def test_worlds_that_are_not_there_are_refused(settings: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        training_worlds(parse_training(settings))


NAMES = ["LIGHT:a", "LIGHT:b", "LIGHT:c", "MID:a", "MID:b"]


def test_maps_that_are_named_are_those_of_their_part() -> None:
    train, validation, test = split(NAMES, (["LIGHT*"], None, ["MID:a"]), 0)
    assert (train, validation, test) == (NAMES[:3], ["MID:b"], ["MID:a"])
    train, validation, test = split(NAMES, (["LIGHT*"], None, ["MID*"]), 0)
    assert (train, validation, test) == (NAMES[:3], NAMES[:3], NAMES[3:])  # none is left to choose on


def test_a_name_is_whole_unless_it_ends_in_a_star() -> None:
    names = ["LIGHT:a", "LIGHT:a+b"]
    assert split(names, (["LIGHT:a"], None, None), 0)[0] == ["LIGHT:a"]
    assert split(names, (["LIGHT:a*"], None, None), 0)[0] == names
    with pytest.raises(ConfigError, match=r"'LIGHT' is not recorded; for all maps whose names begin so: LIGHT\*$"):
        split(names, (["LIGHT"], None, None), 0)


@given(st.integers(1, 30), st.integers(0, 99))
def test_maps_that_are_not_named_are_shared_out_by_the_seed(n: int, seed: int) -> None:
    names = [str(i) for i in range(n)]
    train, validation, test = split(names, (None, None, None), seed)
    assert (train, validation, test) == split(names, (None, None, None), seed)
    assert set(train) | set(validation) | set(test) == set(names)
    assert all((train, validation, test))
    if n >= 3:
        assert len(train) + len(validation) + len(test) == n
        assert len(train) >= len(test) or n < 5
    if n >= 2:
        assert not set(train) & set(test)


def test_random_nodes_have_spaces_of_two_to_four_functions_unless_rates_or_the_map_are_asked_for() -> None:
    def sizes(**given: Any) -> list[int]:
        spaces = training_worlds(parse_training({"sim": "random", **given})).spaces
        return [len(space.functions) for space in spaces]

    assert sizes() == [2, 2, 3, 4]
    assert sizes(max_functions=4) == [2, 2, 3]
    assert sizes(min_functions=3) == [3, 4]
    assert sizes(view="map") == sizes(rates_rps={"a": [0, 50], "b": [0, 50]}) == [2]
    with pytest.raises(ConfigError, match="give --rates for other numbers"):
        sizes(min_functions=5)


def test_recorded_maps_of_any_shape_are_mixed_unless_the_view_is_the_map(tmp_path: Path) -> None:
    ok, overloaded = event([("a", 10)]), event([("a", 400)], verdict=Verdict.OVERLOADED)
    data = [str(write_recording(tmp_path, ok, overloaded)), "local-node-v1"]
    worlds = training_worlds(parse_training({"data": data, "train_scenarios": ["local*", "ctx*"]}))
    assert [len(space.functions) for space in worlds.spaces] == [1, 2]
    assert [place.scenario for place in places(worlds)] == list(worlds.scenarios("test"))
    observations = [vector.reset(seed=1)[0] for vector in worlds.vectors("train", 4)]
    assert {rows["candidates"].shape for rows in observations} == {(2, 64, 43)}
    with pytest.raises(ConfigError, match="the maps have different numbers of functions"):
        training_worlds(parse_training({"data": data, "view": "map"}))


def test_recorded_maps_and_simulated_nodes_are_mixed_in_each_part() -> None:
    given = {"data": ["local-node-v1"], "sim": "random", "rates_rps": {name: [0, 50, 100] for name in "abc"}}
    worlds = training_worlds(parse_training(given))
    assert [len(space.functions) for space in worlds.spaces] == [3, 2]
    for part in PARTS:
        assert worlds.scenarios(part) == ("simulated", "local-node-v1:checkout+primes")
        assert [vector.num_envs for vector in worlds.vectors(part, 5)] == [2, 3]
    assert [place.name.partition(",")[0] for place in places(worlds)] == list(worlds.scenarios("test"))
    assert worlds.note is not None
    assert "the same map" in worlds.note


def test_environments_of_a_training_are_shared_out_among_its_spaces() -> None:
    worlds = training_worlds(parse_training({"sim": "random"}))
    assert [vector.num_envs for vector in worlds.vectors("train", 10)] == [2, 2, 3, 3]
    assert [vector.num_envs for vector in worlds.vectors("train", 1)] == [1, 1, 1, 1]


def test_the_default_reward_is_that_of_the_view() -> None:
    assert parse_training({"sim": "random"}).reward == "early"
    assert parse_training({"sim": "random", "view": "map"}).reward == "frontier"
    assert parse_training({"sim": "random", "reward": "right"}).reward == "right"


def test_the_best_model_is_compared_with_the_baselines_on_the_episodes_that_chose_it() -> None:
    rates = {"a": [0, 50, 100], "b": [0, 50, 100]}
    config = parse_training({"sim": "random", "rates_rps": rates, "validation_episodes": 3})
    returns = [validation_return(*task) for task in validation_tasks(config, training_worlds(config))]
    assert len(returns) == 2 * 3
    assert validation_verdict(0.0, returns).startswith("mean return on validation: best model 0.000, uniform -0.")
    said = validation_verdict(-9.0, returns)
    assert said.startswith("the best model does not beat uniform and bisection on validation (best model -9.000, ")
    assert re.search(r"train longer, or use --agent (uniform|bisection)$", said)


def test_with_one_map_the_note_says_so() -> None:
    worlds = training_worlds(parse_training({"data": ["local-node-v1"]}))
    assert {worlds.scenarios(part) for part in PARTS} == {("local-node-v1:checkout+primes",)}
    assert worlds.note is not None
    assert "the same map" in worlds.note


def test_no_seed_is_of_two_parts_or_of_two_trainings() -> None:
    seeds = [
        seed
        for number in (0, 1)
        for part in PARTS
        for seed in training_worlds(parse_training({"sim": "random", "seed": number})).seeds(part, 1000)
    ]
    assert len(set(seeds)) == len(seeds)


def test_what_is_true_of_an_episode_is_what_its_node_or_most_recorded_runs_say() -> None:
    simulated = simulated_setup(noise=0.0)
    env = training_worlds(parse_training({"sim": "random", "noise": 0.0, "budget_runs": 441})).single("train")
    env.reset(seed=12)
    while env.known.n_unknown:
        env.step(int(env.action_masks().argmax()))
    assert env.known.labels is not None
    assert (true_labels(simulated.world, 12, 0) == env.known.labels).all()
    recorded: Any = replay_setup().world
    assert (true_labels(recorded, 5, 0) == recorded.majority_labels(0)).all()


def test_a_folder_that_cannot_be_written_is_told_before_training(tmp_path: Path) -> None:
    (tmp_path / "checkpoints").touch()
    with pytest.raises(PevaError, match=f"^{tmp_path / 'checkpoints'}: cannot be written to: File exists$"):
        require_usable(tmp_path)
    with without_privileges() as folder:
        require_usable(folder)
        (folder / "tensorboard").chmod(0o500)
        with pytest.raises(PevaError, match=f"^{folder / 'tensorboard'}: cannot be written to: Permission denied$"):
            require_usable(folder)


@pytest.mark.parametrize("name", ["model.zip", "best_model.zip", "evaluation.md"])
def test_a_folder_in_the_place_of_a_file_is_told_before_training(tmp_path: Path, name: str) -> None:
    (tmp_path / name).mkdir()
    with pytest.raises(ConfigError, match=f"^{tmp_path / name}: is no file, but the training will write one there"):
        require_usable(tmp_path)


def test_a_folder_goes_on_with_its_own_training_only(tmp_path: Path) -> None:
    config = parse_training({"sim": "random", "algo": "ppo"})
    folder = tmp_path / "training"
    with pytest.raises(ConfigError, match="there is no training to go on with"):
        resumed_config(folder, {})
    begin_folder(folder, {"config": config.model_dump(mode="json")})
    assert resumed_config(folder, {}) == config
    assert resumed_config(folder, {"algo": "ppo"}) == config
    with pytest.raises(ConfigError, match="begun with algo = 'ppo', not 'dqn'"):
        resumed_config(folder, {"algo": "dqn"})
    with pytest.raises(ConfigError, match="begun with data = None, not"):
        resumed_config(folder, {"data": ["local-node-v1"]})
    with pytest.raises(ConfigError, match="holds a training already; go on with it by --resume"):
        begin_folder(folder, {})
    with pytest.raises(ConfigError, match="is not empty and holds no training; give another folder"):
        begin_folder(tmp_path, {})
    with pytest.raises(ConfigError, match=r"config.json: cannot be read: Not a directory"):
        resumed_config(folder / "config.json", {})
    both = parse_training({"sim": "random", "data": ["local-node-v1"]})
    (folder / "config.json").write_text(json.dumps({"config": both.model_dump(mode="json")}))
    assert resumed_config(folder, {"data": ["local-node-v1"], "sim": "random"}) == both
    assert resumed_config(folder, {"data": ["local-node-v1"]}) == both
    (folder / "config.json").write_text("{}")
    with pytest.raises(ConfigError, match="is not what peva-env train wrote"):
        resumed_config(folder, {})


def test_the_curve_goes_on_from_the_checkpoint(tmp_path: Path) -> None:
    curve = LearningCurve(tmp_path / "learning_curve.csv")
    for i in range(4):
        curve.add(Point(100 * i, float("nan") if i == 0 else 0.1, 5.0, 1.0, 0.5 - 0.1 * i, 1.0))
    read = LearningCurve.read(curve.path, until_steps=200)
    assert [point.steps for point in read.points] == [0, 100, 200]
    assert read.best == 0.5
    assert any("▁" in line for line in read.lines())
    assert LearningCurve.read(tmp_path / "none.csv", until_steps=9).lines() == []
    curve.path.write_text("steps\n1\n")
    with pytest.raises(ConfigError, match="is no learning curve"):
        LearningCurve.read(curve.path, until_steps=9)


def test_a_sparkline_rises_with_its_values() -> None:
    assert sparkline([0, 1, 2, 3, 4, 5, 6, 7]) == "▁▂▃▄▅▆▇█"
    assert sparkline([3.0]) == "▁"
    assert len(sparkline(np.arange(1000).tolist())) == 48


def test_the_shape_of_a_space_is_told_without_its_names() -> None:
    space = ConfigSpace({"a": [1, 2], "b": [3]}, max_functions=3)
    renamed = ConfigSpace({"x": [5, 9], "y": [0]}, max_functions=3)
    larger = ConfigSpace({"a": [1, 2, 3], "b": [3]}, max_functions=3)
    assert same_shape(json.loads(json.dumps(signature(space))), signature(renamed))
    assert not same_shape(signature(space), signature(larger))
    assert signature_text(signature(space)) == "5 configurations of 2 functions (2 x 1 rates, 1 to 2 at once)"


def test_a_comparison_tells_means_with_their_intervals() -> None:
    results = [TestEpisode("ours", name, i, 1.0, 0.9 + 0.01 * i, 0.5, 10 + i) for name in "ab" for i in range(5)]
    rows = evaluation_rows(results)
    assert [(row["scenario"], row["n_episodes"]) for row in rows] == [("all", 10), ("a", 5), ("b", 5)]
    runs = rows[0]["n_runs"]
    assert runs["low"] < runs["mean"] == 12 < runs["high"]
    assert rows[0]["resolved"] == {"mean": 1.0, "low": 1.0, "high": 1.0}
    table = markdown(rows, "64 runs", "other maps")
    assert "| ours | 100.0% [100.0%, 100.0%] | 92.0%" in table
    assert "## a" in table
