"""A training has the same results on any number of processes and on Ray, to the bit."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console

pytest.importorskip("sb3_contrib", reason="needs the `train` extra")
pytest.importorskip("tensorboard", reason="needs the `train` extra")

from peva_agents.models import load_scores
from peva_agents.training import parse_training, train, training_worlds
from peva_agents.training.side_by_side import SideBySide, side_by_side
from peva_agents.training.teachers import LearntTeacher, choices
from peva_agents.turns import ProcessTurns
from peva_env.errors import ConfigError, PevaError
from tests.support.raylets import raylets

pytestmark = pytest.mark.train

TWO_SHAPES: dict[str, Any] = {
    "sim": "random",
    "data": ["local-node-v1"],
    "rates_rps": {name: [0, 50, 100, 200] for name in "abc"},
    "n_envs": 4,
    "budget_runs": 8,
    "hyperparameters": {"n_steps": 16, "net_arch": [16]},
    "validation_episodes": 4,
    "evaluation_episodes": 3,
    "total_steps": 192,
}
"""Simulated nodes of three functions, and recorded maps of two."""


def results(out: Path, **where: Any) -> dict[str, Any]:
    """Train, and return what was written, with the weights of the last model as arrays."""
    folder = train(TWO_SHAPES, console=Console(quiet=True), out=out, **where)
    texts = {name: (folder / name).read_text() for name in ("learning_curve.csv", "evaluation.json", "evaluation.md")}
    shown = {"candidates": np.ones((1, 64, 43), np.float32), "context": np.ones((1, 10), np.float32)}
    return {**texts, "scores": load_scores(folder / "model.zip")(shown).tolist()}


def test_the_number_of_processes_changes_nothing(tmp_path: Path) -> None:
    assert results(tmp_path / "one", jobs=1) == results(tmp_path / "two", jobs=2)


def test_the_choices_of_a_teacher_do_not_depend_on_the_number_of_processes() -> None:
    config = parse_training(TWO_SHAPES)
    one, two = (choices(ProcessTurns(jobs), LearntTeacher, 101, config) for jobs in (1, 2))
    assert len(one.likely) == 101
    np.testing.assert_array_equal(one.likely, two.likely)
    np.testing.assert_array_equal(one.masks, two.masks)
    for name, rows in one.observations.items():
        np.testing.assert_array_equal(rows, two.observations[name])


def test_environments_in_workers_step_as_those_here() -> None:
    config = parse_training(TWO_SHAPES)
    worlds = training_worlds(config)

    def played(env: SideBySide) -> list[tuple[Any, ...]]:
        shown: list[tuple[Any, ...]] = [env.reset(seed=list(range(env.num_envs)))]
        for _ in range(20):
            actions = env.action_masks().argmax(axis=1)
            env.begin_step(actions)
            shown.append((*env.step(actions), env.action_masks(), env.n_configs))
        return shown

    with side_by_side(ProcessTurns(2), config, worlds, {"train": 4, "validation": 2}) as envs:
        assert [[env.num_envs for env in envs[part]] for part in ("train", "validation")] == [[2, 2], [1, 1]]
        for part, own in envs.items():
            for elsewhere, here in zip(own, worlds.vectors(part, {"train": 4, "validation": 2}[part]), strict=True):
                here.begin_step = lambda actions: None  # type: ignore[attr-defined]
                np.testing.assert_equal(played(elsewhere), played(here))  # type: ignore[arg-type]


def test_jobs_and_ray_exclude_each_other(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="--jobs 2 is for processes of this machine"):
        train(TWO_SHAPES, console=Console(quiet=True), out=tmp_path / "out", jobs=2, ray="local")
    assert not (tmp_path / "out").exists()


def test_a_cluster_that_does_not_answer_is_told_before_anything_is_written(tmp_path: Path) -> None:
    pytest.importorskip("ray", reason="needs the `ray` extra")
    with pytest.raises(PevaError, match=r"^--ray 127\.0\.0\.1:1: no Ray answers there"):
        train(TWO_SHAPES, console=Console(quiet=True), out=tmp_path / "out", ray="127.0.0.1:1")
    assert not (tmp_path / "out").exists()


@pytest.mark.ray
@pytest.mark.timeout(240)
def test_a_training_is_the_same_on_ray_and_on_processes(tmp_path: Path) -> None:
    pytest.importorskip("ray", reason="needs the `ray` extra")
    with raylets({}, {}) as cluster:
        on_ray = results(tmp_path / "ray", ray=cluster.address)
    assert on_ray == results(tmp_path / "processes", jobs=2)
