"""Nodes of a fleet that sleep as k6 would: campaigns with a real memory, in actors, without load."""

import os
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from peva_agents.fleet import Orders
from peva_env.config import DfaasConfig
from peva_env.contracts import ExecutionEvent
from peva_env.env import PevaEnv
from peva_env.memory import DuckDBMemoryStore, Session, fleet_node
from peva_env.planning import DfaasPlanBuilder, Refinement
from peva_env.space import Config, config_text
from tests.support.engines import make_engine
from tests.support.scripted import ScriptedHost, ScriptedSource

RPS_OF_A_PLACE = 10
"""A function serves this rate for each of its places (its key ``concurrency``)."""

SPEED = 0.1
"""A run takes this share of its duration, so that a run of a second takes 100 ms."""

STARTED = "started.log"
"""In the folder of a node: the process and the configuration of each run that began, a line each."""


class SleepingSource(ScriptedSource):
    """A scripted node of which a run takes as long as it says."""

    def __init__(self, capacity_rps: Mapping[str, int], duration_s: float, context_hash: str, log: Path) -> None:
        super().__init__(capacity_rps)
        self._duration_s, self._context_hash, self._log = duration_s, context_hash, log

    def measure(self, config: Config, *, iteration: int, rng: np.random.Generator) -> ExecutionEvent:
        began_at = time.time()
        with self._log.open("a") as file:
            file.write(f"{os.getpid()} {config_text(config)} {iteration}\n")
        time.sleep(self._duration_s)
        self.runs.clear()
        event = super().measure(config, iteration=iteration, rng=rng)
        return replace(
            event,
            started_at=began_at,
            ended_at=time.time(),
            duration_s=self._duration_s,
            cost_s=self._duration_s,
            context_hash=self._context_hash,
        )


class SleepingHost(ScriptedHost):
    """The campaigns of one node of a fleet."""

    def __init__(self, orders: Orders, settings: DfaasConfig) -> None:
        places = {function.name: function.concurrency or 1 for function in settings.functions}
        capacity_rps = {name: RPS_OF_A_PLACE * n_places for name, n_places in places.items()}
        folder = Path(settings.output_dir)
        space, share = DfaasPlanBuilder(settings).build_space(), settings.refine_share
        super().__init__(
            space,
            capacity_rps,
            folder,
            dominance="within_sets" if share else settings.dominance or "one_sided",
            refinement=Refinement(space, share) if share else None,
        )
        self._target = settings.gateway_url or orders.node.name
        self.memory = make_engine(DuckDBMemoryStore(settings.memory.db_path))
        self.source = SleepingSource(capacity_rps, SPEED * settings.duration_s, self._hash, folder / STARTED)
        self._run_id = f"{settings.run_id or 'run'}{'-refined' if share else ''}"

    @property
    def _hash(self) -> str:
        return f"context of {self._target}"

    def session(self, number: int, repetition: int, mark: Mapping[str, Any]) -> Session:
        context = {"node": {"name": self._target}, "generator": "sleep", **mark}
        return Session(self._run_id, repetition, self._hash, context, k6_version="sleep")


def sleeping_env(orders: Orders, settings: DfaasConfig) -> PevaEnv:
    """Return the environment of a node that sleeps."""
    return PevaEnv(SleepingHost(orders, settings))


def no_k6(_: DfaasConfig) -> None:
    """Return None: nodes that sleep need no k6."""


SLEEPING = (sleeping_env, no_k6)
"""The arguments of ``NodeCampaign`` for nodes that sleep."""


def started_runs(folder: Path, name: str) -> list[str]:
    """Return the runs of a node that began, each as its configuration and iteration."""
    log = folder / "nodes" / name / STARTED
    return [line.partition(" ")[2] for line in log.read_text().splitlines()] if log.exists() else []


def stored_runs(connection: Any) -> dict[str, list[str]]:
    """Return the runs of each node in a memory, in the form of ``started_runs``."""
    found: dict[str, list[str]] = {}
    query = "SELECT run_id, function_names, rates_rps, iteration FROM execution_events WHERE kind = 'measured'"
    for run_id, names, rates, iteration in connection.execute(query).fetchall():
        run = f"{config_text(list(zip(names, rates, strict=True)))} {iteration}"
        found.setdefault(fleet_node(run_id) or run_id, []).append(run)
    return found
