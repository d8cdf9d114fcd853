"""How well a twin predicts: frontiers of simulated nodes, held-out verdicts of recordings, and runs that it saves.

``python -m benchmarks twin`` takes some minutes. ``PEVA_TWIN_NODES`` is the number of simulated nodes (100).
``PEVA_TWIN_MEMORIES`` names memories of recordings separated by colons, such as ``peva-env memory import-dfaas`` makes;
without it the recording is ``local-node-v1``.

A twin of a simulated node is fitted to the runs of a campaign of the agent ``learnt`` at 3 % noise. A column is a rate
of the first function; its frontier is the number of rates of the second one that are OK beside it. On recordings each
fifth of the configurations is left out in turn: leaving out one at a time would take thousands of fits. As a prior the
twin is tried on the same node with other, finer rates, with the agent of ``peva-env run --twin``.
"""

import os
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
from numpy.typing import NDArray

from peva_agents.learnt import LearntAgent
from peva_agents.loop import run_campaign
from peva_agents.recheck import RecheckAgent
from peva_env import datasets
from peva_env.config import DfaasConfig, OverloadConfig
from peva_env.contracts import CampaignObserver, ExecutionEvent, Verdict
from peva_env.errors import ConfigError
from peva_env.inference import OK_LABEL, OVERLOADED_LABEL
from peva_env.maps import NodeMap, predict, predicted_runs, read_map, twin_labels, twin_of
from peva_env.maps.map_of_runs import map_of_runs
from peva_env.memory import DEFAULT_SCHEMA_VERSION, reading, show_as_read
from peva_env.memory.tensors import TensorCache
from peva_env.sources.simulated import SimulatedWorld
from peva_env.sources.simulated.node_model import OVERHEAD_S
from peva_env.sources.simulated.random_nodes import draw_nodes
from peva_env.space import Config, ConfigSpace, config_pairs
from tests.support.forkserver import peva

_NODES = int(os.environ.get("PEVA_TWIN_NODES", "100"))
_MEMORIES = os.environ.get("PEVA_TWIN_MEMORIES", "")
_FOLDS = 5
_FIRST_SEED = 5_000_000
"""No agent was trained, and no constant tuned, on simulated nodes of these seeds."""

_RATES = {name: list(range(10, 201, 10)) for name in "ab"}
_FINER = {name: list(range(0, 201, 8)) for name in "ab"}
_CONTEXT: dict[str, Any] = {"duration_s": 30.0, "timeout_s": 5.0, "overload": OverloadConfig().as_context()}


class _Recorder(CampaignObserver):
    """Keeps all events."""

    def __init__(self) -> None:
        self.events: list[ExecutionEvent] = []

    def starting(self, config: Config, iteration: int) -> None: ...

    def measured(self, event: ExecutionEvent) -> None:
        self.events.append(event)

    def concluded(self, config: Config, verdict: Verdict, resolved: int) -> None: ...


def main() -> None:
    """Print how well twins predict."""
    _print_simulated()
    _print_recorded()


def _print_simulated() -> None:
    within, same, runs, agreements, prior = [], [], [], [], []
    for seed in range(_FIRST_SEED, _FIRST_SEED + _NODES):
        node_map, truth = _campaign(seed)
        twin = twin_of(node_map)
        mine = (twin_labels(node_map, twin.node) == OK_LABEL).reshape(20, 20).sum(axis=1)
        theirs = (truth == OK_LABEL).reshape(20, 20).sum(axis=1)
        within += (np.abs(mine - theirs) <= 1).tolist()
        same += (mine == theirs).tolist()
        runs.append(len(node_map.events))
        agreements.append(twin.fit.agreement)
        prior.append(_runs_on_finer_rates(seed, twin.node))
    print(
        f"simulated nodes {_NODES}, {np.mean(runs):.1f} runs each; frontier within one level in {np.mean(within):.1%}"
    )
    alone, with_twin, certificate = np.mean(prior, axis=0)
    print(
        f"of columns, the same in {np.mean(same):.1%}; agreement on measured configurations {np.mean(agreements):.1%}"
    )
    print(f"finer rates: {alone:.1f} runs of learnt, {with_twin:.1f} with the twin; certificate {certificate:.1f}")


def _runs_on_finer_rates(seed: int, twin: Mapping[str, Any]) -> tuple[int, int, int]:
    """Return the runs of ``learnt`` and of the agent with a prior until the map is complete, and its certificate."""
    config, node = DfaasConfig(), _random_node(seed)
    space = ConfigSpace(_FINER, min_functions=2, max_functions=3)
    predicted = TensorCache.of(predicted_runs(twin, config, space))
    n_runs = []
    for agent in (LearntAgent(config), RecheckAgent(config, predicted, completes=True)):
        env: Any = gymnasium.make("peva/FaasSim-v1", node=node, rates_rps=_FINER, min_functions=2, budget_runs=400)
        n_runs.append(run_campaign(env, agent, seed=seed + 1).n_runs)
        certificate = len(env.unwrapped.known.certificate())
        env.close()
    return n_runs[0], n_runs[1], certificate


def _campaign(seed: int) -> tuple[NodeMap, NDArray[np.int8]]:
    """Return what a campaign of ``learnt`` leaves on a random node, and the node's true labels."""
    node = _random_node(seed)
    env: Any = gymnasium.make("peva/FaasSim-v1", node=node, rates_rps=_RATES, min_functions=2, budget_runs=64)
    env.unwrapped.observer = recorder = _Recorder()
    run_campaign(env, LearntAgent(DfaasConfig()), seed=seed)
    node_map = NodeMap("", "", _CONTEXT, 1, (), env.unwrapped.known, tuple(recorder.events))
    env.close()
    truth: NDArray[np.int8] = SimulatedWorld(_RATES, node, min_functions=2).truth(seed)
    return node_map, truth


def _random_node(seed: int) -> dict[str, Any]:
    """Return a random node as plain data, as ``peva/FaasSim-v1`` draws it."""
    drawn = draw_nodes(np.array([seed], np.uint64), [rates[-1] for rates in _RATES.values()], _CONTEXT["timeout_s"])
    functions = {
        name: {
            "cpu_ms": float(drawn.cpu_s[f, 0]) * 1000,
            "io_ms": float(drawn.held_s[f, 0] - OVERHEAD_S) * 1000,
            "concurrency": round(float(drawn.slots[f, 0])),
            "base_mib": float(drawn.base_bytes[f, 0]) / 2**20,
            "request_mib": float(drawn.request_bytes[f, 0]) / 2**20,
        }
        for f, name in enumerate(_RATES)
    }
    return {"cores": round(float(drawn.cores[0])), "ram_mib": float(drawn.ram_bytes[0]) / 2**20, "functions": functions}


def _print_recorded() -> None:
    print(f"{'recording':40} {'configs':>8} {'overl.':>6} {'F1 learnt':>9} {'F1 twin':>8} {'warnings'}")
    found = []
    for name, node_map in _recorded():
        theirs, learnt, mine = _held_out(node_map)
        scores = _f1(theirs, learnt), _f1(theirs, mine)
        found.append(scores)
        warnings = "; ".join(twin_of(node_map).warnings)
        figures = f"{len(theirs):8} {theirs.mean():6.1%} {scores[0]:9.3f} {scores[1]:8.3f}"
        print(f"{name:40} {figures} {warnings}", flush=True)
    means = np.mean(found, axis=0)
    print(f"mean of {len(found)}: learnt {means[0]:.3f}, twin {means[1]:.3f}")


def _recorded() -> Iterator[tuple[str, NodeMap]]:
    with tempfile.TemporaryDirectory() as folder:
        memories = [Path(one) for one in _MEMORIES.split(":") if one]
        if not memories:
            memories = [Path(folder) / "local-node-v1.duckdb"]
            peva("memory", "preload", str(memories[0]), "--core", str(datasets.load("local-node-v1")))
        for memory in memories:
            for context, repetition in _contexts(memory):
                node_map = read_map(memory, context=context, repetition=repetition, at_least="within_sets")
                overloaded = sum(one is Verdict.OVERLOADED for one in node_map.known.measured.values())
                if len(node_map.runs) >= 100 and overloaded >= 0.05 * len(node_map.runs):
                    yield f"{memory.stem} {'+'.join(node_map.known.space.functions)}"[:40], node_map


def _contexts(memory: Path) -> list[tuple[str, int]]:
    with reading(memory, DEFAULT_SCHEMA_VERSION) as connection:
        show_as_read(connection)
        query = "SELECT DISTINCT context_hash, repetition FROM execution_events WHERE kind = 'measured' ORDER BY ALL"
        return connection.execute(query).fetchall()


def _held_out(node_map: NodeMap) -> tuple[NDArray[np.bool_], NDArray[np.bool_], NDArray[np.bool_]]:
    """Return whether each measured configuration is overloaded: measured, predicted by ``learnt`` and by a twin."""
    keys = list(node_map.runs)
    folds = np.random.default_rng(0).permutation(len(keys)) % _FOLDS
    measured = np.array([node_map.known.measured[key] is Verdict.OVERLOADED for key in keys])
    learnt, mine = np.zeros(len(keys), np.bool_), np.zeros(len(keys), np.bool_)
    for fold in range(_FOLDS):
        held = (folds == fold).nonzero()[0]
        kept = {key: node_map.runs[key] for key, of in zip(keys, folds, strict=True) if of != fold}
        known = map_of_runs(node_map.known.space, kept, node_map.known.dominance)
        train = replace(node_map, known=known, events=tuple(run for runs in kept.values() for run in runs))
        configs = [config_pairs(keys[int(one)]) for one in held]
        learnt[held] = predict(train, configs) > 0.5
        try:
            labels = twin_labels(train, twin_of(train).node)
        except ConfigError as error:
            print(f"  no twin: {error}")
            continue
        mine[held] = labels[[known.space.index(config) for config in configs]] == OVERLOADED_LABEL
    return measured, learnt, mine


def _f1(truth: NDArray[np.bool_], predicted: NDArray[np.bool_]) -> float:
    return 2 * float((truth & predicted).sum()) / max(1, int(truth.sum() + predicted.sum()))
