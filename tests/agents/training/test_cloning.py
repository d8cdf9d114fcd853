"""A training may begin as another agent or model."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console

pytest.importorskip("sb3_contrib", reason="needs the `train` extra")
pytest.importorskip("tensorboard", reason="needs the `train` extra")

from peva_agents.models import load_scores
from peva_agents.training import build, parse_training, sized_for, train, training_worlds
from peva_agents.training.cloning import clone
from peva_agents.training.teachers import BisectionTeacher, LearntTeacher, Teacher, choices
from peva_agents.turns import ProcessTurns
from peva_env.errors import ConfigError, PolicyLoadError
from peva_env.views import ROW

pytestmark = pytest.mark.train

SMALL: dict[str, Any] = {
    "sim": "random",
    "rates_rps": {"a": [0, 50, 100, 150, 200], "b": [0, 50, 100, 150, 200]},
    "n_envs": 4,
    "budget_runs": 16,
    "hyperparameters": {"n_steps": 16, "net_arch": [16]},
    "validation_episodes": 2,
    "evaluation_episodes": 2,
    "total_steps": 64,
}


def test_bisection_chooses_what_resolves_most_in_the_worse_case() -> None:
    taught = choices(ProcessTurns(1), BisectionTeacher, 40, parse_training(SMALL))
    names = [feature.name for feature in ROW]
    counts = [taught.observations["candidates"][:, :, names.index(name)] for name in ("log_below", "log_above")]
    worse = np.minimum(*counts)
    assert (worse[np.arange(40), taught.likely.argmax(axis=1)] >= worse.max(axis=1) - 1e-5).all()


@pytest.mark.parametrize("make_teacher", [BisectionTeacher, LearntTeacher], ids=["bisection", "learnt"])
def test_a_clone_agrees_with_its_agent_more_than_chance_does(
    make_teacher: Callable[[], Teacher], tmp_path: Path
) -> None:
    config = parse_training({**SMALL, "rates_rps": {name: list(range(0, 201, 20)) for name in "ab"}})
    around = training_worlds(config)
    config = sized_for(config, around.space)
    model = build(config, around.learning_env(4), around.space, tmp_path)
    taught = choices(ProcessTurns(2), make_teacher, 800, config)
    assert len(taught.likely) == 800
    n_candidates = (taught.observations["candidates"] != 0).any(axis=2).sum(axis=1)
    assert clone(model.policy, taught, 0) > 2 * (1 / n_candidates).mean()


def test_a_training_begins_with_the_weights_of_a_model(tmp_path: Path) -> None:
    first = train(SMALL, console=Console(quiet=True), out=tmp_path / "first", jobs=1) / "model.zip"
    still = {**SMALL["hyperparameters"], "learning_rate": 0}
    given = {**SMALL, "init": str(first), "hyperparameters": still, "seed": 5}
    second = train(given, console=Console(quiet=True), out=tmp_path / "second", jobs=1) / "model.zip"
    observation = choices(ProcessTurns(1), BisectionTeacher, 4, parse_training(SMALL)).observations
    np.testing.assert_array_equal(load_scores(first)(observation), load_scores(second)(observation))
    with pytest.raises(
        ConfigError, match="is a model of maskable-ppo with the view 'candidates', but this training is of"
    ):
        train({**given, "algo": "ppo"}, console=Console(quiet=True), out=tmp_path / "third")
    assert not (tmp_path / "third").exists()
    first.unlink()
    train({}, console=Console(quiet=True), resume=second.parent, jobs=1)  # needs no start


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"init": "learnt", "view": "map"}, "init = 'learnt' needs --view candidates"),
        ({"init": "bisection", "algo": "dqn"}, "init = 'bisection' needs .* --algo maskable-ppo or ppo"),
        ({"init": "uniform"}, "init = 'uniform': must be learnt, bisection or the file of a model, as model.zip"),
    ],
)
def test_starts_that_are_not_there_are_refused(given: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        parse_training({**SMALL, **given})


def test_a_start_from_a_missing_model_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    with pytest.raises(PolicyLoadError, match="there is no such model"):
        train({**SMALL, "init": "nowhere.zip"}, console=Console(quiet=True), out=tmp_path / "out")
    assert not (tmp_path / "out").exists()
