"""One start of a campaign without its loop: an executor on a real memory and a scripted node."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np

from peva_env.campaign.artifacts import ArtifactWriter
from peva_env.campaign.budget import Budget
from peva_env.campaign.campaign import Campaign as Running
from peva_env.campaign.campaign import CompleteConfigs
from peva_env.campaign.canary import Canary
from peva_env.campaign.confirmation import Confirmation
from peva_env.campaign.executor import DfaasConfigExecutor, DfaasRunContext
from peva_env.campaign.protocols import ConfigOutcome
from peva_env.config import CanaryConfig, OverloadConfig
from peva_env.contracts import CampaignObserver, ExecutionEvent
from peva_env.inference import MonotoneMap
from peva_env.memory import DuckDBMemoryStore
from peva_env.space import ConfigSpace, Dominance
from tests.support.builders import RecordingPolicy, ScriptedSource, session
from tests.support.engines import make_engine

SPACE = ConfigSpace({"a": [10, 20, 30, 40], "b": [10, 20, 30, 40]}, min_functions=1, max_functions=3)

REST_S = 0.01
"""Pause after a failed canary."""


@dataclass
class Campaign:
    """One start of a campaign on a folder: what a process does, from opening the memory to closing it."""

    folder: Path
    source: ScriptedSource = field(default_factory=ScriptedSource)
    policy: RecordingPolicy = field(default_factory=RecordingPolicy)
    iterations: int = 1
    budget: Budget = field(default_factory=Budget)
    max_invalid_retries: int = 2
    run_id: str = "run"
    repetition: int = 1
    dominance: Dominance = "one_sided"
    is_certain: Callable[[ExecutionEvent], bool] | None = None
    observers: tuple[CampaignObserver, ...] = ()
    every_runs: int | None = None
    confirm: float | None = None
    rests: list[float] = field(default_factory=list)

    def __enter__(self) -> "Campaign":
        store = DuckDBMemoryStore(self.folder / "memory.duckdb")
        self.memory = make_engine(store, iterations=self.iterations, is_certain=self.is_certain)
        self.memory.startup()
        history = self.memory.open_session(session(self.run_id, repetition=self.repetition))
        self.memory.attach_policy(self.policy, agent="test")
        known = MonotoneMap(SPACE, dominance=self.dominance)
        self.context = DfaasRunContext(
            configs=SPACE,
            existing_index=CompleteConfigs(known),
            run_id=self.run_id,
            repetition=self.repetition,
        )
        self.executor = DfaasConfigExecutor(
            source=self.source,
            memory=self.memory,
            artifacts=ArtifactWriter(self.folder / "out", SPACE.functions),
            known=known,
            context=self.context,
            context_hash="ctx",
            max_invalid_retries=self.max_invalid_retries,
            budget=self.budget,
            iterations=self.iterations,
            canary=self._canary() if self.every_runs else None,
            confirmation=Confirmation(self.confirm, OverloadConfig(), 2.0, known, self.iterations)
            if self.confirm
            else None,
        )
        self.executor.restore(history)
        self.running = Running(
            known,
            self.budget,
            self.executor,
            self.context,
            self.memory.tensors,
            read_history=self.memory.history,
            observers=self.observers,
        )
        return self

    def _canary(self) -> Canary:
        return Canary(CanaryConfig(every_runs=self.every_runs), self.iterations, REST_S, sleep=self._sleep)

    def _sleep(self, seconds: float) -> None:
        self.rests.append(seconds)
        time.sleep(seconds)

    def __exit__(self, *exc_info: object) -> None:
        self.memory.close()

    def execute(self, **rates: int) -> ConfigOutcome:
        return self.running.execute(SPACE.index(rates.items()), np.random.default_rng(0))

    @property
    def stored(self) -> list[ExecutionEvent]:
        return self.memory.store.events("ctx")

    def artifact(self, name: str) -> list[str]:
        """Return the rows of an artifact, without the header of a CSV file."""
        rows = (self.folder / "out" / name).read_text().splitlines()
        return rows if name == "events.jsonl" else rows[1:]


def measure_for_ever(folder: Path, run_id: str, told: Connection) -> None:
    """Measure a configuration until the process is killed; send before each run how many have ended."""
    source = ScriptedSource()
    source.before_run = lambda: told.send(len(source.asked))
    with Campaign(folder, source, iterations=10**6, run_id=run_id) as campaign:
        campaign.execute(a=10)
