"""Optional parts of an observation: coordinates, the last runs, and the mean latency."""

from typing import Any

import gymnasium
import numpy as np
import pytest

from peva_env.errors import ConfigError

ALL: Any = {"coordinates": True, "last_runs": 2, "mean_latency": True}


@pytest.mark.parametrize("env_id", ["peva/FaasSim-v1", "peva/FaasReplay-v1"])
def test_they_show_what_an_event_tells_and_are_off_by_default(env_id: str) -> None:
    plain: Any = gymnasium.make(f"peva_env:{env_id}")
    env: Any = gymnasium.make(f"peva_env:{env_id}", **ALL)
    extras = {"coordinates", "last_mean_latency", "runs_config", "runs_measurement", "runs_mask"}
    assert set(env.observation_space) - set(plain.observation_space) == extras
    observation, _ = env.reset(seed=3)
    assert observation in env.observation_space
    assert not any(observation[name].any() for name in extras - {"coordinates"})
    events, source = [], env.unwrapped.host.world.source(env.unwrapped._campaign.truth.seed, 0)
    space = env.unwrapped.space
    for action in (space.n_configs // 3, 1):
        events.append(source.measure(space.config(action), iteration=0, rng=np.random.default_rng(0)))
        observation, *_, info = env.step(action)
        assert info["n_runs"] == 1
        assert observation in env.observation_space
        assert observation["runs_config"][0].tolist() == observation["last_config"].tolist()
        assert observation["coordinates"][action].tolist() == observation["last_config"].tolist()
        assert observation["runs_measurement"][0].tolist() == observation["last_measurement"].tolist()
        expected = [0.0] * len(space.functions)
        for function in events[-1].functions:
            expected[space.functions.index(function.name)] = (function.mean_ms or 0) / 1000
        assert observation["last_mean_latency"].tolist() == pytest.approx(expected)
    assert observation["runs_config"][1].tolist() == observation["coordinates"][space.n_configs // 3].tolist()
    assert observation["runs_mask"][1].any()


def test_observations_share_no_memory_with_the_environment() -> None:
    env: Any = gymnasium.make("peva_env:peva/FaasSim-v1", **ALL)
    env.reset(seed=0)
    first, *_ = env.step(220)
    kept = {name: part.copy() for name, part in first.items()}
    for part in first.values():
        part[:] = 1
    second, *_ = env.step(220)
    assert all((second[name] == kept[name]).all() for name in kept)


def test_coordinates_of_too_many_configurations_are_refused_in_words() -> None:
    rates = {"a": list(range(1100)), "b": list(range(1000))}
    with pytest.raises(ConfigError, match="coordinates = True: 1,100,000 configurations are too many"):
        gymnasium.make("peva_env:peva/FaasSim-v1", rates_rps=rates, coordinates=True)


def test_a_live_environment_has_them_too(tmp_path: Any) -> None:
    env = gymnasium.make("peva_env:peva/FaasLive-v1", config={"output_dir": str(tmp_path)}, **ALL)
    assert env.observation_space["runs_mask"].shape == (2, 5)  # type: ignore[index]
    with pytest.raises(ConfigError, match="last_runs = -1: must be more than 0"):
        gymnasium.make("peva_env:peva/FaasLive-v1", last_runs=-1)
