"""One campaign: an agent at work on one space until its map is complete or its budget is spent.

The map (``known``) is the only owner of verdicts. Schedulers see ``context.existing_index``, a view of the map.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from peva_env.campaign.budget import Budget
from peva_env.campaign.ending import why_ended
from peva_env.campaign.protocols import ConfigOutcome, Executor
from peva_env.contracts import (
    CampaignObserver,
    DfaasRunContext,
    EndStatus,
    ExecutionEvent,
    PolicyAlgorithm,
    Tensors,
    Verdict,
)
from peva_env.errors import ConfigError
from peva_env.inference import UNKNOWN_LABEL, MonotoneMap
from peva_env.planning import Refinement
from peva_env.space import Config, ConfigKey, config_key, config_text


class CompleteConfigs(Set[ConfigKey]):
    """A view of the measured configurations of a map, without the contradicted ones, which are measured again."""

    def __init__(self, known: MonotoneMap) -> None:
        self._known = known

    def __contains__(self, key: object) -> bool:
        """Return whether a configuration was measured and is not contradicted."""
        return key in self._known.measured and key not in self._disputed()

    def __iter__(self) -> Iterator[ConfigKey]:
        """Yield the configurations in the order of their measurement."""
        disputed = self._disputed()
        return (key for key in self._known.measured if key not in disputed)

    def __len__(self) -> int:
        """Return the number of these configurations."""
        return len(self._known.measured) - len(self._disputed())

    def _disputed(self) -> set[ConfigKey]:
        return set(map(config_key, self._known.disputed()))


def nobody_knows() -> NDArray[np.int8]:
    """Raise ConfigError: the truth about a live node is not known."""
    raise ConfigError("reward: the true labels are known in a simulation and in a replay, not of a live node")


@dataclass(slots=True)
class Campaign:
    """A campaign that has begun.

    ``history`` holds the steps of a scouting and the earlier events of a resumed campaign; ``read_history`` reads
    them again, where there is a memory. ``tensors`` holds all events of its memory, and ``info`` its part of the info
    of ``reset``.
    ``n_judged_anew`` counts the configurations of the history with runs that were judged anew, because the overload
    rules have changed since. ``truth`` returns the true labels (N,), or raises ``ConfigError`` where nobody knows them.
    ``measure_again``: known configurations are run again. ``refinement``: the plan grows when the map of its grid is
    complete. ``goes_on_with_some``: only some configurations of the plan are run, and others were before.
    ``end_detail`` says why the campaign ended, once it has: it is found when it is asked for, because it takes the
    certificate, and nobody asks for it after an episode offline.
    """

    known: MonotoneMap
    budget: Budget
    executor: Executor
    context: DfaasRunContext
    tensors: Tensors
    history: tuple[ExecutionEvent, ...] = ()
    read_history: Callable[[], Sequence[ExecutionEvent]] | None = None
    n_judged_anew: int = 0
    info: Mapping[str, Any] = field(default_factory=dict)
    observers: tuple[CampaignObserver, ...] = ()
    truth: Callable[[], NDArray[np.int8]] = nobody_knows
    measure_again: bool = False
    refinement: Refinement | None = None
    goes_on_with_some: bool = False
    status: EndStatus = EndStatus.RUNNING
    _given_detail: str | None = None

    def execute(self, index: int, rng: np.random.Generator) -> ConfigOutcome:
        """Measure a configuration (index in plan order), unless it is known or has no record.

        Raises:
            InvalidRunError: a run stayed INVALID after every retry; all attempts are in the memory.
            CanaryError: the canary stayed overloaded.
        """
        skip_reason = self.skip_reason(index)
        if skip_reason:
            verdict = self.known.verdict(self.known.space.config(index))
            if verdict is not None:
                self.executor.record_known(index)
            return ConfigOutcome(verdict=verdict, skip_reason=skip_reason)
        outcome = self.executor.execute(index, rng, self.observers)
        if outcome.verdict is not None:
            for observer in self.observers:
                observer.concluded(self.known.space.config(index), outcome.verdict, outcome.resolved)
        if outcome.n_suspect:
            self._restart_schedulers()
        outcome = outcome.with_due(self.run_due(rng))
        self._grow()
        return outcome

    def run_due(self, rng: np.random.Generator) -> ConfigOutcome:
        """Run what is due whatever is chosen next, such as a canary before the campaign ends.

        Raises:
            InvalidRunError: a run stayed INVALID after every retry.
            CanaryError: the canary stayed overloaded.
        """
        n_unknown = self.known.n_unknown
        outcome = self.executor.run_due(rng, self.observers)
        if outcome.n_suspect or self.known.n_unknown > n_unknown:
            self._restart_schedulers()
        return outcome

    def resume(self, rng: np.random.Generator) -> ConfigOutcome:
        """Run what the last start left due, before an agent begins; it becomes part of the history."""
        due = self.run_due(rng)
        if (due.n_runs or due.n_suspect) and self.read_history:
            self.history = tuple(self.read_history())
        self._grow()
        return due

    def _grow(self) -> None:
        """When nothing is unknown, let the configurations count that the refinement of the map asks for then."""
        if self.refinement is None or self.known.n_unknown or self.executor.has_due:
            return
        for index in self.known.count_also(self.refinement.cells(self.known)).tolist():
            self.executor.record_known(index)

    def _restart_schedulers(self) -> None:
        """Let schedulers begin anew, by a new context: known configurations are unknown again."""
        self.context = replace(self.context)

    def skip_reason(self, index: int) -> str | None:
        """Return the reason for not running a configuration, or None if it has to be run."""
        labels, recorded = self.known.labels, self.known.recorded
        is_recorded = recorded is None or bool(recorded[index])
        if labels is not None and is_recorded and (self.measure_again or labels[index] == UNKNOWN_LABEL):
            return None  # also where the verdicts of other configurations contradict each other
        config = self.known.space.config(index)
        if config_key(config) in self.known.measured:
            return "already measured"
        return why_known(self.known, config) if is_recorded else "never recorded"

    @property
    def ending(self) -> EndStatus | None:
        """The status with which the campaign has to end now, ``COMPLETE`` or ``BUDGET``; None while it can continue."""
        if self.known.n_unknown == 0 and not self.executor.has_due:
            return EndStatus.COMPLETE
        return EndStatus.BUDGET if self.budget.exhausted else None

    def attach_policy(self, policy: PolicyAlgorithm, *, agent: str) -> None:
        """Update a policy from now on, in the name of an agent."""
        self.executor.attach_policy(policy, agent=agent)

    def end(self, status: EndStatus, detail: str | None = None) -> None:
        """Record the end of the campaign and why it ended; no-op if it has ended before.

        ``detail`` is known where the program has its own reason, such as an error.
        """
        if self.status is EndStatus.RUNNING:
            self.status = EndStatus.FAILED  # stays so if the executor raises
            self._given_detail = detail
            self.executor.end(status, partial(self._why, status))
            self.status = status

    @property
    def end_detail(self) -> str | None:
        """Why the campaign ended; None while it runs."""
        return None if self.status is EndStatus.RUNNING else self._why(self.status)

    def _why(self, status: EndStatus) -> str | None:
        if self._given_detail is not None:
            return self._given_detail
        confirmation = self.executor.confirmation
        return why_ended(status, self.known, self.budget, confirmation, goes_on_with_some=self.goes_on_with_some)


def quarantine_finished(known: MonotoneMap, has_all_runs: Callable[[Config], bool]) -> list[NDArray[np.int64]]:
    """Put contradicted configurations that have all their runs in quarantine; the others stay unknown.

    Returns the indices of the configurations that became known by that.
    """
    finished = [config for config in known.disputed() if has_all_runs(config)]
    return [known.quarantine(config) for config in finished]


def why_known(known: MonotoneMap, config: Config) -> str | None:
    """Return as text the measured configuration from which a verdict is inferred, or None."""
    evidence = known.evidence(config)
    if evidence is None:
        return None
    base, verdict = evidence
    if verdict is Verdict.OVERLOADED:
        return f"dominates {config_text(base)}, which is overloaded"
    return f"is dominated by {config_text(base)}, which is OK"
