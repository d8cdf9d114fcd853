"""The live executor: runs the iterations of a configuration, decides its verdict and records both."""

from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from itertools import takewhile

import numpy as np
from numpy.typing import NDArray

from peva_env.campaign.artifacts import ArtifactWriter
from peva_env.campaign.budget import Budget
from peva_env.campaign.not_run import NotRunRecorder
from peva_env.campaign.protocols import ConfigOutcome
from peva_env.contracts import (
    CampaignObserver,
    DfaasRunContext,
    EndStatus,
    ExecutionEvent,
    MeasurementSource,
    PolicyAlgorithm,
    Verdict,
)
from peva_env.errors import InvalidRunError, PevaError
from peva_env.inference import MonotoneMap
from peva_env.memory import InProcessMemoryEngine
from peva_env.observation import measurement_of
from peva_env.rules import majority
from peva_env.space import Config, config_key, config_pairs, config_text
from peva_env.system import uninterrupted

__all__ = ["DfaasConfigExecutor", "DfaasRunContext"]


@dataclass(slots=True)
class DfaasConfigExecutor:
    """Measures configurations one after the other, for one campaign.

    It writes the memory before the artifacts, so each row of a CSV file is in the memory. Ctrl-C interrupts neither.
    ``on_end`` is called when the campaign ends, before the memory closes its session.
    """

    source: MeasurementSource
    memory: InProcessMemoryEngine
    artifacts: ArtifactWriter
    known: MonotoneMap
    context: DfaasRunContext
    context_hash: str
    max_invalid_retries: int
    budget: Budget
    on_end: Callable[[EndStatus, str | None], None] = lambda _status, _detail: None
    _not_run: NotRunRecorder = field(init=False)

    def __post_init__(self) -> None:
        self._not_run = NotRunRecorder(self.memory, self.artifacts, self.known, self.context, self.context_hash)

    def restore(self, history: Iterable[ExecutionEvent]) -> None:
        """Rebuild the map from earlier events, and infer it again.

        Also writes the artifacts that a killed process did not write. They have the verdicts of their time, also where
        the overload rules have changed since.
        """
        keys = dict.fromkeys(event.config_key for event in history)
        complete = [key for key in keys if self.memory.is_seen(key) and config_pairs(key) in self.known.space]
        self.artifacts.catch_up(self.memory.stored_history, complete)
        for key in complete:
            self.known.update(config_pairs(key), majority(self.memory.ledger.verdicts(key)))
        self._settle_contradictions()
        if self.known.labels is not None:
            self._record_inferred(self.known.labels.nonzero()[0])

    def execute(self, index: int, rng: np.random.Generator, observers: Sequence[CampaignObserver]) -> ConfigOutcome:
        """Run the missing iterations of an unknown configuration.

        A contradicted configuration is run again, until it has twice the requested number of valid runs; the majority
        of all its runs decides. If it is still contradicted, it goes into quarantine.

        Raises:
            InvalidRunError: a run stayed INVALID after every retry; all attempts are in the memory.
        """
        config = self.known.space.config(index)
        key = config_key(config)
        is_again = key in self.known.measured
        events: list[ExecutionEvent] = []
        while self.memory.ledger.missing_runs(key, again=is_again):
            if self.budget.exhausted:
                return self._outcome(events)
            events.append(self._run(config, rng, observers))
            self._require_valid(events)
        verdict = majority(self.memory.ledger.verdicts(key))
        with uninterrupted():
            if not is_again:
                self.artifacts.record_complete(key)
            resolved = self._conclude(config, verdict)
        return self._outcome(events, verdict, resolved)

    def record_known(self, index: int) -> None:
        """Record once that a known configuration was not run."""
        self._not_run.record([self.known.space.config(index)])

    def attach_policy(self, policy: PolicyAlgorithm, *, agent: str) -> None:
        """Make the memory update a policy from now on."""
        self.memory.attach_policy(policy, agent=agent)

    def end(self, status: EndStatus, detail: str | None) -> None:
        """Record the end of the campaign, then write the checkpoint, which so includes the end.

        A failed campaign writes no checkpoint: its policy or its memory may be the cause.
        """
        self.on_end(status, detail)
        if status is EndStatus.FAILED:
            # The campaign's own error is being raised; an error of the memory must not hide it.
            with suppress(PevaError):
                self.memory.close_session(status, detail)
            return
        self.memory.close_session(status, detail)
        self.memory.checkpoint()

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

    def _run(self, config: Config, rng: np.random.Generator, observers: Sequence[CampaignObserver]) -> ExecutionEvent:
        iteration = self.memory.ledger.next_iteration(config_key(config))
        for observer in observers:
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
        for observer in observers:
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
        resolved = np.concatenate([self.known.update(config, verdict), *self._settle_contradictions()])
        self._record_inferred(resolved)
        return len(resolved)

    def _settle_contradictions(self) -> list[NDArray[np.int64]]:
        """Put contradicted configurations without missing runs in quarantine; the others stay unknown.

        Returns the indices of the configurations that became known by that.
        """
        ledger = self.memory.ledger
        disputed = list(self.known.disputed())
        finished = [config for config in disputed if not ledger.missing_runs(config_key(config), again=True)]
        return [self.known.quarantine(config) for config in finished]

    def _record_inferred(self, indices: NDArray[np.int64]) -> None:
        self._not_run.record([self.known.space.config(int(index)) for index in indices])
