"""Agents that begin with the steps of a scouting: fewer runs to the same proof, and no verdict from a step alone.

``python -m benchmarks scouted-agents`` does the like on many nodes.
"""

from collections.abc import Callable
from typing import Any

import pytest

from benchmarks.scouted_agents import AGENTS, random_node, runs_to_proof, scouted
from peva_agents.bisection import BisectionPolicy
from peva_agents.learnt import LearntPolicy
from peva_agents.level_set import LevelSetPolicy
from peva_env.config import DfaasConfig
from peva_env.contracts import PolicyContext
from peva_env.memory.tensors import TensorCache
from peva_env.planning import Candidates, DfaasPlanBuilder

SEEDS = (3, 4)


@pytest.mark.parametrize("make", AGENTS.values(), ids=AGENTS)
def test_the_steps_of_a_scouting_save_runs(make: Callable[[DfaasConfig], Any]) -> None:
    without = with_steps = 0
    for seed in SEEDS:
        node = random_node(seed, ["a", "b"])
        config, steps = scouted(node, seed, noise=0.0)
        without += runs_to_proof(config, node, make(config), (), seed, noise=0.0)[0]
        n_runs, least = runs_to_proof(config, node, make(config), steps, seed, noise=0.0)
        assert n_runs >= least, "a step proves nothing: each configuration of the certificate is measured"
        with_steps += n_runs
    assert with_steps < without


@pytest.mark.parametrize("policy", [BisectionPolicy, LevelSetPolicy, LearntPolicy])
def test_steps_even_contradictory_ones_exclude_no_candidate(policy: Any) -> None:
    node = random_node(SEEDS[0], ["a", "b"])
    config, steps = scouted(node, SEEDS[0], noise=0.0)
    space = DfaasPlanBuilder(config).build_space()
    chooser = policy(seed=1)
    chooser.setup(PolicyContext(space, 1, {}, [*steps, *steps[::-1]], TensorCache(), "within_sets"))
    every = Candidates(space, range(space.n_configs))
    assert len(chooser.choose_batch(candidates=every, desired_size=space.n_configs)) == space.n_configs
