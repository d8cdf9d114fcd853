"""One configuration, end to end: is it known, its iterations, its verdict, and everything written down."""

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import takewhile

import numpy as np
from numpy.typing import NDArray

from peva_env.artifacts import ArtifactWriter
from peva_env.campaign import Budget, ConfigOutcome, config_text, why_known
from peva_env.contracts import (
    CampaignObserver,
    DfaasRunContext,
    EventKind,
    ExecutionEvent,
    MeasurementSource,
    Verdict,
)
from peva_env.errors import InvalidRunError
from peva_env.frontier import MonotoneMap
from peva_env.interrupts import uninterrupted
from peva_env.memory.engine import InProcessMemoryEngine
from peva_env.observation import measurement_of
from peva_env.space import Config, ConfigKey, config_key
from peva_env.verdict import majority

__all__ = ["DfaasConfigExecutor", "DfaasRunContext"]

_NOT_RUN = -1
"""Iteration number of an event that stands for a configuration that was not run."""


@dataclass(slots=True)
class DfaasConfigExecutor:
    """Measures configurations one after the other, for one campaign.

    The order of writing is memory first, artifacts second: what is in a CSV file is in the memory. Neither is cut short
    by Ctrl-C.
    """

    source: MeasurementSource
    memory: InProcessMemoryEngine
    artifacts: ArtifactWriter
    known: MonotoneMap
    context: DfaasRunContext
    context_hash: str
    max_invalid_retries: int
    budget: Budget
    observers: Sequence[CampaignObserver] = ()

    def restore(self, history: Iterable[ExecutionEvent]) -> None:
        """Rebuild from earlier events what is complete, what is overloaded and what was skipped for it.

        Artifacts that a process which died did not get to write are supplied.
        """
        events = list(history)
        keys = dict.fromkeys(event.config_key for event in events)
        complete = [key for key in keys if self.memory.is_seen(key) and _pairs(key) in self.known.space]
        self.artifacts.catch_up(events, complete)
        for key in complete:
            self._conclude(_pairs(key), majority(self.memory.verdicts(key)))

    def execute(self, index: int, rng: np.random.Generator) -> ConfigOutcome:
        """Run what a configuration lacks, unless it is known already.

        Raises:
            InvalidRunError: a run stayed INVALID after every retry; all attempts are in the memory.
        """
        config = self.known.space.config(index)
        skip_reason = self.skip_reason(config)
        if skip_reason:
            return self._skip(config, skip_reason)
        key = config_key(config)
        events: list[ExecutionEvent] = []
        while self.memory.missing_runs(key):
            if self.budget.exhausted:
                return self._outcome(events)
            events.append(self._run(config, rng))
            self._require_valid(events)
        verdict = majority(self.memory.verdicts(key))
        with uninterrupted():
            self.artifacts.record_complete(key)
            resolved = self._conclude(config, verdict)
        for observer in self.observers:
            observer.concluded(config, verdict, resolved)
        return self._outcome(events, verdict, resolved)

    def skip_reason(self, config: Config) -> str | None:
        """Return why a configuration need not be run, or None."""
        key = config_key(config)
        if key in self.context.existing_index:
            return "already measured"
        return why_known(self.known, config)

    def _outcome(
        self, events: Sequence[ExecutionEvent], verdict: Verdict | None = None, resolved: int = 0
    ) -> ConfigOutcome:
        return ConfigOutcome(
            verdict=verdict,
            resolved=resolved,
            n_runs=len(events),
            cost_s=sum(event.cost_s for event in events),
            measurement=measurement_of(self.known.space, events[-1]) if events else None,
            events=tuple(events),
        )

    def _skip(self, config: Config, reason: str) -> ConfigOutcome:
        key = config_key(config)
        if key not in self.context.existing_index and not self.memory.is_skipped(key):
            self._record_skips([config])
        return ConfigOutcome(verdict=self.known.verdict(config), skip_reason=reason)

    def _run(self, config: Config, rng: np.random.Generator) -> ExecutionEvent:
        iteration = self.memory.next_iteration(config_key(config))
        for observer in self.observers:
            observer.starting(config, iteration)
        measured = self.source.measure(config, iteration=iteration, rng=rng)
        event = replace(
            measured,
            iteration=iteration,
            run_id=self.context.run_id,
            repetition=self.context.repetition,
            context_hash=self.context_hash,
        )
        with uninterrupted():
            self.budget.spend(event.cost_s)
            self.memory.ingest_event(event)
            self.artifacts.record_run(event)
        for observer in self.observers:
            observer.measured(event)
        return event

    def _require_valid(self, events: list[ExecutionEvent]) -> None:
        in_a_row = list(takewhile(lambda event: event.verdict is Verdict.INVALID, reversed(events)))
        if len(in_a_row) > self.max_invalid_retries:
            raise InvalidRunError(
                f"{config_text(in_a_row[0].config_pairs)}: {len(in_a_row)} run(s) in a row measured nothing: "
                f"{'; '.join(in_a_row[0].reasons)}"
            )

    def _conclude(self, config: Config, verdict: Verdict) -> int:
        resolved = self.known.update(config, verdict)
        self.context.existing_index.add(config_key(config))
        inferred = self._inferred(config, resolved)
        if inferred:
            self._record_skips(inferred)
        return len(resolved)

    def _inferred(self, config: Config, resolved: NDArray[np.int64]) -> list[Config]:
        configs = (self.known.space.config(int(index)) for index in resolved)
        return [one for one in configs if one != config and not self.memory.is_skipped(config_key(one))]

    def _record_skips(self, configs: list[Config]) -> None:
        now = time.time()
        skips = [
            ExecutionEvent(
                config_key=config_key(config),
                iteration=_NOT_RUN,
                verdict=Verdict.OVERLOADED,
                run_id=self.context.run_id,
                repetition=self.context.repetition,
                kind=EventKind.SKIPPED,
                reasons=(self.skip_reason(config) or "",),
                started_at=now,
                ended_at=now,
                context_hash=self.context_hash,
            )
            for config in configs
        ]
        with uninterrupted():
            self.memory.ingest_skips(skips)
            self.artifacts.record_skips(skip.config_key for skip in skips)


def _pairs(key: ConfigKey) -> Config:
    return list(zip(*key, strict=True))
