"""Networks that have learnt nothing, and the simulated nodes that they choose on."""

from typing import Any

import numpy as np

from peva_agents.beliefs import Networks
from peva_agents.beliefs.network import Network
from peva_agents.training.candidates import CandidateEnv, CorrectionWorld
from peva_env.campaign import OfflineSetup, simulated_setup
from peva_env.features import N_FEATURES

RATES = {"a": [0, 50, 100, 150, 200], "b": [0, 50, 100, 150, 200]}


def network(n_inputs: int, *, seed: int = 0, last: float = 1.0) -> Network:
    """Return one that has learnt nothing; its last layer is multiplied by ``last``."""
    rng = np.random.default_rng(seed)
    layers = [(rng.normal(size=(n_inputs, 6)), rng.normal(size=6)), (last * rng.normal(size=(6, 1)), np.zeros(1))]
    return Network(rng.normal(size=n_inputs), np.full(n_inputs, 2.0), tuple(layers))


def networks(correction: Network | None = None) -> Networks:
    return Networks(network(N_FEATURES), correction)


def nodes(**settings: Any) -> OfflineSetup:
    return simulated_setup("random", rates_rps=RATES, **settings)


def candidates(n_candidates: int = 8) -> CandidateEnv:
    return CandidateEnv(networks(), [CorrectionWorld(nodes(), 1.0)], n_candidates=n_candidates)
