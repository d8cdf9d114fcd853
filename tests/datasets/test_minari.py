"""An export is read back as what was seen, can be made again, and is there whole or not at all."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
import yaml

from peva_agents.loop import run_campaign
from peva_env.contracts import EndStatus
from peva_env.datasets.minari import MinariDataset
from peva_env.errors import ConfigError, PevaError, PolicyError
from peva_env.make import make_sim_env
from tests.support.forkserver import peva

COMMAND = str(Path(sys.executable).with_name("peva-env"))
SMALL = ["--sim", "random", "--rates", "a=0:200:50", "--rates", "b=0,50,100", "--budget-runs", "6", "--episodes", "3"]


@pytest.fixture(autouse=True)
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the folder of all datasets, a new one for each test."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MINARI_DATASETS_PATH", str(tmp_path / "minari"))
    return tmp_path / "minari"


def export(*args: str, code: int = 0) -> str:
    """Run the command; return what it said, which is one line."""
    done = peva("export", *args)
    assert done.returncode == code, done.stderr
    said = done.stderr if code else done.stdout
    assert len(said.splitlines()) == 1, said
    return said


def load(dataset_id: str) -> Any:
    minari = pytest.importorskip("minari", reason="needs the `minari` extra")
    return minari.load_dataset(dataset_id)


def files(root: Path) -> set[Path]:
    return {path for path in root.rglob("*") if path.is_file()}


def replayed(env: Any, episode: Any, seed: int) -> Iterator[tuple[dict[str, Any], np.ndarray[Any, Any], float]]:
    """Take an episode's actions again; give each observation with its mask, and the reward that led to it."""
    observation, info = env.reset(seed=seed)
    yield observation, info["action_mask"], 0.0
    for action in episode.actions:
        observation, reward, _, _, info = env.step(action)
        yield observation, info["action_mask"], float(reward)


needs_minari = pytest.mark.train


@needs_minari
@pytest.mark.parametrize("source", [SMALL, ["--data", "local-node-v1", "--budget-runs", "9", "--episodes", "2"]])
def test_a_dataset_holds_what_is_seen_when_its_seeds_are_played_again(source: list[str]) -> None:
    pytest.importorskip("minari", reason="needs the `minari` extra")
    export("--minari", "peva/mine-v0", "--seed", "7", *source)
    dataset = load("peva/mine-v0")
    env = dataset.recover_environment()
    assert env.spec == dataset.env_spec
    assert env.action_space == dataset.action_space
    assert env.observation_space.keys() == dataset.observation_space.keys()
    for episode, metadata in zip(dataset, dataset.storage.get_episode_metadata(range(len(dataset))), strict=True):
        assert metadata["seed"] == 7 + episode.id
        rewards = []
        for t, (observation, mask, reward) in enumerate(replayed(env, episode, metadata["seed"])):
            for name, value in observation.items():
                np.testing.assert_array_equal(episode.observations[name][t], value)
                assert episode.observations[name].dtype == (np.int32 if value.dtype == np.int8 else value.dtype)
            np.testing.assert_array_equal(episode.infos["action_mask"][t], mask)
            rewards.append(reward)
        assert rewards[1:] == episode.rewards.tolist()
        assert metadata["rewards_sum"] == pytest.approx(sum(rewards))
        assert metadata["n_unknown"] == episode.infos["n_unknown"][-1] == env.unwrapped.known.n_unknown
        assert metadata["n_runs"] == episode.infos["n_runs"].sum()
        assert metadata["status"] == env.unwrapped.status
        assert metadata["scenario"]
        assert episode.terminations[-1] != episode.truncations[-1]
    env.close()


@needs_minari
def test_a_dataset_says_whose_episodes_it_holds_and_of_what() -> None:
    pytest.importorskip("minari", reason="needs the `minari` extra")
    said = export("--minari", "mine-v0", *SMALL)
    assert said.startswith("wrote mine-v0: 3 episodes, ")
    metadata = load("mine-v0").storage.metadata
    assert metadata["algorithm_name"] == "cartesian"
    for words in ("a simulated node (random)", "at most 6 runs", "seeds 0 to 2", "peva-env 0.", "action_mask"):
        assert words in metadata["description"]
    assert metadata["requirements"][0].startswith("peva-env>=")


@needs_minari
def test_a_folder_is_found_again_from_anywhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    pytest.importorskip("minari", reason="needs the `minari` extra")
    from peva_env import datasets

    shutil.copytree(datasets.load("local-node-v1"), "recording")
    export("--minari", "mine-v0", "--data", "recording", "--episodes", "1", "--budget-runs", "3")
    monkeypatch.chdir(tmp_path.parent)
    dataset = load("mine-v0")
    assert dataset.env_spec.kwargs["data"] == [str(tmp_path / "recording")]
    dataset.recover_environment().reset(seed=0)


@needs_minari
def test_the_environment_is_recovered_where_nothing_imported_peva_env() -> None:
    pytest.importorskip("minari", reason="needs the `minari` extra")
    export("--minari", "mine-v0", *SMALL)
    code = "import minari; e = minari.load_dataset('mine-v0').recover_environment(); e.reset(seed=0); e.step(1)"
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True, timeout=60)


@needs_minari
def test_a_dataset_is_replaced_only_by_force(root: Path) -> None:
    pytest.importorskip("minari", reason="needs the `minari` extra")
    export("--minari", "peva/mine-v0", *SMALL)
    export("--minari", "peva/other-v0", *SMALL)
    before = {path: path.read_bytes() for path in files(root)}
    assert "--force replaces it" in export("--minari", "peva/mine-v0", *SMALL, code=2)
    assert {path: path.read_bytes() for path in files(root)} == before
    export("--minari", "peva/mine-v0", *SMALL, "--episodes", "1", "--force")
    assert len(load("peva/mine-v0")) == 1
    assert len(load("peva/other-v0")) == 3
    assert files(root) == before.keys()


@needs_minari
@pytest.mark.parametrize(
    ("args", "complaint"),
    [
        (["--minari", "no version", "--sim", "random"], "must be NAME-vN"),
        (["--minari", "../up-v0", "--sim", "random"], "must be NAME-vN"),
        (["--minari", "a//b-v0", "--sim", "random"], "must be NAME-vN"),
        (["--minari", "a/b-v0", "--sim", "random"], "must be NAME-vN"),
        (["--minari", "x-v0", "--sim", "random", "--episodes", "0"], "--episodes = 0: must be more than 0"),
        (["--minari", "x-v0", "--sim", "random", "--budget-runs", "0"], "--budget-runs = 0: must be more than 0"),
        (["--minari", "x-v0", "--sim", "random", "--seed", "-1"], "--seed -1: must be 0 or more"),
        (
            ["--minari", "x-v0", "--sim", "random", "--seed", str(2**63)],
            "the last episode's at most 9223372036854775807",
        ),
        (["--minari", "x-v0", "--sim", "random", "--rates", "a=0:99999999999:1"], "has more than 100,000 rates"),
        (["--minari", "x-v0", "--sim", "random", "--agent", "nobody"], "there is no such agent"),
        (["--minari", "x-v0"], "give one of --sim, --data and --config"),
        (["--minari", "x-v0", "--sim", "random", "--data", "local-node-v1"], "give one of"),
        (["--minari", "x-v0", "--data", "nowhere"], "there is no such folder"),
        (["--minari", "x-v0", "--config", "nowhere.yml"], "nowhere.yml"),
        (["--minari", "x-v0", "--data", "local-node-v1", "--rates", "a=0,1"], "--rates is for --sim"),
        (["--minari", "x-v0", "--sim", "random", "--rates", "a=0:10"], "must be as a=0,20,40"),
        (["--minari", "x-v0", "--sim", "random", "--scenarios", "a"], "--scenarios is for --data; leave it out"),
        (["--minari", "x-v0", "--data", "local-node-v1", "--noise", "0"], "--noise is for --sim; leave it out"),
        (["--minari", "x-v0", "--data", "local-node-v1", "--scenarios", "nowhere"], "nowhere"),
        (["--minari", "x-v0", "--config", "a.yml", "--iterations", "3"], "--iterations is for --sim or --data"),
        (["--minari", "x-v0", "--sim", "random", "--iterations", "0"], "iterations"),
        (["--minari", "x-v0", "--sim", "random", "--reward", "nothing"], "reward"),
        (
            ["--minari", "x-v0", "--sim", "random", "--view", "pixels"],
            "view = 'pixels': must be one of map, candidates",
        ),
        (["--minari", "x-v0", "--sim", "random", "--epsilon", "1.5"], "--epsilon 1.5: must be a probability"),
        (["--minari", "x-v0", "--sim", "random", "--epsilon", "1.0000001"], "--epsilon 1.0000001: must be a prob"),
        (["--minari", "x-v0", "--sim", "random", "--agent", "learnt,uniform:0.5"], "needs a share above 0"),
        (
            ["--minari", "x-v0", "--sim", "random", "--agent", "learnt:0.7,uniform:0.7"],
            "shares sum to 1.4, not to 1",
        ),
        (["--minari", "x-v0", "--sim", "random", "--agent", "learnt:0.7,nobody:0.3"], "there is no such agent"),
        (["--minari", "x-v0", "--sim", "random", "--agent", "a.zip", "--view", "candidates"], "there is no such model"),
    ],
)
def test_what_cannot_be_exported_is_refused_in_one_line(args: list[str], complaint: str, root: Path) -> None:
    pytest.importorskip("minari", reason="needs the `minari` extra")
    assert complaint in export(*args, code=2)
    assert not files(root)


@needs_minari
@pytest.mark.parametrize("folder", ["/dev/null", "/proc"])
def test_a_folder_of_datasets_that_cannot_be_written_is_told_before_any_episode(
    monkeypatch: pytest.MonkeyPatch, folder: str
) -> None:
    pytest.importorskip("minari", reason="needs the `minari` extra")
    monkeypatch.setenv("MINARI_DATASETS_PATH", folder)
    with pytest.raises(PevaError, match=f"folder of datasets, {folder}, cannot be written to: .*; set MINARI_"):
        MinariDataset("peva/sim-v0")


def test_a_folder_of_datasets_without_a_name_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MINARI_DATASETS_PATH", "")
    assert "MINARI_DATASETS_PATH is empty; set it to a folder" in export("--minari", "peva/mine-v0", *SMALL, code=2)


def test_nothing_goes_below_a_dataset_nor_in_the_place_of_a_namespace() -> None:
    pytest.importorskip("minari", reason="needs the `minari` extra")
    export("--minari", "peva-v1/mine-v0", *SMALL)
    assert "is a dataset" in export("--minari", "peva-v1/mine-v0/more-v0", *SMALL, code=2)
    assert "is a namespace" in export("--minari", "peva-v1", *SMALL, "--force", code=2)


@needs_minari
def test_an_interrupted_export_leaves_nothing_behind(root: Path) -> None:
    pytest.importorskip("minari", reason="needs the `minari` extra")
    args = [COMMAND, "export", "--minari", "peva/mine-v0", *SMALL, "--episodes", "1000000"]
    process = subprocess.Popen(args, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    while not list(root.glob("*/data/main_data.hdf5")) and process.poll() is None:
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out, err) == (130, "interrupted: no dataset is written\n", "")
    assert not files(root)


@needs_minari
def test_an_agent_that_asks_for_nothing_is_named(root: Path) -> None:
    pytest.importorskip("minari", reason="needs the `minari` extra")

    def idle(env: Any, agent: Any, seed: int) -> None:
        env.reset(seed=seed)

    env = make_sim_env(rates_rps={"a": [0, 50]})
    with pytest.raises(PolicyError, match="episode 0: the agent made no step"):
        MinariDataset("mine-v0").write(
            env, idle, lambda seed: StopsAfterOneRun(), n_episodes=1, seed=0, algorithm="idle", description=""
        )
    assert not files(root)


def replay_check(dataset_id: str) -> None:
    """Take all actions of a dataset again: each is legal, and each observation is the same."""
    dataset = load(dataset_id)
    env = dataset.recover_environment()
    for episode, metadata in zip(dataset, dataset.storage.get_episode_metadata(range(len(dataset))), strict=True):
        for t, (observation, mask, _) in enumerate(replayed(env, episode, metadata["seed"])):
            np.testing.assert_array_equal(episode.infos["action_mask"][t], mask)
            for name, value in observation.items():
                rounding = 2**-15 if name == "candidates" else 0
                np.testing.assert_allclose(episode.observations[name][t], value, rtol=rounding, atol=1e-30)
            assert {name: part[t] for name, part in episode.observations.items()} in dataset.observation_space
            if t < len(episode.actions):
                assert mask[episode.actions[t]]
    env.close()


@needs_minari
@pytest.mark.parametrize("agent", ["cartesian", "learnt", "uniform", "learnt:0.5,uniform:0.5"])
@pytest.mark.parametrize("view", ["map", "candidates"])
def test_agents_act_legally_in_every_view(agent: str, view: str) -> None:
    pytest.importorskip("minari", reason="needs the `minari` extra")
    export("--minari", "mine-v0", *SMALL, "--agent", agent, "--view", view, "--epsilon", "0.3")
    replay_check("mine-v0")


@needs_minari
def test_configurations_without_a_record_are_not_asked_for() -> None:
    pytest.importorskip("minari", reason="needs the `minari` extra")
    options = ["--iterations", "3", "--dominance", "two_sided", "--reward", "early"]
    export("--minari", "mine-v0", "--data", "local-node-v1", "--budget-runs", "5", "--episodes", "2", *options)
    replay_check("mine-v0")
    kwargs = load("mine-v0").env_spec.kwargs
    assert (kwargs["iterations"], kwargs["dominance"], kwargs["reward"]) == (3, "two_sided", "early")


@needs_minari
def test_log_probabilities_are_those_of_the_behaviour() -> None:
    pytest.importorskip("minari", reason="needs the `minari` extra")
    share = ["--agent", "learnt:0.5,uniform:0.5", "--epsilon", "0.25", "--episodes", "12"]
    export("--minari", "mine-v0", *SMALL, *share)
    dataset = load("mine-v0")
    metadata = list(dataset.storage.get_episode_metadata(range(12)))
    assert {one["behaviour"] for one in metadata} == {"learnt", "uniform"}
    for episode, one in zip(dataset, metadata, strict=True):
        log_prob = episode.infos["log_prob"]
        n_legal = episode.infos["action_mask"][:-1].sum(axis=1)
        even = np.log(1 / n_legal)
        explored, chosen = np.log(0.25 / n_legal), np.log(0.75 + 0.25 / n_legal)
        possible = [even] if one["behaviour"] == "uniform" else [explored, chosen]
        assert np.isclose(log_prob[:-1], possible, atol=1e-5).any(axis=0).all()
        assert log_prob[-1] == 0


@needs_minari
def test_infos_hold_what_each_run_measured() -> None:
    pytest.importorskip("minari", reason="needs the `minari` extra")
    export("--minari", "mine-v0", *SMALL)
    for episode in load("mine-v0"):
        infos, observed = episode.infos, episode.observations
        ran = infos["n_runs"] > 0
        assert not ran[0]
        assert ran[1:].all()
        np.testing.assert_array_equal(infos["measurement"], observed["last_measurement"])
        np.testing.assert_array_equal(infos["measurement_mask"], observed["last_mask"])
        assert set(infos["verdict"][1:]) <= {-1, 1}
        assert (infos["rates_rps"][1:] <= [200, 100]).all()
        loaded = infos["rates_rps"] > 0
        assert (infos["mean_latency_ms"][~loaded] == 0).all()
        assert (infos["mean_latency_ms"][loaded] > 0).any()


@needs_minari
def test_no_array_has_a_type_that_torchrl_does_not_know() -> None:
    pytest.importorskip("minari", reason="needs the `minari` extra")
    export("--minari", "mine-v0", *SMALL)
    known = {"float16", "float32", "float64", "int64", "int32", "uint8"}
    dataset = load("mine-v0")
    assert {str(part.dtype) for part in dataset.observation_space.values()} <= known
    assert str(dataset.action_space.dtype) in known


class StopsAfterOneRun:
    """Measures the last configuration, and nothing else."""

    name, dominance = "stops", "one_sided"

    def begin(self, campaign: Any) -> None:
        self._actions = iter([1])

    def act(self, observation: Any, info: Any) -> int | None:
        return next(self._actions, None)


@needs_minari
def test_the_reward_of_ending_a_campaign_early_is_that_of_its_last_step(root: Path) -> None:
    pytest.importorskip("minari", reason="needs the `minari` extra")
    env = gymnasium.make("peva_env:peva/FaasSim-v1", rates_rps={"a": [0, 10, 20]}, dominance="one_sided")
    MinariDataset("mine-v0").write(
        env, run_campaign, lambda seed: StopsAfterOneRun(), n_episodes=1, seed=0, algorithm="stops", description=""
    )
    (episode,) = load("mine-v0")
    assert episode.rewards.tolist() == pytest.approx([1 / 3 - 1])


@needs_minari
@pytest.mark.live
def test_a_live_campaign_is_exported_and_can_be_driven_again() -> None:
    pytest.importorskip("minari", reason="needs the `minari` extra")
    settings = {
        "functions": [{"name": "fetch", "headers": {"X-Token": "hush"}}],
        "rate_strategy": {"type": "custom", "rates": [5, 10]},
        "duration": "1s",
        "iterations": 1,
    }
    Path("live.yml").write_text(yaml.safe_dump(settings))
    export("--minari", "live-v0", "--config", "live.yml", "--episodes", "1", "--budget-runs", "2")
    dataset = load("live-v0")
    assert len(dataset[0]) == 2
    assert "hush" not in (dataset.storage.data_path / "metadata.json").read_text()
    env = dataset.recover_environment()
    env.reset(seed=0)
    *_, terminated, truncated, info = env.step(dataset[0].actions[0])
    assert (info["n_runs"], terminated, truncated) == (1, False, False)
    env.close()
    assert env.unwrapped.status is EndStatus.INTERRUPTED


def test_without_minari_the_extra_is_named(tmp_path: Path) -> None:
    (tmp_path / "minari.py").write_text("raise ModuleNotFoundError('no minari here')")
    code = "from peva_env.datasets.minari import MinariDataset; MinariDataset('mine-v0')"
    path = os.pathsep.join([str(tmp_path), str(Path(__file__).parents[2])])
    done = subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, "PYTHONPATH": path}, capture_output=True, text=True, timeout=60
    )
    last = done.stderr.splitlines()[-1]
    assert last.startswith(f"peva_env.errors.{ConfigError.__name__}: --minari needs Minari, which is not installed (")
