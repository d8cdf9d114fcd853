"""The executor of a campaign's configurations.

A campaign (``peva_env.campaign.campaign``) is the same for live load, replay and simulation. Two contracts hide the
differences. The ``Executor`` here measures a configuration: the live executor records its runs in memory and artifacts,
the offline executor looks the outcome up and records nothing. The ``CampaignHost`` (``peva_env.campaign.host``) owns
the resources that outlive a campaign.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from peva_env.campaign.confirmation import Confirmation
from peva_env.contracts import CampaignObserver, EndStatus, ExecutionEvent, PolicyAlgorithm, Verdict
from peva_env.observation import Measurement


def _none() -> NDArray[Any]:
    return np.array([], np.int64)


@dataclass(frozen=True, slots=True)
class ConfigOutcome:
    """The result of one step for its configuration.

    ``verdict`` is None if the budget ended before the last iteration. ``newly`` (k,) are the indices of the
    configurations that the verdict made known, and ``resolved`` is their number. ``measurement`` is that of the last
    run. ``events`` is empty offline. ``n_runs`` and ``cost_s`` include runs beside those of the configuration, such as
    canaries. ``n_suspect`` is the number of runs that became suspect.
    """

    verdict: Verdict | None = None
    skip_reason: str | None = None
    newly: NDArray[Any] = field(default_factory=_none, compare=False)
    n_runs: int = 0
    cost_s: float = 0.0
    measurement: Measurement | None = field(default=None, compare=False)
    events: tuple[ExecutionEvent, ...] = ()
    n_suspect: int = 0

    def with_due(self, due: "ConfigOutcome") -> "ConfigOutcome":
        """Return this outcome with the runs of another one added, see ``Executor.run_due``."""
        if not (due.n_runs or due.n_suspect):
            return self
        return replace(
            self,
            n_runs=self.n_runs + due.n_runs,
            cost_s=self.cost_s + due.cost_s,
            n_suspect=self.n_suspect + due.n_suspect,
        )

    @property
    def resolved(self) -> int:
        """The number of configurations that became known."""
        return len(self.newly)


class Executor(Protocol):
    """Measures the configurations of one campaign and records the results."""

    def execute(self, index: int, rng: np.random.Generator, observers: Sequence[CampaignObserver]) -> ConfigOutcome:
        """Measure an unknown configuration, enter its verdict in the map, and charge the budget."""
        ...

    def run_due(self, rng: np.random.Generator, observers: Sequence[CampaignObserver]) -> ConfigOutcome:
        """Run what is due whatever is chosen next, within the budget; nothing offline."""
        ...

    @property
    def confirmation(self) -> Confirmation | None:
        """What confirms the certificate of a complete map, if that is asked for."""
        ...

    @property
    def has_due(self) -> bool:
        """Whether something is due without which the campaign must not end as complete."""
        ...

    def record_known(self, index: int) -> None:
        """Record once that a known configuration was not run."""
        ...

    def attach_policy(self, policy: PolicyAlgorithm, *, agent: str) -> None:
        """Update a policy from now on, in the name of an agent."""
        ...

    def end(self, status: EndStatus, why: Callable[[], str | None]) -> None:
        """Update the policy by its pending events, unless the campaign failed, and record the end and why it came."""
        ...
