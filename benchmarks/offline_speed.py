"""How fast offline environments step, with full observations and masks.

Reference: Gymnasium's CartPole stepped by its ``SyncVectorEnv``, as many environments in the same process. Actions are
legal ones drawn at random, as an agent with masks asks; choosing them is not timed. Of several rounds the fastest
counts, for both.
"""

import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
from numpy.typing import NDArray

from benchmarks.timing import report
from peva_env.memory.checkpoint import ParquetCheckpoint
from peva_env.memory.store import DuckDBMemoryStore
from peva_env.offline_arguments import DEFAULT_RATES_RPS
from peva_env.sources.simulated import SimulatedWorld

_ENVS = 1024
_ROUNDS = 8
_CUBE = {name: range(0, 201, 10) for name in "abc"}


def main() -> None:
    """Print the figures of offline environments."""
    cartpole = ("CartPole, SyncVectorEnv", _cartpole_steps_per_s() / 1e3)
    with tempfile.TemporaryDirectory() as folder:
        square: dict[str, dict[str, Any]] = {"FaasReplay": {"data": str(_recorded(Path(folder)))}, "FaasSim": {}}
        for name, arguments in square.items():
            speed = _vector_steps_per_s(f"peva/{name}-v0", **arguments) / 1e3
            report(f"{name}, 21 x 21, {_ENVS} side by side", speed, "k/s", target=">= 10 x", reference=cartpole)
        for name, arguments in square.items():
            speed = _single_steps_per_s(f"peva/{name}-v0", **arguments) / 1e3
            report(f"{name}, 21 x 21, single", speed, "k/s", target=">= 20")
    speed = _vector_steps_per_s("peva/FaasSim-v0", n_steps=5, rates_rps=_CUBE)
    report(f"FaasSim, 21 x 21 x 21, {_ENVS} side by side", speed / 1e3, "k/s", target=">= 50")


def _recorded(folder: Path) -> Path:
    """Write what a simulated node gives as a recording of a map of 21 x 21, three runs of each configuration."""
    world = SimulatedWorld(DEFAULT_RATES_RPS, "random", min_functions=2)
    source, rng = world.source(0), np.random.default_rng(0)
    events = [
        replace(source.measure(config, iteration=iteration, rng=rng), run_id="run", context_hash="c")
        for config in world.space()
        for iteration in range(3)
    ]
    with closing(DuckDBMemoryStore(":memory:")) as store:
        store.startup()
        store.insert_events(events)
        ParquetCheckpoint(store, core_dir=folder).export_core()
    return folder


def _cartpole_steps_per_s() -> float:
    env: Any = gymnasium.make_vec("CartPole-v1", num_envs=_ENVS, vectorization_mode="sync")
    env.reset(seed=0)
    return _ENVS * _per_s(env.action_space.sample, env.step, n_steps=10)


def _vector_steps_per_s(env_id: str, *, n_steps: int = 40, **arguments: Any) -> float:
    mode = "vector_entry_point"
    env: Any = gymnasium.make_vec(f"peva_env:{env_id}", num_envs=_ENVS, vectorization_mode=mode, **arguments)
    _, infos = env.reset(seed=0)
    rng = np.random.default_rng(0)

    def step(actions: Any) -> None:
        nonlocal infos
        *_, infos = env.step(actions)

    return _ENVS * _per_s(lambda: _legal(infos["action_mask"], rng), step, n_steps=n_steps)


def _single_steps_per_s(env_id: str, **arguments: Any) -> float:
    env: Any = gymnasium.make(f"peva_env:{env_id}", **arguments).unwrapped
    _, info = env.reset(seed=0)
    rng = np.random.default_rng(0)

    def step(action: int) -> None:
        nonlocal info
        *_, terminated, truncated, info = env.step(action)
        if terminated or truncated:
            _, info = env.reset()

    return _per_s(lambda: int(rng.choice(np.flatnonzero(info["action_mask"]))), step, n_steps=1000)


def _per_s(choose: Callable[[], Any], step: Callable[[Any], Any], *, n_steps: int) -> float:
    """Return the steps a second of the fastest round; choosing is not timed."""
    fastest_s = np.inf
    for _ in range(_ROUNDS):
        spent_s = 0.0
        for _ in range(n_steps):
            action = choose()
            started = time.perf_counter()
            step(action)
            spent_s += time.perf_counter() - started
        fastest_s = min(fastest_s, spent_s)
    return n_steps / fastest_s


def _legal(masks: NDArray[np.int8], rng: np.random.Generator) -> NDArray[np.int64]:
    """Return for each environment the first legal one of 32 actions drawn at random, or of all if none of these is."""
    tried = rng.integers(0, masks.shape[1], (len(masks), 32))
    is_legal = np.take_along_axis(masks, tried, axis=1)
    drawn = np.take_along_axis(tried, is_legal.argmax(axis=1)[:, None], axis=1)[:, 0]
    return np.where(is_legal.any(axis=1), drawn, masks.argmax(axis=1))
