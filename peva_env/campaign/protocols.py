"""A campaign as its parts see it: what it may spend, what became of a step, who executes, and who hosts it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np

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
from peva_env.inference import MonotoneMap
from peva_env.observation import Measurement
from peva_env.space import Config, ConfigSpace

NOTHING_LEFT = 1e-9
"""A share of a budget that is no more than what adding up costs has lost to rounding."""


@dataclass(slots=True)
class Budget:
    """What a campaign may spend: runs, seconds of machine time (cooldown plus run), and steps. None = no limit.

    A step that runs nothing spends nothing but itself: the limit of steps ends what would otherwise never end.
    """

    runs: int | None = None
    seconds: float | None = None
    steps: int | None = None
    spent_runs: int = 0
    spent_s: float = 0.0
    spent_steps: int = 0

    @property
    def exhausted(self) -> bool:
        """Whether nothing more may be started."""
        return 0.0 in self.left or (self.steps is not None and self.spent_steps >= self.steps)

    @property
    def left(self) -> tuple[float, float]:
        """Shares of the runs and of the seconds that are left, 1 without a limit."""
        return _share_left(self.spent_runs, self.runs), _share_left(self.spent_s, self.seconds)

    def spend(self, cost_s: float) -> None:
        """Charge one run."""
        self.spent_runs += 1
        self.spent_s += cost_s


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
    """Measures the configurations of one campaign, and knows what is known of them."""

    known: MonotoneMap
    budget: Budget
    observers: Sequence[CampaignObserver]

    @property
    def context(self) -> DfaasRunContext:
        """The campaign as a scheduler sees it."""
        ...

    def execute(self, index: int, rng: np.random.Generator) -> ConfigOutcome:
        """Measure the configuration at an index of the plan, unless it is known already."""
        ...


@dataclass(frozen=True, slots=True)
class Campaign:
    """One episode: its executor, the events that it goes on from, all that its memory holds, and what to say of it."""

    executor: Executor
    history: tuple[ExecutionEvent, ...]
    tensors: Tensors
    info: Mapping[str, Any] = field(default_factory=dict)


class CampaignHost(Protocol):
    """Opens and ends an environment's campaigns; it owns what they need."""

    @property
    def space(self) -> ConfigSpace:
        """The configurations of the campaign that was opened last; all its campaigns have spaces of one shape."""
        ...

    @property
    def paths(self) -> list[Path]:
        """The files written so far."""
        ...

    def check(self, options: Mapping[str, Any]) -> None:
        """Accept what ``open`` can be asked for; nothing is begun."""
        ...

    def open(self, options: Mapping[str, Any], word: int) -> Campaign:
        """Begin a campaign; ``word``, 64 bits, is where its chance comes from, if it is not the node's own."""
        ...

    def end(self, status: EndStatus, detail: str | None) -> None:
        """Record how the campaign ended that was opened last."""
        ...

    def attach_policy(self, policy: PolicyAlgorithm, *, agent: str) -> None:
        """Update a policy from now on."""
        ...

    def config_data(self) -> dict[str, Any]:
        """Return the configuration as plain data."""
        ...

    def close(self) -> None:
        """Release everything; may be called twice."""
        ...


def require_options(options: Mapping[str, Any], *known: str) -> None:
    """Accept options of ``reset`` that there are.

    Raises:
        ConfigError: they are no mapping, or there is none of a name.
    """
    if not isinstance(options, Mapping):
        raise ConfigError(f"reset options must be a mapping, such as {{{known[0]!r}: ...}}; got {options!r}")
    unknown = [name for name in options if name not in known]
    if unknown:
        raise ConfigError(f"unknown reset option {unknown[0]!r}; here there is {' and '.join(known)}")


def require_positive(name: str, value: object) -> None:
    """Accept a limit above 0, or none.

    Raises:
        ConfigError: it is something else.
    """
    if value is None or (isinstance(value, int | float) and not isinstance(value, bool) and value > 0):
        return
    raise ConfigError(f"{name} = {value!r}: must be more than 0")


def why_known(known: MonotoneMap, config: Config) -> str | None:
    """Return from which measured configuration another one's verdict follows, in words, or None."""
    evidence = known.evidence(config)
    if evidence is None:
        return None
    base, verdict = evidence
    if verdict is Verdict.OVERLOADED:
        return f"dominates {config_text(base)}, which is overloaded"
    return f"is dominated by {config_text(base)}, which is OK"


def config_text(config: Config) -> str:
    """Return a configuration in words."""
    return " + ".join(f"{name} {rate} rps" for name, rate in config)


def _share_left(spent: float, limit: float | None) -> float:
    if limit is None:
        return 1.0
    left = 1 - spent / limit
    return left if left > NOTHING_LEFT else 0.0
