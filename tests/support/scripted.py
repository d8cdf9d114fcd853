"""A node whose capacities are known: the fake at the edge for tests of the environment and of agents."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from peva_env.campaign import Campaign, DfaasConfigExecutor
from peva_env.campaign.artifacts import ArtifactWriter
from peva_env.campaign.budget import Budget
from peva_env.campaign.campaign import CompleteConfigs
from peva_env.contracts import (
    DfaasRunContext,
    EndStatus,
    ExecutionEvent,
    FunctionMeasurement,
    NodeMeasurement,
    Verdict,
)
from peva_env.inference import MonotoneMap
from peva_env.memory import REFINED, DuckDBMemoryStore, Session
from peva_env.planning import Refinement
from peva_env.space import Config, ConfigSpace, Dominance, config_key
from tests.support.engines import make_engine

RUN_S = 2.0


class ScriptedSource:
    """Overloaded where a function gets more than its capacity; remembers what it was asked to run."""

    def __init__(self, capacity_rps: Mapping[str, int]) -> None:
        self.runs: list[Config] = []
        self.closed = False
        self.capacity_rps = capacity_rps

    def measure(self, config: Config, *, iteration: int, rng: np.random.Generator) -> ExecutionEvent:
        self.runs.append(config)
        overloaded = tuple(name for name, rate in config if rate > self.capacity_rps[name])
        return ExecutionEvent(
            config_key=config_key(config),
            iteration=iteration,
            verdict=Verdict.OVERLOADED if overloaded else Verdict.OK,
            reasons=tuple(f"{name} is over its capacity" for name in overloaded),
            margin=-0.5 if overloaded else 0.05,
            functions=tuple(self._function(name, rate) for name, rate in config),
            overloaded_functions=overloaded,
            node=NodeMeasurement(cpu_pct=10.0, ram_pct=20.0, ram_bytes=1),
            started_at=float(len(self.runs)),
            ended_at=len(self.runs) + RUN_S,
            duration_s=RUN_S,
            cost_s=RUN_S,
            context_hash="c",
        )

    def close(self) -> None:
        self.closed = True

    def _function(self, name: str, rate: int) -> FunctionMeasurement:
        served = min(rate, self.capacity_rps[name])
        lost = {"status_5xx": rate - served} if rate > served else {}
        success = served / rate if rate else 1.0
        return FunctionMeasurement(name, rate, rate, rate, 0, served, lost, success, p95_ms=50.0, replicas=1)


class ScriptedHost:
    """Campaigns on a scripted node, with a real memory and real artifacts."""

    def __init__(
        self,
        space: ConfigSpace,
        capacity_rps: Mapping[str, int],
        folder: Path,
        *,
        iterations: int = 1,
        budget: tuple[int | None, float | None] = (None, None),
        dominance: Dominance = "one_sided",
        refinement: Refinement | None = None,
        **engine: Any,
    ) -> None:
        self.space = refinement.space if refinement else space
        self.refinement = refinement
        self.source = ScriptedSource(capacity_rps)
        store = DuckDBMemoryStore(folder / "m.duckdb")
        self.memory = make_engine(store, iterations=iterations, **engine)
        self.ended: list[tuple[EndStatus, str | None]] = []
        self._folder = folder
        self._budget = budget
        self.dominance: Dominance = dominance
        self._campaigns = 0

    @property
    def paths(self) -> list[Path]:
        return []

    def check(self, options: Mapping[str, Any]) -> None:
        """Take any."""

    def open(self, options: Mapping[str, Any], seed: int) -> Campaign:
        self.memory.startup()
        self._campaigns += 1
        repetition = 1 if options.get("warm_start") else self._campaigns
        refinement, grid = self.refinement, self.refinement and self.refinement.grid
        mark = {REFINED: dict(zip(grid.functions, map(list, grid.rates_rps), strict=True))} if grid else {}
        session = self.session(self._campaigns, repetition, mark)
        history = self.memory.open_session(session)
        recorded = refinement.counted_at_first(history) if refinement else None
        known = MonotoneMap(self.space, dominance=self.dominance, recorded=recorded)
        budget = Budget(*self._budget)
        context = DfaasRunContext(
            configs=self.space,
            existing_index=CompleteConfigs(known),
            run_id=session.run_id,
            repetition=repetition,
        )
        executor = DfaasConfigExecutor(
            source=self.source,
            memory=self.memory,
            artifacts=ArtifactWriter(self._folder, self.space.functions),
            known=known,
            context=context,
            context_hash=session.context_hash,
            max_invalid_retries=0,
            budget=budget,
            on_end=lambda status, detail: self.ended.append((status, detail)),
        )
        executor.restore(history)
        return Campaign(known, budget, executor, context, self.memory.tensors, tuple(history), refinement=refinement)

    def session(self, number: int, repetition: int, mark: Mapping[str, Any]) -> Session:
        """Return the session of campaign ``number``."""
        return Session(f"run-{'refined-' if self.refinement else ''}{number}", repetition, "c", mark)

    def config_data(self) -> dict[str, Any]:
        return {}

    def close(self) -> None:
        self.source.close()
        self.memory.close()
