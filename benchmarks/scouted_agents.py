"""What a scouting saves agents: runs until the map is proved, on simulated nodes, with its steps and without them.

Each node is scouted as ``peva-env scout`` does, with steps of 5 s, and its rates are those of ``rate_strategy: {type:
auto, levels: 12}``. Then each agent proves the same map twice: with the steps in its history, and without.

``python -m benchmarks scouted-agents`` takes some minutes; ``PEVA_SCOUTED_NODES=20`` takes fewer nodes. The nodes are
those of training's test seeds: nothing was tuned on them.
"""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import gymnasium
import numpy as np

from peva_agents.bisection import BisectionAgent
from peva_agents.learnt import LearntAgent
from peva_agents.level_set import LevelSetAgent
from peva_env.campaign.ray_scout import RayScout
from peva_env.config import DfaasConfig, parse_config
from peva_env.contracts import EventKind, ExecutionEvent
from peva_env.env import PevaEnv
from peva_env.planning import Bracket, DfaasPlanBuilder, Limits, rays, scouted_config, together
from peva_env.sources.simulated import SimulatedWorld
from peva_env.sources.simulated.node_model import OVERHEAD_S
from peva_env.sources.simulated.random_nodes import draw_nodes
from peva_env.space import Config

AGENTS: Mapping[str, Callable[[DfaasConfig], Any]] = {
    "bisection": BisectionAgent,
    "level_set": LevelSetAgent,
    "learnt": LearntAgent,
}
_NODES = int(os.environ.get("PEVA_SCOUTED_NODES", "200"))
_FIRST_SEED = 90_000
_HIGHEST_RPS = 200
_NOISE = 0.03
_STEP_S, _TIMEOUT_S = 5.0, 5.0
_MIB = 2.0**20


@dataclass
class SimulatedSteps:
    """Answers the steps of a scouting by a simulated node."""

    node: Mapping[str, Any]
    seed: int
    noise: float = _NOISE
    n_asked: int = 0

    def scout(self, configs: Sequence[Config], *, step_s: float, tag: str, one_by_one: bool) -> list[ExecutionEvent]:  # noqa: ARG002
        """Measure configurations until one is not OK, each as a run of the length of a step."""
        rates = {name: sorted({dict(config)[name] for config in configs}) for name, _ in configs[0]}
        least = len(configs[0])
        world = SimulatedWorld(
            rates, self.node, min_functions=least, noise=self.noise, duration_s=step_s, cooldown_s=0.0
        )  # fmt: skip
        self.n_asked += 1
        source = world.source(self.seed + self.n_asked)
        events: list[ExecutionEvent] = []
        for config in configs:
            measured = source.measure(config, iteration=0, rng=np.random.default_rng(0))
            events.append(replace(measured, kind=EventKind.SCOUTED))
            if measured.verdict != "OK":
                break
        return events


class _Silence:
    def starting(self, configs: Sequence[Config], step_s: float) -> None: ...

    def stepped(self, event: ExecutionEvent) -> None: ...

    def concluded(self, bracket: Bracket) -> None: ...


def random_node(seed: int, functions: Sequence[str]) -> dict[str, Any]:
    """Return a random node as plain data, so that it can be asked at any rates."""
    drawn = draw_nodes(np.array([seed], np.uint64), [_HIGHEST_RPS] * len(functions), _TIMEOUT_S)
    return {
        "cores": int(drawn.cores[0]),
        "ram_mib": float(drawn.ram_bytes[0] / _MIB),
        "functions": {
            name: {
                "cpu_ms": float(drawn.cpu_s[f, 0] * 1e3),
                "io_ms": max(0.0, float((drawn.held_s[f, 0] - OVERHEAD_S) * 1e3)),
                "concurrency": int(drawn.slots[f, 0]),
                "base_mib": float(drawn.base_bytes[f, 0] / _MIB),
                "request_mib": float(drawn.request_bytes[f, 0] / _MIB),
            }
            for f, name in enumerate(functions)
        },
    }


def scouted(node: Mapping[str, Any], seed: int, noise: float = _NOISE) -> tuple[DfaasConfig, list[ExecutionEvent]]:
    """Scout a simulated node; return the configuration with the rates that were found, and the steps."""
    names = sorted(node["functions"])
    config = parse_config(
        {
            "functions": [{"name": name} for name in names],
            "rate_strategy": {"type": "auto", "levels": 12},
            "combinations": {"min_functions": 1, "max_functions": len(names) + 1},
        }
    )
    limits = Limits(1000)
    ray_scout = RayScout(
        SimulatedSteps(node, seed, noise), lambda _: None, _Silence(), "scout", 0, step_s=_STEP_S, max_time_s=3600.0,
        max_invalid_retries=2, sleep=lambda _: None,
    )  # fmt: skip
    singles = [ray_scout.scout(climb) for climb in rays(config, limits).values()]
    all_at_once = together([bracket for bracket in singles if bracket], limits)
    if all_at_once:
        ray_scout.scout(all_at_once)
    return scouted_config(config, ray_scout.events), ray_scout.events


def runs_to_proof(
    config: DfaasConfig, node: Mapping[str, Any], agent: Any, history: Sequence[ExecutionEvent], seed: int,
    noise: float = _NOISE,
) -> tuple[int, int]:  # fmt: skip
    """Return the runs until the map is proved, and the size of the certificate of the true map."""
    space = DfaasPlanBuilder(config).build_space()
    env = gymnasium.make(
        "peva_env:peva/FaasSim-v1",
        node=dict(node),
        rates_rps={name: list(rates) for name, rates in zip(space.functions, space.rates_rps, strict=True)},
        min_functions=1,
        noise=noise,
        duration_s=_STEP_S,
        budget_runs=None,
    ).unwrapped
    assert isinstance(env, PevaEnv)
    observation, info = env.reset(seed=seed)
    env._latest().history = tuple(history)
    agent.begin(env)
    n_runs, done = 0, False
    while not done and (action := agent.act(observation, info)) is not None:
        observation, _, terminated, truncated, info = env.step(action)
        n_runs += info["n_runs"]
        done = terminated or truncated
    return n_runs, _certificate(env)


def _certificate(env: PevaEnv) -> int:
    truth = env._latest().truth()
    known = type(env.known)(env.space, dominance=env.known.dominance)
    for index, label in enumerate(truth.tolist()):
        known.enter(index, label)
    return len(known.certificate())


def main() -> None:
    """Print the runs of each agent as a multiple of the certificate, with the steps and without."""
    for n_functions in (2, 3):
        names = ["a", "b", "c"][:n_functions]
        totals: dict[tuple[str, bool], list[int]] = {}
        least: list[int] = []
        for number in range(_NODES if n_functions == 2 else _NODES // 4):
            seed = _FIRST_SEED + number
            node = random_node(seed, names)
            try:
                config, steps = scouted(node, seed)
            except Exception as error:  # noqa: BLE001
                print(f"node {seed}: {error}")
                continue
            for name, make in AGENTS.items():
                for history in ((), steps):
                    n_runs, certificate = runs_to_proof(config, node, make(config), history, seed)
                    totals.setdefault((name, bool(history)), []).append(n_runs)
            least.append(certificate)
        print(f"{n_functions} functions, {len(least)} nodes, {sum(least) / len(least):.1f} runs at least")
        for name in AGENTS:
            without, with_steps = (np.array(totals[name, is_scouted]) for is_scouted in (False, True))
            saved = without - with_steps
            deviation = saved.std() / np.sqrt(len(saved))
            print(
                f"  {name:10} {without.sum() / sum(least):.2f} x without, {with_steps.sum() / sum(least):.2f} x with "
                f"the steps: {saved.mean():+.1f} ± {deviation:.1f} runs saved of {without.mean():.1f}",
                flush=True,
            )
