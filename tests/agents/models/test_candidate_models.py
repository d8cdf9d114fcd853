"""Models that see candidates: their network with PyTorch and without, what their files say, and how they play."""

import json
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console

pytest.importorskip("sb3_contrib", reason="needs the `train` extra")
pytest.importorskip("tensorboard", reason="needs the `train` extra")

import torch

from peva_agents.loop import run_campaign
from peva_agents.models import CampaignRows, CandidateScores, load_scores
from peva_agents.models.candidate_network import Scores
from peva_agents.sb3 import SB3Agent
from peva_agents.training import train
from peva_env.config import DfaasConfig
from peva_env.contracts import EndStatus
from peva_env.env import PevaEnv
from peva_env.errors import PolicyLoadError
from peva_env.make import make_sim_env
from peva_env.views import CONTEXT, ROW
from peva_env.wrappers import CandidateView

pytestmark = pytest.mark.train

K = 9
TINY: dict[str, Any] = {
    "sim": "random",
    "rates_rps": {"a": [0, 50, 100, 200], "b": [0, 50, 100, 200]},
    "total_steps": 128,
    "n_envs": 4,
    "budget_runs": 16,
    "hyperparameters": {"n_steps": 16, "net_arch": [8]},
    "validation_episodes": 2,
    "evaluation_episodes": 2,
}


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the model of a tiny training in the candidate view, which is the default."""
    return train(TINY, console=Console(quiet=True), out=tmp_path_factory.mktemp("view") / "out") / "model.zip"


def observed(rng: np.random.Generator, n: int) -> dict[str, Any]:
    """Return random observations whose last rows have no candidate."""
    rows = rng.normal(size=(n, K, len(ROW))).astype(np.float32)
    rows[:, K - 2 :] = 0
    return {"candidates": rows, "context": rng.normal(size=(n, len(CONTEXT))).astype(np.float32)}


def network() -> tuple[Scores, CandidateScores]:
    torch.manual_seed(3)
    scores = Scores(K, 12)
    torch.nn.init.normal_(scores.score.weight)
    return scores, CandidateScores({name: tensor.numpy() for name, tensor in scores.state_dict().items()})


def test_numpy_and_pytorch_give_the_same_scores() -> None:
    rng = np.random.default_rng(1)
    with_torch, without = network()
    observation = observed(rng, 5)
    flat = np.concatenate([observation["candidates"].reshape(5, -1), observation["context"]], axis=1)
    expected = with_torch(torch.from_numpy(flat)).detach().numpy()
    found = without(observation)
    assert found.std() > 0
    np.testing.assert_allclose(found[:, : K - 2], expected[:, : K - 2], rtol=1e-4, atol=1e-5)
    assert (found[:, K - 2 :] == expected[:, K - 2 :]).all()


def test_scores_move_with_their_candidates_and_do_not_depend_on_the_budget() -> None:
    rng = np.random.default_rng(2)
    _, scores = network()
    observation = observed(rng, 3)
    order = rng.permutation(K)
    moved = {**observation, "candidates": observation["candidates"][:, order]}
    np.testing.assert_allclose(scores(moved), scores(observation)[:, order], rtol=1e-4, atol=1e-5)
    context = observation["context"].copy()
    context[:, [feature.name for feature in CONTEXT].index("runs_left")] = 0
    np.testing.assert_array_equal(scores({**observation, "context": context}), scores(observation))


@pytest.mark.parametrize(
    "space",
    [{"a": [0, 20, 40, 80]}, {"a": [0, 50, 90, 130], "b": [0, 30, 60], "c": [0, 40, 80]}],
    ids=["one-function", "three-functions"],
)
def test_a_model_plays_on_spaces_that_it_was_not_trained_on(model: Path, space: dict[str, list[int]]) -> None:
    env: PevaEnv = make_sim_env("random", rates_rps=space, noise=0.0)
    result = run_campaign(env, SB3Agent(path=model), seed=4)
    assert result.status is EndStatus.COMPLETE
    assert result.n_runs == result.n_steps > 0


def test_a_model_plays_in_a_space_without_arrays(model: Path) -> None:
    rates = {name: list(range(0, 201, 12)) for name in "abcde"}
    env: PevaEnv = make_sim_env("random", rates_rps=rates, budget_runs=6)
    assert not env.space.is_dense
    assert run_campaign(env, SB3Agent(path=model), seed=4).n_runs == 6


def test_an_agent_sees_what_the_wrapper_shows() -> None:
    env: PevaEnv = make_sim_env("random", budget_runs=9)
    view = CandidateView(make_sim_env("random", budget_runs=9))
    shown, _ = view.reset(seed=6)
    observation, _ = env.reset(seed=6)
    rows = CampaignRows(env, 64, env.episode_seed)
    env.attach_policy(rows, agent="test")
    for step in range(8):
        own = rows.look(observation)
        for name, values in shown.items():
            np.testing.assert_allclose(own[name][0], values, rtol=1e-4, atol=1e-4)
        row = 5 * step % 64
        assert rows.config(row) == view.config(row)
        observation = env.step(env.action(view.config(row)))[0]
        shown = view.step(row)[0]


def test_a_model_chooses_among_the_rows_that_the_view_shows(model: Path) -> None:
    env: PevaEnv = make_sim_env("random", budget_runs=9)
    view, scores, agent = CandidateView(env), load_scores(model), SB3Agent(path=model)
    observation, info = view.reset(seed=6)
    agent.begin(env)
    for _ in range(8):
        row = agent.choose_row(observation, info)
        assert row == scores({name: values[None] for name, values in observation.items()}).argmax()
        observation, *_, info = view.step(row)
    assert agent.choose_row(observation, {"action_mask": np.zeros(64, np.int8)}) is None


def test_a_model_compares_more_candidates_than_it_was_trained_with(model: Path) -> None:
    env: PevaEnv = make_sim_env("random", noise=0.0)
    observation, info = env.reset(seed=2)
    agent = SB3Agent(DfaasConfig(seed=5), path=model)
    agent.begin(env)
    all_of_them = CampaignRows(env, 512, 5)
    scores = load_scores(model)(all_of_them.look(observation))[0]
    best = all_of_them.config(int(scores.argmax()))
    assert best is not None
    assert agent.act(observation, info) == env.space.index(best)


def test_a_model_may_draw_its_actions_by_their_probabilities(model: Path) -> None:
    env: PevaEnv = make_sim_env("random", rates_rps=TINY["rates_rps"], noise=0.0)

    def first_actions(samples: bool) -> set[Any]:
        found = set()
        for seed in range(12):
            observation, info = env.reset(seed=1)
            agent = SB3Agent(DfaasConfig(seed=seed), path=model, samples=samples)
            agent.begin(env)
            found.add(agent.act(observation, info))
        return found

    assert len(first_actions(samples=False)) < len(first_actions(samples=True))


def test_playing_a_model_imports_no_pytorch(model: Path) -> None:
    code = (
        "import sys; from peva_agents.loop import run_campaign; from peva_agents.sb3 import SB3Agent; "
        "from peva_env.make import make_sim_env; "
        f"print(run_campaign(make_sim_env(budget_runs=3), SB3Agent(path={str(model)!r}), seed=1).n_runs); "
        "print({'torch', 'stable_baselines3'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.split("\n")[:2] == ["3", "set()"]


def changed(model: Path, path: Path, change: Callable[[dict[str, Any]], None]) -> Path:
    """Write a model whose file says something else about the view."""
    with zipfile.ZipFile(model) as archive, zipfile.ZipFile(path, "w") as other:
        for name in archive.namelist():
            content = archive.read(name)
            if name == "data":
                told = json.loads(content)
                change(told["peva"]["view"])
                content = json.dumps(told).encode()
            other.writestr(name, content)
    return path


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"name": "pixels"}, "its view is 'pixels', which this version does not know; it plays models of the views"),
        ({"format": 2}, "its format is 2, and this version reads format 1; install the version"),
        ({"format": None}, "its format is None, and this version reads format 1; install the version"),
        ({"k": None}, "k = None: the number of candidates must be .*; train again with this version"),
        ({"row": ["colour"]}, "was trained on other features .* train again with this version"),
    ],
    ids=["view", "format", "no-format", "no-k", "features"],
)
def test_models_of_other_views_are_refused_in_one_line(
    model: Path, tmp_path: Path, change: dict[str, Any], said: str
) -> None:
    other = changed(model, tmp_path / "other.zip", lambda view: view.update(change))
    with pytest.raises(PolicyLoadError, match=said) as caught:
        SB3Agent(path=other)
    assert "\n" not in str(caught.value)


def test_a_model_that_does_not_say_its_dominance_is_refused(model: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(model) as archive, zipfile.ZipFile(tmp_path / "other.zip", "w") as other:
        told = json.loads(archive.read("data"))
        del told["peva"]["config"]["dominance"]
        other.writestr("data", json.dumps(told))
    with pytest.raises(PolicyLoadError, match="is no model that peva-env train wrote: KeyError"):
        SB3Agent(path=tmp_path / "other.zip")


@pytest.mark.parametrize("told", ["", "[" * 100_000, '{"peva": []}'])
def test_a_file_that_tells_of_no_model_is_refused(tmp_path: Path, told: str) -> None:
    with zipfile.ZipFile(tmp_path / "other.zip", "w") as other:
        other.writestr("data", told)
    with pytest.raises(PolicyLoadError, match="is no model that peva-env train wrote"):
        SB3Agent(path=tmp_path / "other.zip")


def test_a_model_without_its_network_is_refused(model: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(model) as archive, zipfile.ZipFile(tmp_path / "other.zip", "w") as other:
        other.writestr("data", archive.read("data"))
    with pytest.raises(PolicyLoadError, match="its network cannot be loaded"):
        load_scores(tmp_path / "other.zip")
