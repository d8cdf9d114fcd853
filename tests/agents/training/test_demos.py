"""A training may begin with what the agents of a Minari dataset chose."""

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

pytest.importorskip("sb3_contrib", reason="needs the `train` extra")
pytest.importorskip("tensorboard", reason="needs the `train` extra")
pytest.importorskip("minari", reason="needs the `minari` extra")

from peva_agents.training import parse_training, train, training_worlds
from peva_agents.training.demos import demonstrated
from peva_env.datasets import Demonstrations
from peva_env.errors import ConfigError
from tests.support.forkserver import peva

pytestmark = pytest.mark.train

RATES = [0, 50, 100, 150, 200]
SMALL: dict[str, Any] = {
    "sim": "random",
    "rates_rps": {"a": RATES, "b": RATES},
    "n_envs": 4,
    "budget_runs": 16,
    "hyperparameters": {"n_steps": 16},
    "validation_episodes": 2,
    "evaluation_episodes": 2,
    "total_steps": 64,
}
ASK = ["--sim", "random", "--rates", "a=0:200:50", "--rates", "b=0:200:50", "--budget-runs", "16", "--episodes"]


@pytest.fixture(scope="module", autouse=True)
def root(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Return the folder of all datasets: one of each view, and one of few steps."""
    folder = tmp_path_factory.mktemp("minari")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MINARI_DATASETS_PATH", str(folder))
        for name, ask in (
            ("rows-v0", [*ASK, "40", "--view", "candidates", "--agent", "bisection"]),
            ("maps-v0", [*ASK, "20"]),
            ("few-v0", [*ASK, "1", "--view", "candidates"]),
        ):
            done = peva("export", "--minari", name, *ask)
            assert done.returncode == 0, done.stderr
        yield folder


def changed(root: Path, to: Path, change: Callable[[dict[str, Any]], None]) -> str:
    """Copy the dataset of candidates to a folder, and change its metadata."""
    shutil.copytree(root / "rows-v0", to)
    path = to / "data" / "metadata.json"
    told = json.loads(path.read_text())
    change(told)
    path.write_text(json.dumps(told))
    return str(to)


def without_masks(root: Path, to: Path) -> str:
    """Copy the dataset of candidates to a folder, without its masks."""
    import h5py

    shutil.copytree(root / "rows-v0", to)
    with h5py.File(to / "data" / "main_data.hdf5", "a") as file:
        for episode in file.values():
            del episode["infos"]["action_mask"]
    return str(to)


def test_a_training_begins_as_the_agents_of_a_dataset_chose(root: Path, tmp_path: Path) -> None:
    with (tmp_path / "said").open("w") as said:
        train({**SMALL, "demos": "rows-v0"}, console=Console(file=said), out=tmp_path / "out", jobs=1)
    (line,) = (line for line in (tmp_path / "said").read_text().splitlines() if line.startswith("cloned"))
    n_steps = Demonstrations("rows-v0").n_steps
    assert line.startswith(f"cloned rows-v0 from {n_steps} choices; it agrees with ")
    assert int(line.split()[-3].removesuffix("%")) > 25  # of 25 candidates at first, and fewer later


def test_a_clone_of_the_map_is_taught_legal_actions_alone(root: Path, tmp_path: Path) -> None:
    config = parse_training({**SMALL, "view": "map", "demos": str(root / "maps-v0")})
    taught = demonstrated(config, training_worlds(config))
    assert taught.masks.shape == (len(taught.likely), 25)
    assert (taught.likely.sum(axis=1) == 1).all()
    assert (taught.masks[taught.likely > 0]).all()
    assert not taught.masks.all()
    assert ((taught.observations["map"] == 0) == taught.masks).all()


def test_of_a_large_dataset_some_steps_are_drawn() -> None:
    demos = Demonstrations("rows-v0")
    drawn = demos.steps(100, seed=1)
    assert 50 < len(drawn.actions) < 150 < demos.n_steps
    assert {len(rows) for rows in drawn.observations.values()} == {len(drawn.actions)}


REFUSED: list[tuple[str, dict[str, Any], str]] = [
    ("nowhere-v0", {}, "there is no such folder, nor a dataset of that id in .*; what would do: peva-env export"),
    ("maps-v0", {}, "shows 'map', but this training is of the view 'candidates'; export with --view candidates, or"),
    ("rows-v0", {"view": "map"}, "shows 'candidates', but this training is of the view 'map'; export with --view map"),
    ("maps-v0", {"view": "map", "rates_rps": {"a": [0, 50]}}, "is of 25 configurations, but this training of 2; give"),
    ("few-v0", {}, "has [0-9]+ steps, and cloning needs 100; export more --episodes"),
    ("rows-v0", {"init": "learnt"}, "init and demos: a training begins in one way"),
    ("rows-v0", {"algo": "dqn"}, "demos: DQN has values of actions"),
]


def refused(given: dict[str, Any], said: str, out: Path) -> None:
    with pytest.raises(ConfigError, match=said) as caught:
        train({**SMALL, **given}, console=Console(quiet=True), out=out)
    assert "\n" not in str(caught.value)
    assert not out.exists()


@pytest.mark.parametrize(("demos", "given", "said"), REFUSED, ids=[said[:40] for *_, said in REFUSED])
def test_demonstrations_that_do_not_fit_are_refused_before_anything_is_written(
    tmp_path: Path, demos: str, given: dict[str, Any], said: str
) -> None:
    refused({"demos": demos, **given}, said, tmp_path / "out")


def of_another_env(told: dict[str, Any]) -> None:
    told["env_spec"] = json.dumps({"id": "CartPole-v1"})


def of_other_features(told: dict[str, Any]) -> None:
    told["features"]["candidates"][0] = "colour"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (of_another_env, "is of CartPole-v1, not of peva-env; what would do: peva-env export --minari"),
        (of_other_features, r"recorded with other features \(between_sum, colour differ\); export it again"),
        (lambda told: told.update(minari_version="99.0.0"), "cannot be read by Minari"),
        (lambda told: told.pop("env_spec"), "is of an environment that it does not name"),
    ],
    ids=["env", "features", "minari", "no-env"],
)
def test_datasets_of_something_else_are_refused_before_anything_is_written(
    root: Path, tmp_path: Path, change: Callable[[dict[str, Any]], None], said: str
) -> None:
    refused({"demos": changed(root, tmp_path / "other", change)}, said, tmp_path / "out")


def test_a_dataset_without_masks_is_refused_before_anything_is_written(root: Path, tmp_path: Path) -> None:
    demos = without_masks(root, tmp_path / "unmasked")
    refused({"demos": demos}, r"has no masks of its actions, infos\['action_mask'\]", tmp_path / "out")


def test_the_command_refuses_in_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    done = peva("train", "--sim", "random", "--demos", "maps-v0")
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
    assert "--demos maps-v0: shows 'map'" in done.stderr
    assert not list(tmp_path.iterdir())
