"""What a refinement costs: runs beyond the map of the grid, on simulated nodes with scouted rates.

``python -m benchmarks refining``; ``PEVA_REFINED_NODES=20`` takes fewer nodes.
"""

import os

import gymnasium
import numpy as np

from benchmarks.scouted_agents import random_node, scouted
from peva_agents.bisection import BisectionAgent
from peva_agents.loop import run_campaign
from peva_env.config import DfaasConfig
from peva_env.env import PevaEnv
from peva_env.inference import OK_LABEL
from peva_env.planning import DfaasPlanBuilder, Limit
from peva_env.space import Config

_NODES = int(os.environ.get("PEVA_REFINED_NODES", "50"))
_FIRST_SEED = 91_000
_SHARES = ("10%", "5%", "2%")


def main() -> None:
    """Print the runs of each refinement, without noise and with it, and how far the limits are from the true ones."""
    for noise in (0.0, 0.03):
        print(f"noise {noise:g}")
        for refine in _SHARES:
            rows = [_row(_FIRST_SEED + number, refine, noise) for number in range(_NODES)]
            grid, all_runs, finer = np.array([row[:3] for row in rows]).mean(axis=0)
            errors = np.array([error for row in rows for error in row[3]])
            more = all_runs - grid
            print(
                f"  {refine:>4}: {len(errors) / _NODES:.1f} limits; {grid:.1f} runs for the grid, then {more:.1f} "
                f"({more * _NODES / len(errors):.2f} a limit) of {finer:.0f} finer configurations; "
                f"error {np.median(errors):.1%} in the median, nine in ten below {np.quantile(errors, 0.9):.1%}",
                flush=True,
            )


def _row(seed: int, refine: str, noise: float) -> tuple[int, int, int, list[float]]:
    """Return a node's runs for the grid, runs in all, finer configurations, and the error of each limit."""
    node = random_node(seed, ["a", "b"])
    config, _ = scouted(node, seed, noise)
    grid, _ = _played(config, node, seed, noise, None)
    all_runs, env = _played(config, node, seed, noise, refine)
    refinement = env.refinement
    assert refinement is not None
    assert env.known.recorded is not None
    errors = [_error(env, limit) for limit in refinement.limits(env.known)]
    return grid, all_runs, int((env.known.recorded & ~refinement.of_grid).sum()), errors


def _error(env: PevaEnv, limit: Limit) -> float:
    """Return how far the middle of a limit is from the true limit among the finer rates, as a share of it."""
    truth, rates = env._latest().truth(), env.space.rates_rps[env.space.functions.index(limit.function)]
    ok = [0] + [rate for rate in rates if truth[env.space.index(_with(limit, rate))] == OK_LABEL]
    true_rps = (ok[-1] + next((rate for rate in rates if rate > ok[-1]), ok[-1])) / 2
    return abs((limit.ok_rps + limit.overloaded_rps) / 2 - true_rps) / true_rps


def _with(limit: Limit, rate: int) -> Config:
    return [(name, rate if name == limit.function else own) for name, own in limit.config]


def _played(config: DfaasConfig, node: object, seed: int, noise: float, refine: str | None) -> tuple[int, PevaEnv]:
    space = DfaasPlanBuilder(config).build_space()
    env = gymnasium.make(
        "peva_env:peva/FaasSim-v1",
        node=node,
        rates_rps={name: list(rates) for name, rates in zip(space.functions, space.rates_rps, strict=True)},
        min_functions=1,
        noise=noise,
        duration_s=5.0,
        budget_runs=None,
        max_steps=None,
        refine=refine,
    ).unwrapped
    assert isinstance(env, PevaEnv)
    return run_campaign(env, BisectionAgent(), seed=seed).n_runs, env
