"""Campaigns that refine their map: on a simulated node, and with a real memory that is left and taken up again."""

from pathlib import Path
from typing import Any

import gymnasium
import pytest

from peva_agents.bisection import BisectionAgent
from peva_agents.cartesian import CartesianAgent
from peva_agents.loop import run_campaign
from peva_env.config import parse_config
from peva_env.contracts import EndStatus, Verdict
from peva_env.env import PevaEnv
from peva_env.errors import ConfigError
from peva_env.maps import read_map
from peva_env.planning import Refinement
from peva_env.space import ConfigSpace, Dominance, config_key
from tests.support.scripted import ScriptedHost

RATES = {"checkout": [40, 80, 120, 160, 200, 240], "fetch": [30, 60, 90, 120]}
GRID = ConfigSpace({"a": [20, 60, 100], "b": [20, 60, 100]}, min_functions=1, max_functions=3)
CAPACITY_RPS = {"a": 80, "b": 70}


def simulated(**arguments: Any) -> PevaEnv:
    env = gymnasium.make(
        "peva_env:peva/FaasSim-v1",
        node="local", rates_rps=RATES, min_functions=1, noise=0.0, budget_runs=None, **arguments,
    ).unwrapped  # fmt: skip
    assert isinstance(env, PevaEnv)
    return env


def test_on_a_simulated_node_each_limit_is_known_in_the_end_and_right() -> None:
    plain = run_campaign(simulated(), BisectionAgent(), seed=1)
    env = simulated(refine="5%")
    result = run_campaign(env, BisectionAgent(), seed=1)
    assert result.status is EndStatus.COMPLETE
    assert env.refinement is not None
    truth = env._latest().truth()
    limits = env.refinement.limits(env.known)
    assert len({limit.function for limit in limits}) == 2
    for limit in limits:
        for rate, label in ((limit.ok_rps, -1), (limit.overloaded_rps, 1)):
            config = [(name, rate if name == limit.function else own) for name, own in limit.config]
            assert truth[env.space.index(config)] == label
        assert limit.is_known
        assert limit.overloaded_rps - limit.ok_rps <= max(1, 0.05 * limit.ok_rps)
    assert env.known.recorded is not None
    n_finer = int((env.known.recorded & ~env.refinement.of_grid).sum())
    assert plain.n_runs < result.n_runs <= plain.n_runs + n_finer / 2


def test_what_cannot_be_refined_is_refused() -> None:
    with pytest.raises(ConfigError, match="refine: bisects, and so needs dominance within_sets or two_sided"):
        simulated(refine="5%", dominance="one_sided")
    with pytest.raises(ConfigError, match=r"refine = '5': must be a percentage from 0.5% to 50%, for example 5%"):
        simulated(refine="5")
    with pytest.raises(ConfigError, match="refine: campaigns side by side cannot refine"):
        gymnasium.make_vec("peva_env:peva/FaasSim-v1", vectorization_mode="vector_entry_point", refine="5%")


def host(folder: Path, *, refines: bool, budget_runs: int | None = None) -> ScriptedHost:
    refinement = Refinement(GRID, 0.05) if refines else None
    dominance: Dominance = "within_sets" if refines else "one_sided"
    budget = (budget_runs, None)
    return ScriptedHost(GRID, CAPACITY_RPS, folder, dominance=dominance, budget=budget, refinement=refinement)


def played(one: ScriptedHost) -> EndStatus:
    env = PevaEnv(one)
    agent = BisectionAgent() if one.refinement else CartesianAgent(parse_config({}))
    try:
        return run_campaign(env, agent, seed=1, options={"warm_start": True}).status
    finally:
        env.close()


def test_a_refinement_that_was_cut_off_goes_on_and_the_map_stays_complete(tmp_path: Path) -> None:
    grid = host(tmp_path, refines=False)
    assert played(grid) is EndStatus.COMPLETE
    of_grid = read_map(tmp_path / "m.duckdb")
    assert (of_grid.known.n_configs, of_grid.known.n_unknown) == (GRID.n_configs, 0)

    ran = [config_key(config) for config in grid.source.runs]
    for budget_runs, status in ((3, EndStatus.BUDGET), (None, EndStatus.COMPLETE), (None, EndStatus.COMPLETE)):
        finer = host(tmp_path, refines=True, budget_runs=budget_runs)
        assert played(finer) is status
        ran += [config_key(config) for config in finer.source.runs]
        now = read_map(tmp_path / "m.duckdb")
        assert now.known.n_unknown == 0, "the map of the grid is complete, however far its limits are known"
        assert all(verdict in (Verdict.OK, Verdict.OVERLOADED) for verdict in now.known.measured.values())
    assert len(set(ran)) == len(ran), "nothing is measured twice"
    assert not finer.source.runs, "the third had nothing left to run"
    assert GRID.n_configs < now.known.n_configs < finer.space.n_configs
    lowest, highest = ({config_key(config) for config in side} for side in now.known.frontier())
    assert (("a",), (78,)) in highest
    assert (("a",), (81,)) in lowest

    plan = read_map(tmp_path / "m.duckdb", finer=False)
    assert plan.known.space.rates_rps == GRID.rates_rps
    assert (plan.known.n_configs, plan.known.n_unknown) == (GRID.n_configs, 0)
    n_finer = len(now.known.measured) - len(plan.known.measured)
    assert plan.notes == (f"runs of configurations outside this map, which are left out: {n_finer}",)
    again = host(tmp_path, refines=False)
    assert played(again) is EndStatus.COMPLETE
    assert not again.source.runs, "and the grid has nothing left either"
