"""The executor of a campaign's configurations.

A campaign (``peva_env.campaign.campaign``) is the same for live load, replay and simulation. Two contracts hide the
differences. The ``Executor`` here measures a configuration: the live executor records its runs in memory and artifacts,
the offline executor looks the outcome up and records nothing. The ``CampaignHost`` (``peva_env.campaign.host``) owns
the resources that outlive a campaign.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from peva_env.contracts import CampaignObserver, EndStatus, ExecutionEvent, PolicyAlgorithm, Verdict
from peva_env.observation import Measurement


@dataclass(frozen=True, slots=True)
class ConfigOutcome:
    """The result of one step for its configuration.

    ``verdict`` is None if the budget ended before the last iteration. ``resolved`` is the number of configurations that
    the verdict made known. ``measurement`` is that of the last run. ``events`` is empty offline.
    """

    verdict: Verdict | None = None
    skip_reason: str | None = None
    resolved: int = 0
    n_runs: int = 0
    cost_s: float = 0.0
    measurement: Measurement | None = field(default=None, compare=False)
    events: tuple[ExecutionEvent, ...] = ()


class Executor(Protocol):
    """Measures the configurations of one campaign and records the results."""

    def execute(self, index: int, rng: np.random.Generator, observers: Sequence[CampaignObserver]) -> ConfigOutcome:
        """Measure an unknown configuration, enter its verdict in the map, and charge the budget."""
        ...

    def record_known(self, index: int) -> None:
        """Record once that a known configuration was not run."""
        ...

    def attach_policy(self, policy: PolicyAlgorithm, *, agent: str) -> None:
        """Update a policy from now on, in the name of an agent."""
        ...

    def end(self, status: EndStatus, detail: str | None) -> None:
        """Update the policy by its pending events, unless the campaign failed, and record the end of the campaign."""
        ...
