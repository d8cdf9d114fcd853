"""One campaign: an agent at work on one space until its map is complete or its budget is spent.

What is known of the configurations has one owner, the map (``known``). Schedulers see it as ``context.existing_index``,
which is a view of the map and no copy.
"""

from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from peva_env.campaign.budget import Budget
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
from peva_env.inference import UNKNOWN_LABEL, MonotoneMap
from peva_env.space import Config, ConfigKey, config_key, config_text


class CompleteConfigs(Set[ConfigKey]):
    """A view of the configurations that were measured and are not to be measured again: the contradicted ones are."""

    def __init__(self, known: MonotoneMap) -> None:
        self._known = known

    def __contains__(self, key: object) -> bool:
        """Tell whether a configuration was measured and is not contradicted."""
        return key in self._known.measured and key not in self._disputed()

    def __iter__(self) -> Iterator[ConfigKey]:
        """Yield them in the order in which they became complete."""
        disputed = self._disputed()
        return (key for key in self._known.measured if key not in disputed)

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self._known.measured) - len(self._disputed())

    def _disputed(self) -> set[ConfigKey]:
        return set(map(config_key, self._known.disputed()))


@dataclass(slots=True)
class Campaign:
    """A campaign that has begun.

    ``history`` are the events that it goes on from, ``tensors`` all that its memory holds, ``info`` what ``reset`` says
    of it.
    """

    known: MonotoneMap
    budget: Budget
    executor: Executor
    context: DfaasRunContext
    tensors: Tensors
    history: tuple[ExecutionEvent, ...] = ()
    info: Mapping[str, Any] = field(default_factory=dict)
    observers: tuple[CampaignObserver, ...] = ()
    status: EndStatus = EndStatus.RUNNING

    def execute(self, index: int, rng: np.random.Generator) -> ConfigOutcome:
        """Measure the configuration at an index of the plan, unless it is known or was never recorded.

        Raises:
            InvalidRunError: a run stayed INVALID after every retry; all attempts are in the memory.
        """
        skip_reason = self.skip_reason(index)
        if skip_reason:
            self.executor.record_known(index)
            return ConfigOutcome(verdict=self.known.verdict(self.known.space.config(index)), skip_reason=skip_reason)
        outcome = self.executor.execute(index, rng, self.observers)
        if outcome.verdict is not None:
            for observer in self.observers:
                observer.concluded(self.known.space.config(index), outcome.verdict, outcome.resolved)
        return outcome

    def skip_reason(self, index: int) -> str | None:
        """Return why a configuration need not be run, or None."""
        labels, recorded = self.known.labels, self.known.recorded
        is_recorded = recorded is None or bool(recorded[index])
        if labels is not None and labels[index] == UNKNOWN_LABEL and is_recorded:
            return None  # whatever else says something of it: where verdicts contradict each other nothing is known
        config = self.known.space.config(index)
        if config_key(config) in self.known.measured:
            return "already measured"
        return why_known(self.known, config) if is_recorded else "never recorded"

    @property
    def ending(self) -> EndStatus | None:
        """How the campaign has to end now: complete, or out of budget; None while it can go on."""
        if self.known.n_unknown == 0:
            return EndStatus.COMPLETE
        return EndStatus.BUDGET if self.budget.exhausted else None

    def attach_policy(self, policy: PolicyAlgorithm, *, agent: str) -> None:
        """Update a policy from now on, in the name of an agent."""
        self.executor.attach_policy(policy, agent=agent)

    def end(self, status: EndStatus, detail: str | None = None) -> None:
        """Record how the campaign ended; once it has ended nothing happens."""
        if self.status is EndStatus.RUNNING:
            self.status = EndStatus.FAILED  # unless the executor can record the end as what it was
            self.executor.end(status, detail)
            self.status = status


def why_known(known: MonotoneMap, config: Config) -> str | None:
    """Return from which measured configuration another one's verdict follows, in words, or None."""
    evidence = known.evidence(config)
    if evidence is None:
        return None
    base, verdict = evidence
    if verdict is Verdict.OVERLOADED:
        return f"dominates {config_text(base)}, which is overloaded"
    return f"is dominated by {config_text(base)}, which is OK"
