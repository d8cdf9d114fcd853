"""How fast offline environments step, with full observations and masks.

Reference: Gymnasium's CartPole stepped by its ``SyncVectorEnv``, as many environments in the same process. Actions are
legal ones drawn at random, as an agent with masks asks; choosing them is not timed. Rounds of what is compared take
turns, so that both meet the machine in the same state, and the fastest round of each counts.
"""

import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
from numpy.typing import NDArray

from benchmarks.timing import report
from peva_env.campaign import DEFAULT_RATES_RPS
from peva_env.memory import DuckDBMemoryStore
from peva_env.memory.parquet import ParquetCheckpoint
from peva_env.sources.simulated import SimulatedWorld

_ENVS = 1024
_ROUNDS = 8
_CUBE = {name: range(0, 201, 10) for name in "abc"}


@dataclass(frozen=True, slots=True)
class Play:
    """What is timed: ``step`` with what ``choose`` returns, ``n_steps`` times a round, of ``n_envs`` side by side."""

    choose: Callable[[], Any]
    step: Callable[[Any], Any]
    n_steps: int
    n_envs: int = _ENVS

    def round_s(self) -> float:
        """Return the seconds that a round took."""
        spent_s = 0.0
        for _ in range(self.n_steps):
            action = self.choose()
            started = time.perf_counter()
            self.step(action)
            spent_s += time.perf_counter() - started
        return spent_s


def main() -> None:
    """Print the figures of offline environments."""
    with tempfile.TemporaryDirectory() as folder:
        square: dict[str, dict[str, Any]] = {"FaasReplay": {"data": str(_recorded(Path(folder)))}, "FaasSim": {}}
        vectors = [_vector(f"peva/{name}-v1", **arguments) for name, arguments in square.items()]
        cartpole, *speeds = k_steps_per_s(_cartpole(), *vectors)
        for name, speed in zip(square, speeds, strict=True):
            reference = "CartPole, SyncVectorEnv", cartpole
            report(f"{name}, 21 x 21, {_ENVS} side by side", speed, "k/s", target=">= 10 x", reference=reference)
        for name, arguments in square.items():
            (speed,) = k_steps_per_s(single(f"peva/{name}-v1", **arguments))
            report(f"{name}, 21 x 21, single", speed, "k/s", target=">= 20")
    (speed,) = k_steps_per_s(_vector("peva/FaasSim-v1", n_steps=5, rates_rps=_CUBE))
    report(f"FaasSim, 21 x 21 x 21, {_ENVS} side by side", speed, "k/s", target=">= 50")


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


def _cartpole() -> Play:
    env: Any = gymnasium.make_vec("CartPole-v1", num_envs=_ENVS, vectorization_mode="sync")
    env.reset(seed=0)
    return Play(env.action_space.sample, env.step, n_steps=10)


def _vector(env_id: str, *, n_steps: int = 40, **arguments: Any) -> Play:
    mode = "vector_entry_point"
    env: Any = gymnasium.make_vec(f"peva_env:{env_id}", num_envs=_ENVS, vectorization_mode=mode, **arguments)
    _, infos = env.reset(seed=0)
    rng = np.random.default_rng(0)

    def step(actions: Any) -> None:
        nonlocal infos
        *_, infos = env.step(actions)

    return Play(lambda: _legal(infos["action_mask"], rng), step, n_steps)


def single(env_id: str, **arguments: Any) -> Play:
    ordered: Any = gymnasium.make(f"peva_env:{env_id}", disable_env_checker=True, **arguments)
    env = ordered.env  # without Gymnasium's check of the order of calls
    _, info = env.reset(seed=0)
    rng = np.random.default_rng(0)

    def step(action: int) -> None:
        nonlocal info
        *_, terminated, truncated, info = env.step(action)
        if terminated or truncated:
            _, info = env.reset()

    return Play(lambda: int(rng.choice(np.flatnonzero(info["action_mask"]))), step, n_steps=1000, n_envs=1)


def k_steps_per_s(*plays: Play) -> list[float]:
    """Return thousands of steps a second, of all environments together, in the fastest round of each."""
    rounds = [[play.round_s() for play in plays] for _ in range(_ROUNDS)]
    fastest_s = np.min(rounds, axis=0)
    return [play.n_envs * play.n_steps / span_s / 1e3 for play, span_s in zip(plays, fastest_s.tolist(), strict=True)]


def _legal(masks: NDArray[np.int8], rng: np.random.Generator) -> NDArray[np.int64]:
    """Return for each environment the first legal one of 32 actions drawn at random, or of all if none of these is."""
    tried = rng.integers(0, masks.shape[1], (len(masks), 32))
    is_legal = np.take_along_axis(masks, tried, axis=1)
    drawn = np.take_along_axis(tried, is_legal.argmax(axis=1)[:, None], axis=1)[:, 0]
    return np.where(is_legal.any(axis=1), drawn, masks.argmax(axis=1))
