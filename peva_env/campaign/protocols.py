"""What executes the configurations of a campaign.

A campaign (``peva_env.campaign.campaign``) is the same for live load, replay and simulation. What differs is behind two
contracts: the ``Executor`` here measures a configuration and writes down what it says (live load writes to the memory
and to the artifacts; an offline episode looks up what measuring gives, and writes nothing), and the ``CampaignHost``
(``peva_env.campaign.host``) owns what outlives a campaign.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from peva_env.contracts import CampaignObserver, EndStatus, ExecutionEvent, PolicyAlgorithm, Verdict
from peva_env.observation import Measurement


@dataclass(frozen=True, slots=True)
class ConfigOutcome:
    """What became of a configuration in one step.

    ``verdict`` is None where the budget ended before the last iteration; ``resolved`` counts the configurations that
    became known by it. ``measurement`` is what the last run measured. Offline there are events only for those who ask.
    """

    verdict: Verdict | None = None
    skip_reason: str | None = None
    resolved: int = 0
    n_runs: int = 0
    cost_s: float = 0.0
    measurement: Measurement | None = field(default=None, compare=False)
    events: tuple[ExecutionEvent, ...] = ()


class Executor(Protocol):
    """Measures the configurations of one campaign, and writes down what they say."""

    def execute(self, index: int, rng: np.random.Generator, observers: Sequence[CampaignObserver]) -> ConfigOutcome:
        """Measure the unknown configuration at an index of the plan, enter its verdict in the map, and charge it."""
        ...

    def record_known(self, index: int) -> None:
        """Write down that a configuration is known and was not run, unless that is written down already."""
        ...

    def attach_policy(self, policy: PolicyAlgorithm, *, agent: str) -> None:
        """Update a policy from now on, in the name of an agent."""
        ...

    def end(self, status: EndStatus, detail: str | None) -> None:
        """Hand pending events to the policy, unless the campaign failed, and record how the campaign ended."""
        ...
