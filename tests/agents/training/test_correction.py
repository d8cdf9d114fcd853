"""Training of the correction: it begins as no change, NumPy runs it as PyTorch does, what is trained is an agent."""

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("sb3_contrib", reason="needs the `train` extra")

import torch
from gymnasium.utils.env_checker import check_env

from peva_agents.beliefs import N_INPUTS, SCORE_INPUT, Network
from peva_agents.learnt import LearntAgent
from peva_agents.loop import run_campaign
from peva_agents.training.candidates import CorrectionWorld
from peva_agents.training.correction import campaign_returns, correct, is_improvement
from peva_agents.training.correction_policy import CandidateNetworks
from peva_agents.training.examples import ExampleCollector
from peva_agents.training.learnt import fit_estimate
from peva_env.contracts import EndStatus
from peva_env.env import PevaEnv
from tests.support.networks import candidates, networks, nodes

pytestmark = pytest.mark.train


def test_numpy_runs_a_network_as_pytorch_does() -> None:
    torch.manual_seed(1)
    layers = [torch.nn.Linear(4, 5), torch.nn.Linear(5, 3), torch.nn.Linear(3, 1)]
    found = Network.of_torch(torch.zeros(4), torch.ones(4), layers)
    inputs = torch.randn(7, 4)
    hidden = inputs
    for layer in layers[:-1]:
        hidden = torch.relu(layer(hidden))
    expected = layers[-1](hidden).detach().numpy()[:, 0]
    np.testing.assert_allclose(found(inputs.numpy().astype(np.float64)), expected, atol=1e-5)


def test_the_actor_is_the_score_and_the_correction_as_numpy_runs_it() -> None:
    torch.manual_seed(1)
    actor = CandidateNetworks(np.full(N_INPUTS, 0.5), np.full(N_INPUTS, 2.0), hidden=6)
    observed = torch.randn(3, 4, N_INPUTS + 1)
    logits = actor.forward_actor(observed.flatten(start_dim=1)).detach().numpy()
    inputs = observed[..., :-1].reshape(12, N_INPUTS).numpy().astype(np.float64)
    expected = inputs[:, SCORE_INPUT] + actor.network()(inputs)
    np.testing.assert_allclose(logits.ravel() / logits.ravel()[0], expected / expected[0], rtol=1e-3)


@pytest.mark.filterwarnings("ignore:.*A Box observation space (minimum|maximum) value is -?infinity")
def test_the_candidates_are_an_environment() -> None:
    check_env(candidates(), skip_render_check=True)


def test_estimate_and_correction_are_trained_and_fit_together(tmp_path: Path) -> None:
    collector = ExampleCollector(nodes(noise=0.0), 2)
    examples = [entry for number, seed in collector.campaigns(1) for entry in collector.collect(None, number, seed)]
    said: list[str] = []
    world = CorrectionWorld(nodes(), 1.0)
    found = correct(
        fit_estimate(examples, 0, 5),
        [world],
        n_choices=1,
        n_evaluated=2,
        seed=1,
        say=said.append,
        n_seen=50,
        hyperparameters={"n_steps": 8, "batch_size": 64},
    )
    assert "correction" in said[-1]
    found.save(tmp_path / "some.npz")
    agent = LearntAgent(path=tmp_path / "some.npz")
    assert run_campaign(PevaEnv(nodes().campaigns(), nodes().objective), agent, seed=1).status is EndStatus.COMPLETE


def test_the_evaluation_campaigns_are_always_the_same() -> None:
    world = CorrectionWorld(nodes(), 1.0)
    (once,), (again,) = campaign_returns(networks(), [world], 2), campaign_returns(networks(), [world], 2)
    assert (once == again).all()
    assert once.shape == (2,)


@pytest.mark.parametrize(
    ("gains", "kept"),
    [
        ([[0.1, 0.2], [0.1, 0.1]], True),
        ([[0.1, -0.1], [0.1, -0.1]], False),
        ([[0.5, 0.5], [-0.1, -0.1]], False),
        ([[0.5, 0.5], [0.1, -0.2]], True),
    ],
)
def test_a_correction_must_gain_on_the_whole_and_lose_nowhere(gains: list[list[float]], kept: bool) -> None:
    assert is_improvement([np.array(gain) for gain in gains]) is kept
