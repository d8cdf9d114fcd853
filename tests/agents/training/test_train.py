"""Training from the command line to a live campaign: what is left behind, resumed, refused, and used."""

import csv
import json
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from rich.console import Console

pytest.importorskip("sb3_contrib", reason="needs the `train` extra")
pytest.importorskip("tensorboard", reason="needs the `train` extra")

from peva_agents.loop import run_campaign
from peva_agents.models import best_legal, load_policy
from peva_agents.sb3 import SB3Agent
from peva_agents.training.config import parse_training
from peva_agents.training.folder import resumed_config
from peva_agents.training.train import train
from peva_agents.training.worlds import training_worlds
from peva_env.errors import ConfigError, PolicyError, PolicyLoadError
from tests.support import forkserver
from tests.support.forkserver import Ended

pytestmark = pytest.mark.train

COMMAND = shutil.which("peva-env", path=str(Path(sys.executable).parent))
RATES = [40, 80, 150, 220]
TINY = ["--envs", "4", "--set", "n_steps=16", "--set", "net_arch=[16]", "--validation-episodes", "2"]
TINY_DQN = ["--envs", "4", "--set", "learning_starts=40", "--set", "net_arch=[16]", "--validation-episodes", "2"]
FETCH = ["--sim", "local", "--rates", "fetch=40,80,150,220", "--budget-runs", "4", "--evaluation-episodes", "3"]
ALONE = ["--jobs", "1"]
"""For what does not depend on the number of processes: each imports PyTorch to play as a model of the map."""


def peva(*args: str | Path, cwd: Path) -> Ended:
    assert COMMAND is not None
    command = [COMMAND, *map(str, args)]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=200, check=False)


def complaint(ended: Ended) -> str:
    assert ended.returncode in (1, 2), ended.stderr
    assert len(ended.stderr.splitlines()) == 1, ended.stderr
    return ended.stderr


def tiny(out: Path, **more: Any) -> Path:
    """Train for 64 steps on the grid that the live campaign below has, and return the folder."""
    given = {"sim": "local", "rates_rps": {"fetch": RATES}, "total_steps": 64, "n_envs": 4, "budget_runs": 4}
    given |= {"hyperparameters": {"n_steps": 16, "net_arch": [16]}, "validation_episodes": 2, "evaluation_episodes": 2}
    return train({**given, **more}, console=Console(quiet=True), out=out, jobs=1)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a training by the command."""
    folder = tmp_path_factory.mktemp("train")
    ended = peva("train", *FETCH, "--steps", "200", *TINY, "--out", "out", cwd=folder)
    assert ended.returncode == 0, ended.stderr
    assert ended.stderr == ""
    return folder / "out"


@pytest.fixture(scope="module")
def sees_maps(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a tiny training with the view of the map."""
    return tiny(tmp_path_factory.mktemp("maps") / "out", view="map")


def test_a_training_leaves_what_it_promises(trained: Path) -> None:
    for name in (
        "model.zip",
        "best_model.zip",
        "config.json",
        "evaluation.json",
        "evaluation.md",
        "learning_curve.csv",
    ):
        assert (trained / name).stat().st_size
    assert len(list((trained / "checkpoints").glob("step-*.zip"))) >= 3
    assert list((trained / "tensorboard").rglob("events.out.tfevents.*"))
    told = json.loads((trained / "config.json").read_text())
    assert told["space"]["rates_rps"] == [RATES]
    assert told["config"]["algo"] == "maskable-ppo"
    assert {"python", "torch", "stable-baselines3", "peva-env"} <= told["versions"].keys()
    with (trained / "learning_curve.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert int(rows[-1]["steps"]) >= 200
    agents = {row["agent"]: row for row in json.loads((trained / "evaluation.json").read_text())["evaluation"]}
    assert set(agents) == {"maskable-ppo", "maskable-ppo sampled", "cartesian (one-sided)", "uniform", "bisection"}
    assert agents["bisection"]["accuracy"]["mean"] > 0.5
    assert "| bisection | 100.0%" in (trained / "evaluation.md").read_text()


def test_a_model_carries_how_it_was_trained(trained: Path) -> None:
    agent = SB3Agent(path=trained / "model.zip")
    assert agent.name == "sb3:maskable-ppo"
    with pytest.raises(PolicyError, match="name its file"):
        SB3Agent()
    with pytest.raises(PolicyError, match="there is no such model"):
        SB3Agent(path=trained / "modell.zip")
    (trained / "other.zip").write_bytes(b"PK")
    with pytest.raises(PolicyError, match="is no model that peva-env train wrote"):
        SB3Agent(path=trained / "other.zip")


def test_the_agent_does_what_the_policy_thinks_best_side_by_side(sees_maps: Path) -> None:
    worlds = training_worlds(parse_training({"sim": "local", "rates_rps": {"fetch": RATES}, "budget_runs": 4}))
    env = worlds.single("test")
    policy = load_policy(sees_maps / "best_model.zip", env.space)
    agent = SB3Agent(path=sees_maps / "best_model.zip")
    observation, info = env.reset(seed=3)
    agent.begin(env)
    several = {name: np.stack([value] * 3) for name, value in observation.items()}
    side_by_side = best_legal(policy, several, np.stack([info["action_mask"]] * 3))
    assert [agent.act(observation, info)] * 3 == side_by_side.tolist()
    assert agent.act(observation, {"action_mask": np.zeros(4, np.int8)}) is None


def test_a_policy_that_plays_has_no_optimizer_whose_import_takes_seconds(
    sees_maps: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("torch.optim.Optimizer.__init__", None)
    worlds = training_worlds(parse_training({"sim": "local", "rates_rps": {"fetch": RATES}, "budget_runs": 4}))
    agent = SB3Agent(path=sees_maps / "best_model.zip")
    assert run_campaign(worlds.single("test"), agent, seed=1).n_runs > 0


@pytest.mark.parametrize("algo", ["ppo", "dqn"])
def test_algorithms_without_masks_waste_no_step_afterwards(tmp_path: Path, algo: str) -> None:
    ended = peva(
        "train", "--algo", algo, "--data", "local-node-v1", "--steps", "200", "--evaluation-episodes", "2",
        *(TINY_DQN if algo == "dqn" else TINY), *ALONE, "--out", "out", cwd=tmp_path,
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr
    assert "the same map" in ended.stdout
    env = training_worlds(parse_training({"data": ["local-node-v1"]})).single("test")
    result = run_campaign(env, SB3Agent(path=tmp_path / "out" / "model.zip"), seed=1)
    assert result.n_runs == result.n_steps > 0


def test_a_killed_training_goes_on_from_its_last_checkpoint(tmp_path: Path) -> None:
    assert COMMAND is not None
    command = [COMMAND, "train", *FETCH, "--steps", "2000", *TINY, *ALONE, "--out", "out"]
    begun = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 120
    while not list((tmp_path / "out" / "checkpoints").glob("step-*.zip")) and time.monotonic() < deadline:
        time.sleep(0.05)
    begun.send_signal(signal.SIGKILL)
    begun.wait()
    last = sorted((tmp_path / "out" / "checkpoints").glob("step-*.zip"))[-1]
    assert not (tmp_path / "out" / "model.zip").exists()
    assert "begun with n_envs = 4, not 8" in complaint(peva("train", "--resume", "out", "--envs", "8", cwd=tmp_path))
    resumed = peva("train", "--resume", "out", *ALONE, cwd=tmp_path)
    assert resumed.returncode == 0, resumed.stderr
    assert f"going on from step {int(last.stem.removeprefix('step-')):,}" in resumed.stdout
    with (tmp_path / "out" / "learning_curve.csv").open(newline="") as file:
        steps = [int(row["steps"]) for row in csv.DictReader(file)]
    assert steps == sorted(set(steps))
    assert steps[-1] >= 2_000


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"sim": "random", "hyperparameters": {"lr": 1}}, "no hyperparameter 'lr'"),
    ({"sim": "random", "hyperparameters": {"learning_rat": 1}}, "did you mean 'learning_rate'"),
    ({"sim": "random", "hyperparameters": {"batch_size": 1000}}, "batch_size = 1000 does not divide the 4096 steps"),
    ({"sim": "random", "hyperparameters": {"gamma": "high"}}, "gamma = 'high': must be a number of at least 0"),
    ({"sim": "random", "hyperparameters": {"n_steps": 0}}, "n_steps = 0: must be whole numbers of at least 1"),
    ({"sim": "random", "hyperparameters": {"policy_kwargs": {}}}, "no hyperparameter 'policy_kwargs'"),
    ({"sim": "random", "algo": "ppo", "hyperparameters": {"device": "tpu0"}}, "cannot be built with these"),
]


@pytest.mark.parametrize(("given", "said"), REFUSED, ids=lambda value: value if isinstance(value, str) else "")
def test_hyperparameters_that_cannot_be_used_are_refused_before_anything_is_written(
    tmp_path: Path, given: dict[str, Any], said: str
) -> None:
    with pytest.raises(ConfigError, match=said):
        train(given, console=Console(quiet=True), out=tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["--sim", "random", "--budget-runs", "-1"], "budget_runs = -1: input should be greater than or equal to 1"),
        (["--sim", "random", "--steps", str(10**400)], "input should be less than or equal to 1000000000000"),
        (["--sim", "random", "--rates", "a=x"], "--rates 'a=x': must be as a=0,20,40"),
        (["--sim", "random", "--rates", "a=1", "--rates", "a=2"], "--rates 'a=2': the rates of 'a' are given twice"),
        (["--sim", "random", "--set", "gamma=1", "--set", "gamma=0"], "--set 'gamma=0': gamma is given twice"),
        (["--sim", "random", "--rates", "a=0:99999999999:1"], "has more than 100,000 rates; give a larger step"),
        (["--sim", "random", "--set", "gamma"], "--set 'gamma': must be NAME=VALUE"),
        (["--sim", ""], "simulated node '': must be random, local"),
        (["--resume", "nowhere"], "nowhere: there is no training to go on with"),
    ],
    ids=["budget", "steps", "rates", "rates-twice", "set-twice", "too-many-rates", "set", "no-sim", "resume"],
)
def test_what_cannot_be_trained_is_refused_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, args: list[str], said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    assert said in complaint(forkserver.peva("train", *args))
    assert not list(tmp_path.iterdir())


def live_config(folder: Path, rates: list[int], **more: Any) -> Path:
    config = {
        "functions": [{"name": "fetch"}],
        "rate_strategy": {"type": "custom", "rates": rates},
        "duration": "1s",
        "timeout": "1s",
        "iterations": 1,
        "output_dir": str(folder / "results"),
        **more,
    }
    path = folder / "peva.yml"
    path.write_text(yaml.safe_dump(config))
    return path


@pytest.mark.live
def test_a_trained_model_runs_a_live_campaign(tmp_path: Path) -> None:
    pytest.importorskip("functions_framework", reason="needs the `local` extra")
    # Other tests keep the machine busy: it is not waited for, and a run that they spoil is done again.
    patient = {"cooldown": {"max_wait_seconds": 2, "sleep_step_seconds": 0.2}, "max_invalid_retries": 20}
    config = live_config(tmp_path, RATES, **patient)
    ended = peva("run", "-c", config, "--agent", tiny(tmp_path / "out") / "best_model.zip", cwd=tmp_path)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "complete: " in ended.stdout


def test_a_model_of_another_space_is_refused_with_both_named_before_anything_starts(
    sees_maps: Path, tmp_path: Path
) -> None:
    config = live_config(tmp_path, [40, 80, 150])
    said = complaint(peva("run", "-c", config, "--agent", sees_maps / "best_model.zip", cwd=tmp_path))
    assert "was trained on 4 configurations of 1 functions" in said
    assert "this campaign has 3 configurations" in said
    assert not (tmp_path / "results").exists()


def test_a_model_of_the_map_does_not_play_among_candidates(sees_maps: Path, tmp_path: Path) -> None:
    pytest.importorskip("minari", reason="needs the `minari` extra")
    model = sees_maps / "best_model.zip"
    ask = ["export", "--minari", "x-v0", *FETCH[:4], "--view", "candidates", "--agent", str(model)]
    assert "sees the map, but this environment shows candidates; leave out --view" in complaint(
        peva(*ask, cwd=tmp_path)
    )


def test_a_model_older_than_the_views_sees_the_map(sees_maps: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(sees_maps / "model.zip") as archive, zipfile.ZipFile(tmp_path / "old.zip", "w") as old:
        for name in archive.namelist():
            content = archive.read(name)
            if name == "data":
                told = json.loads(content)
                del told["peva"]["view"], told["peva"]["spaces"], told["peva"]["config"]["view"]
                content = json.dumps(told).encode()
            old.writestr(name, content)
    env = training_worlds(parse_training({"sim": "local", "rates_rps": {"fetch": RATES}})).single("test")
    assert run_campaign(env, SB3Agent(path=tmp_path / "old.zip"), seed=1).n_runs > 0


@pytest.mark.parametrize("damage", ["bit", "weights", "steps", "text", "algo"])
def test_a_checkpoint_that_is_damaged_or_of_another_training_is_named_with_what_to_do(
    sees_maps: Path, tmp_path: Path, damage: str
) -> None:
    folder = shutil.copytree(sees_maps, tmp_path / "out")
    last = max((folder / "checkpoints").glob("step-*.zip"))
    with zipfile.ZipFile(last) as archive:
        entries = {name: archive.read(name) for name in archive.namelist()}
    if damage == "weights":
        entries["policy.pth"] = b"x"
    elif damage == "steps":
        told = json.loads(entries["data"])
        told["peva"]["steps"] = "many"
        entries["data"] = json.dumps(told).encode()
    elif damage == "algo":
        told = json.loads(entries["data"])
        told["peva"]["config"]["algo"] = "ppo"
        entries["data"] = json.dumps(told).encode()
    with zipfile.ZipFile(last, "w") as archive:
        for name, content in entries.items():
            archive.writestr(name, content)
    if damage == "bit":
        content = last.read_bytes()
        middle = content.index(entries["policy.pth"]) + len(entries["policy.pth"]) // 2
        last.write_bytes(content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :])
    if damage == "text":
        last.write_text("hello")
    with pytest.raises(PolicyLoadError, match=f"^{last}: .*; remove it to go on from the checkpoint before$"):
        train({}, console=Console(quiet=True), resume=folder, jobs=1)


def test_a_training_older_than_the_views_goes_on_with_the_map(sees_maps: Path, tmp_path: Path) -> None:
    told = json.loads((sees_maps / "config.json").read_text())
    del told["config"]["view"]
    (tmp_path / "config.json").write_text(json.dumps(told))
    config = resumed_config(tmp_path, {})
    assert (config.view, config.reward) == ("map", "frontier")
