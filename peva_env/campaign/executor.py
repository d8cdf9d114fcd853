"""The live executor: runs the iterations of a configuration, decides its verdict and records both."""

from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from peva_env.campaign.artifacts import ArtifactWriter
from peva_env.campaign.budget import Budget
from peva_env.campaign.campaign import quarantine_finished
from peva_env.campaign.canary import Canary
from peva_env.campaign.confirmation import Confirmation
from peva_env.campaign.disagreement import Disagreements
from peva_env.campaign.node_check import NodeCheck, require_valid
from peva_env.campaign.not_run import NotRunRecorder
from peva_env.campaign.protocols import ConfigOutcome
from peva_env.campaign.suspicion import Suspicion
from peva_env.contracts import (
    CampaignObserver,
    DfaasRunContext,
    EndStatus,
    EventKind,
    ExecutionEvent,
    MeasurementSource,
    PolicyAlgorithm,
    Verdict,
)
from peva_env.errors import PevaError
from peva_env.inference import MonotoneMap
from peva_env.memory import InProcessMemoryEngine
from peva_env.observation import measurement_of
from peva_env.rules import majority
from peva_env.space import Config, ConfigKey, config_key, config_pairs
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
    iterations: int = 1
    canary: Canary | None = None
    confirmation: Confirmation | None = None
    _not_run: NotRunRecorder = field(init=False)
    _suspicion: Suspicion | None = field(init=False, default=None)
    _check: NodeCheck | None = field(init=False, default=None)
    _disagreements: Disagreements = field(init=False)
    _to_finish: dict[ConfigKey, None] = field(init=False, default_factory=dict)  # measured, but not final any more

    def __post_init__(self) -> None:
        self._not_run = NotRunRecorder(self.memory, self.artifacts, self.known, self.context, self.context_hash)
        self._disagreements = Disagreements(self.memory, self.known, self.iterations)
        if self.canary:
            self.canary.clock = self.memory.clock.now
            self._suspicion = Suspicion(self.canary, self.memory, self.artifacts, self.known)
            self._check = NodeCheck(self.canary, self._suspicion, self.budget, self.max_invalid_retries)

    def restore(self, history: Iterable[ExecutionEvent]) -> None:
        """Rebuild the map from earlier events, and infer it again.

        Also writes the artifacts that a killed process did not write. They have the verdicts of their time, also where
        the overload rules have changed since.
        """
        history = list(history)
        if self._suspicion:
            self._suspicion.begin(history)
        keys = dict.fromkeys(event.config_key for event in history)
        complete = [key for key in keys if self.memory.is_seen(key) and self.known.counts(config_pairs(key))]
        self.artifacts.catch_up(self.memory.stored_history, complete)
        for key in complete:
            self.known.update(config_pairs(key), majority(self.memory.ledger.verdicts(key)))
        if self._suspicion:
            self._to_finish.update(dict.fromkeys(self._suspicion.contradicted_before()))
            contradictions = self._disagreements.contradictions()
            self._to_finish.update(dict.fromkeys(self._suspicion.contradicted(contradictions, ())))
        self._settle_contradictions()
        if self.known.labels is not None:
            self._record_inferred(self.known.labels.nonzero()[0])
        since_complete = {event.config_key for event in history if event.ended_at > self.memory.completed_at}
        self._finish_near([config_pairs(key) for key in complete if key in since_complete])
        if self.confirmation:
            self.confirmation.begin(self.memory.history() if self._n_marked else history)

    def execute(self, index: int, rng: np.random.Generator, observers: Sequence[CampaignObserver]) -> ConfigOutcome:
        """Run the missing iterations of an unknown configuration, or a known one once more.

        A contradicted configuration is run again, until it has twice the requested number of valid runs; the majority
        of all its runs decides. If it is still contradicted, it goes into quarantine.

        Before each run the canary is run if it is due.

        Raises:
            InvalidRunError: a run stayed INVALID after every retry; all attempts are in the memory.
            CanaryError: the canary stayed overloaded.
        """
        config = self.known.space.config(index)
        return self._measure(config, rng, observers, once_more=self.known.verdict(config) is not None)

    def run_due(self, rng: np.random.Generator, observers: Sequence[CampaignObserver]) -> ConfigOutcome:
        """Finish what is not final any more; then, if nothing is unknown, confirm the certificate and the last runs."""
        due = self._finish(rng, observers)
        while self._to_confirm is not None and not self.budget.exhausted:
            due = due.with_due(self._measured(self._to_confirm, rng, observers, once_more=True))
            due = due.with_due(self._finish(rng, observers))
        if self._check and self.known.n_unknown == 0 and self._check.has_unconfirmed:
            due = due.with_due(self._check_node(self._check, rng, observers))
        return due

    def _finish(self, rng: np.random.Generator, observers: Sequence[CampaignObserver]) -> ConfigOutcome:
        """Run what measured configurations lack whose verdicts are not final any more."""
        due = ConfigOutcome()
        while self._to_finish and not self.budget.exhausted:
            key = next(iter(self._to_finish))
            if key in self.known.measured:
                outcome = self._measured(config_pairs(key), rng, observers)
                due = due.with_due(outcome)
                if outcome.verdict is None:
                    break
            self._to_finish.pop(key, None)
        return due

    @property
    def _to_confirm(self) -> Config | None:
        """The configuration of the certificate to run again; None if there is none, or the map is not complete."""
        if self.confirmation is None or self.known.n_unknown or self._to_finish:
            return None
        return self.confirmation.next()

    @property
    def has_due(self) -> bool:
        """Whether a verdict is not final any more, or waits for more runs or for a canary to confirm it."""
        is_unsure = self._check is not None and self._check.has_unconfirmed
        return bool(self._to_finish) or is_unsure or self._to_confirm is not None

    def record_known(self, index: int) -> None:
        """Record once that a known configuration was not run."""
        self._not_run.record([self.known.space.config(index)])

    def attach_policy(self, policy: PolicyAlgorithm, *, agent: str) -> None:
        """Make the memory update a policy from now on."""
        self.memory.attach_policy(policy, agent=agent)

    def end(self, status: EndStatus, why: Callable[[], str | None]) -> None:
        """Record the end of the campaign, then write the checkpoint, which so includes the end.

        A failed campaign writes no checkpoint: its policy or its memory may be the cause.
        """
        detail = why()
        self.on_end(status, detail)
        if status is EndStatus.FAILED:
            # The campaign's own error is being raised; an error of the memory must not hide it.
            with suppress(PevaError):
                self.memory.close_session(status, detail)
            return
        self.memory.close_session(status, detail)
        self.memory.checkpoint()

    def _measured(
        self,
        config: Config,
        rng: np.random.Generator,
        observers: Sequence[CampaignObserver],
        *,
        once_more: bool = False,
    ) -> ConfigOutcome:
        """Measure a configuration that no action asked for, and tell the observers its verdict."""
        outcome = self._measure(config, rng, observers, once_more=once_more)
        if outcome.verdict is not None:
            for observer in observers:
                observer.concluded(config, outcome.verdict, outcome.resolved)
        return outcome

    def _measure(
        self,
        config: Config,
        rng: np.random.Generator,
        observers: Sequence[CampaignObserver],
        *,
        once_more: bool = False,
    ) -> ConfigOutcome:
        key, due = config_key(config), ConfigOutcome()
        events: list[ExecutionEvent] = []
        n_wanted = len(self.memory.ledger.verdicts(key)) + 1 if once_more else 0
        while self._disagreements.missing_runs(config) or len(self.memory.ledger.verdicts(key)) < n_wanted:
            if self.budget.exhausted:
                return self._outcome(events).with_due(due)
            if self._check and self._check.is_due:
                due = due.with_due(self._check_node(self._check, rng, observers))
                continue
            events.append(self._run(config, rng, observers))
            require_valid(events, self.max_invalid_retries)
        verdict = majority(self.memory.ledger.verdicts(key))
        n_marked = self._n_marked
        with uninterrupted():
            if key not in self.known.measured:
                self.artifacts.record_complete(key)
            newly = self._conclude(config, verdict, observers)
        marked = ConfigOutcome(n_suspect=self._n_marked - n_marked)
        self._forget_suspects(marked)
        return self._outcome(events, verdict, newly).with_due(due).with_due(marked)

    @property
    def _n_marked(self) -> int:
        return self._suspicion.n_marked if self._suspicion else 0

    def _check_node(
        self, check: NodeCheck, rng: np.random.Generator, observers: Sequence[CampaignObserver]
    ) -> ConfigOutcome:
        n_marked = self._n_marked
        events = check.run(partial(self._run_canary, rng, observers), observers)
        outcome = replace(self._outcome(events), n_suspect=self._n_marked - n_marked)
        self._forget_suspects(outcome)
        return outcome

    def _forget_suspects(self, outcome: ConfigOutcome) -> None:
        """Let the confirmation begin anew if runs became suspect."""
        if self.confirmation and outcome.n_suspect:
            self.confirmation.begin(self.memory.history())

    def _run_canary(
        self, rng: np.random.Generator, observers: Sequence[CampaignObserver], config: Config, rested_s: float
    ) -> ExecutionEvent:
        return self._run(config, rng, observers, EventKind.CANARY, rested_s)

    def _outcome(
        self, events: Sequence[ExecutionEvent], verdict: Verdict | None = None, newly: Sequence[int] = ()
    ) -> ConfigOutcome:
        return ConfigOutcome(
            verdict=verdict,
            newly=np.array(newly),
            n_runs=len(events),
            cost_s=sum(event.cost_s for event in events),
            measurement=measurement_of(self.known.space, events[-1]) if events else None,
            events=tuple(events),
        )

    def _run(
        self,
        config: Config,
        rng: np.random.Generator,
        observers: Sequence[CampaignObserver],
        kind: EventKind = EventKind.MEASURED,
        rested_s: float = 0.0,
    ) -> ExecutionEvent:
        iteration = self.memory.ledger.next_iteration(config_key(config))
        for observer in observers:
            observer.starting(config, iteration)
        measured = self.source.measure(config, iteration=iteration, rng=rng)
        event = replace(
            measured,
            kind=kind,
            started_at=measured.started_at - rested_s,
            cooldown_s=measured.cooldown_s + rested_s,
            cost_s=measured.cost_s + rested_s,
            iteration=iteration,
            run_id=self.context.run_id,
            repetition=self.context.repetition,
            context_hash=self.context_hash,
        )
        event = self.memory.clock.ordered(event)
        with uninterrupted():
            self.budget.spend(event.cost_s)
            self.memory.ingest_event(event)
            self.artifacts.record_run(event)
            if self.canary:
                self.canary.record(event)
            if self.confirmation:
                self.confirmation.record(event)
        for observer in observers:
            observer.measured(event)
        return event

    def _conclude(self, config: Config, verdict: Verdict, observers: Sequence[CampaignObserver]) -> Sequence[int]:
        """Enter a verdict, and return the indices of the configurations that became known."""
        before = self._disagreements.contradictions()
        found = [self.known.update(config, verdict)]
        new = self._disagreements.contradictions() - before
        if self._suspicion:
            self._to_finish.update(dict.fromkeys(self._suspicion.contradicted(new, observers)))
        newly = np.concatenate([*found, *self._settle_contradictions()])
        self._record_inferred(newly)
        self._finish_near([config, *(config_pairs(key) for pair in new for key in pair)])
        return [int(index) for index in newly]

    def _finish_near(self, configs: Iterable[Config]) -> None:
        """Let the neighbours of configurations that disagree have all their iterations."""
        self._to_finish.update(dict.fromkeys(self._disagreements.hasty(configs)))

    def _settle_contradictions(self) -> list[NDArray[np.int64]]:
        ledger = self.memory.ledger
        return quarantine_finished(self.known, lambda one: not ledger.missing_runs(config_key(one), again=True))

    def _record_inferred(self, indices: NDArray[np.int64]) -> None:
        self._not_run.record([self.known.space.config(int(index)) for index in indices])
