"""Share of the wall time that maskable PPO, as ``peva-env train`` sets it up, spends inside the environments."""

import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.timing import report
from peva_agents.models import one_thread
from peva_agents.training import build, parse_training, sized_for, training_worlds

_STEPS = 8_192

_WORLDS: dict[str, dict[str, Any]] = {
    "local-node-v1, 168 configurations": {"data": ["local-node-v1"]},
    "random nodes, 441 configurations": {"sim": "random"},
    "random nodes, 9,261 configurations": {"sim": "random", "rates_rps": {key: [*range(0, 201, 10)] for key in "abc"}},
}


def main() -> None:
    """Print the shares."""
    one_thread()
    for what, given in _WORLDS.items():
        worlds = training_worlds(parse_training(given))
        config = sized_for(parse_training(given), worlds.space, len(worlds.spaces))
        env = worlds.learning_env(config.n_envs or 1)
        spent_s = [0.0]
        for name in ("reset", "step_wait", "action_masks"):
            setattr(env, name, _timed(getattr(env, name), spent_s))
        with tempfile.TemporaryDirectory() as folder:
            model = build(config, env, worlds.space, Path(folder))
            started = time.perf_counter()
            model.learn(_STEPS)
            whole_s = time.perf_counter() - started
        report(f"{what}: in the env", 100 * spent_s[0] / whole_s, "%", target="< 10 %")
        report(f"{what}: steps a second", model.num_timesteps / whole_s, "1/s")


def _timed(call: Callable[..., Any], spent_s: list[float]) -> Callable[..., Any]:
    def timed(*args: Any, **kwargs: Any) -> Any:
        started = time.perf_counter()
        try:
            return call(*args, **kwargs)
        finally:
            spent_s[0] += time.perf_counter() - started

    return timed
