"""Several objectives as one world: each scenario is played under its own rules."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest

from peva_env import datasets
from peva_env.campaign import replay_setup, simulated_setup, true_labels
from peva_env.errors import ConfigError
from peva_env.sources import UnitedWorld, World
from peva_env.sources.replay.world import ReplayWorld
from peva_env.sources.simulated import SimulatedWorld
from tests.support.builders import write_recording
from tests.support.maps import latency_runs

_OBJECTIVES: dict[str, Mapping[str, Any]] = {"strict": {"p95_ms_max": 30}, "loose": {"p95_ms_max": 60}}
_RATES = {"a": range(0, 201, 20), "b": range(0, 201, 20)}


def _recorded() -> UnitedWorld:
    folder = datasets.load("local-node-v1")
    return UnitedWorld({name: ReplayWorld(folder, overload=rules) for name, rules in _OBJECTIVES.items()})


def _simulated() -> UnitedWorld:
    return UnitedWorld({name: SimulatedWorld(_RATES, rules=rules) for name, rules in _OBJECTIVES.items()})


@pytest.mark.parametrize("make", [_recorded, _simulated])
def test_an_episode_is_that_of_its_own_world(make: Any) -> None:
    united, seeds = make(), np.arange(6, dtype=np.uint64)
    scenarios = np.array([0, 1, 1, 0, 1, 0])
    indices = np.array([3, 30, 50, 7, 9, 60])

    found = united.begin(seeds, scenarios).outcomes(indices)

    for i, (seed, scenario) in enumerate(zip(seeds, scenarios.tolist(), strict=True)):
        world, own = united.origin(scenario)
        (label,) = world.begin(np.array([seed]), np.array([own])).outcomes(indices[i : i + 1]).labels
        assert found.labels[i] == label


@pytest.mark.parametrize("make", [_recorded, _simulated])
def test_episodes_can_change_their_world(make: Any) -> None:
    united: World = make()
    episodes = united.begin(np.arange(4, dtype=np.uint64), np.array([0, 0, 1, 1]))
    others = united.begin(np.arange(4, 8, dtype=np.uint64), np.array([1, 1, 0, 0]))

    episodes.adopt(np.array([0, 3]), others)

    expected = united.begin(np.array([4, 1, 2, 7], np.uint64), np.array([1, 0, 1, 0]))
    everywhere = np.array([20, 21, 22, 23])
    assert episodes.outcomes(everywhere).labels.tolist() == expected.outcomes(everywhere).labels.tolist()


def test_a_looser_objective_leaves_less_overloaded() -> None:
    united = _recorded()

    strict, loose = (true_labels(united, 0, scenario) for scenario in range(2))

    assert (loose <= strict).all()
    assert (loose < strict).any()


def test_worlds_of_other_shapes_are_refused() -> None:
    small = SimulatedWorld({"a": range(0, 101, 20), "b": range(0, 201, 20)})

    with pytest.raises(ConfigError, match="objectives usual and small leave maps of different shapes"):
        UnitedWorld({"usual": SimulatedWorld(_RATES), "small": small})


@pytest.mark.parametrize("env_id", ["peva/FaasReplay-v1", "peva/FaasSim-v1"])
def test_a_list_of_objectives_makes_scenarios(env_id: str) -> None:
    objectives = [{"p95_ms_max": 30}, {"p95_ms_max": 60, "success_rate_node_min": None}, {}]
    env = gymnasium.make(env_id, overload=objectives)

    scenarios = [env.reset(seed=seed)[1]["scenario"] for seed in range(20)]

    names = {scenario.partition("@")[2] for scenario in scenarios}
    assert names == {"p95_ms_max=30", "p95_ms_max=60,success_rate_node_min=null", "usual"}
    assert env.spec is not None
    assert env.spec.kwargs["overload"] == objectives
    env.close()


@pytest.mark.parametrize("setup", [replay_setup, simulated_setup])
@pytest.mark.parametrize(
    ("overload", "problem"),
    [
        ([{"p95_ms_max": 30}, {"p95_ms_max": 30}], "two objectives are equal"),
        ([], "overload"),
        ([{"p95_ms": 30}], "p95_ms: unknown key; did you mean 'p95_ms_max'"),
        ({"p95_ms": 30}, "p95_ms: unknown key; did you mean 'p95_ms_max'"),
    ],
)
def test_wrong_objectives_are_refused(setup: Any, overload: Any, problem: str) -> None:
    with pytest.raises(ConfigError, match=problem):
        setup(overload=overload)


def test_what_an_objective_leaves_without_a_frontier_is_left_out_of_the_others_shape(tmp_path: Path) -> None:
    folder = write_recording(tmp_path, *latency_runs("x"), *latency_runs("y", slower_by_ms=100))

    with pytest.warns(UserWarning, match="left out, because all their configurations have the same verdict: .*y"):
        world = ReplayWorld(folder, overload={"p95_ms_max": 80})

    assert len(world.scenarios) == 1
    (run,) = (world.event(0, 0, index, 0) for index in [world.space(0).index([("a", 30), ("b", 30)])])
    assert run is not None
    assert run.reasons == ("p95 latency of a 120.0 ms > 80 ms", "p95 latency of b 120.0 ms > 80 ms")


def test_rules_that_no_run_can_be_judged_by_are_refused(tmp_path: Path) -> None:
    folder = write_recording(tmp_path, *latency_runs("x"))

    with pytest.raises(ConfigError, match="the rules cannot judge any run, because what they need was not measured"):
        ReplayWorld(folder, overload={"p99_ms_max": 80})
