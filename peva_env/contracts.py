"""The contracts that hold peva-env together: protocols and frozen records.

What must always hold:

- A measurement source returns one event per k6 run and never raises for a run that failed: such a run is an event with
  verdict ``INVALID``. Only an interruption or a node that is gone for good leaves as an exception.
- An ``INVALID`` event is stored, but it is never a label: it enters neither the map nor a policy.
- What ``choose_batch`` returns is what runs, in that order.
- An event is on disk when ``ingest_event`` returns.

Units are in the names: ``rate_rps`` requests per second, ``_ms`` milliseconds, ``_s`` seconds, ``_pct`` percent of
capacity (0..100, whatever the number of cores), ``_bytes`` bytes, ``_uw`` microwatts. ``None`` means "not measured".
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from peva_env.space import Config, ConfigKey, ConfigSpace, config_id


class Verdict(StrEnum):
    """What a run, or the majority of a configuration's runs, says of the node."""

    OK = "OK"
    OVERLOADED = "OVERLOADED"
    INVALID = "INVALID"


class EventKind(StrEnum):
    """Whether an event was measured, or stands for a configuration that was not run."""

    MEASURED = "measured"
    SKIPPED = "skipped"


class EndStatus(StrEnum):
    """How a campaign ended; ``RUNNING`` while it has not, ``CRASHED`` when the next start finds it so.

    ``COMPLETE`` leaves nothing unknown; ``STOPPED`` does, but its agent has nothing more to ask.
    """

    RUNNING = "running"
    COMPLETE = "complete"
    STOPPED = "stopped"
    BUDGET = "budget"
    INTERRUPTED = "interrupted"
    FAILED = "failed"
    CRASHED = "crashed"


@dataclass(frozen=True, slots=True)
class FunctionMeasurement:
    """What one run did to one function. Counts are requests; ``success_rate`` is over *offered* load, 0..1.

    ``offered = sent + dropped``: requests that the generator could not start because all its virtual users were waiting
    are failures of the node. A function at rate 0 has no traffic and success rate 1. Latencies are of successful
    requests only, None where there were none.
    """

    name: str
    rate_rps: int
    offered: int
    sent: int
    dropped: int
    succeeded: int
    failed: Mapping[str, int]
    success_rate: float
    mean_ms: float | None = None
    p50_ms: float | None = None
    p90_ms: float | None = None
    p95_ms: float | None = None
    p99_ms: float | None = None
    cpu_pct: float | None = None
    ram_bytes: int | None = None
    power_uw: float | None = None
    replicas: int | None = None


@dataclass(frozen=True, slots=True)
class NodeMeasurement:
    """Mean use of the node over the steady part of a run, and before it (``idle_``)."""

    cpu_pct: float | None = None
    ram_bytes: int | None = None
    ram_pct: float | None = None
    power_uw: float | None = None
    idle_cpu_pct: float | None = None
    idle_ram_bytes: int | None = None
    idle_ram_pct: float | None = None
    idle_power_uw: float | None = None


@dataclass(frozen=True, slots=True)
class ExecutionEvent:
    """One run of one configuration: what the memory stores and what policies learn from.

    A source fills in what it measured; the executor stamps to which campaign it belongs: ``iteration``, ``run_id``,
    ``repetition`` and ``context_hash``. ``margin`` is the smallest signed distance to an overload threshold as a share
    of that threshold: positive = OK by that much. Times are seconds since the epoch. ``cost_s`` is machine time:
    cooldown plus run. ``raw_summary`` is k6's own JSON.
    """

    config_key: ConfigKey
    iteration: int
    verdict: Verdict
    run_id: str = ""
    repetition: int = 1
    kind: EventKind = EventKind.MEASURED
    reasons: tuple[str, ...] = ()
    margin: float | None = None
    functions: tuple[FunctionMeasurement, ...] = ()
    overloaded_functions: tuple[str, ...] = ()
    node: NodeMeasurement = field(default_factory=NodeMeasurement)
    started_at: float = 0.0
    ended_at: float = 0.0
    duration_s: float = 0.0
    cooldown_s: float = 0.0
    cost_s: float = 0.0
    generator_cpu_pct: float | None = None
    context_hash: str = ""
    raw_summary: Mapping[str, Any] | None = field(default=None, compare=False, repr=False)

    @property
    def config_pairs(self) -> Config:
        """The configuration as a list of (function, rate) pairs."""
        return list(zip(*self.config_key, strict=True))

    @property
    def config_id(self) -> str:
        """The configuration's 12-digit id."""
        return config_id(self.config_pairs)

    @property
    def event_key(self) -> tuple[str, int, int, str]:
        """What makes an event unique: ``(config_id, iteration, repetition, run_id)``."""
        return self.config_id, self.iteration, self.repetition, self.run_id


@dataclass(slots=True)
class DfaasRunContext:
    """What a scheduler may know of the campaign: the plan, what is already complete, and whose campaign it is."""

    configs: Sequence[Config] = ()
    existing_index: set[ConfigKey] = field(default_factory=set)
    function_names: list[str] = field(default_factory=list)
    target_name: str = ""
    run_id: str = ""
    output_dir: Path | None = None
    repetition: int = 1


class Tensors(Protocol):
    """Valid measured events as arrays, a row each: ``n`` events, ``F`` functions, ``d`` features.

    Arrays are views without a copy; later events do not show in them.
    """

    @property
    def feature_names(self) -> tuple[str, ...]:
        """The ``d`` columns: rates of the ``F`` functions first, then what came of them."""
        ...

    @property
    def functions(self) -> tuple[str, ...]:
        """The ``F`` functions, sorted."""
        ...

    @property
    def features(self) -> NDArray[np.float32]:
        """What was asked and what came of it, (n, d); 0 where ``mask`` is false."""
        ...

    @property
    def mask(self) -> NDArray[np.bool_]:
        """Whether a feature was measured, (n, d)."""
        ...

    @property
    def labels(self) -> NDArray[np.int8]:
        """Verdicts, (n,): -1 OK, 1 overloaded."""
        ...

    def sample(self, batch_size: int, rng: np.random.Generator) -> tuple[NDArray[np.float32], NDArray[np.int8]]:
        """Draw events with replacement: copies of their features (batch_size, d) and labels (batch_size,)."""
        ...

    def __len__(self) -> int:
        """Return the number of events."""
        ...


@dataclass(frozen=True, slots=True)
class PolicyContext:
    """What a policy's optional ``setup`` is given, once, before its first choice.

    ``history`` is what this campaign goes on from: nothing, unless it is resumed. ``tensors`` is all that the memory
    holds, of whatever campaign and context, preloaded ones included, and grows as the campaign goes on: what a policy
    can learn from beforehand.
    """

    space: ConfigSpace
    seed: int | None
    config: Mapping[str, Any]
    history: Sequence[ExecutionEvent]
    tensors: Tensors


@runtime_checkable
class ConfigScheduler(Protocol):
    """Proposes which configurations come next."""

    def propose_batch(self, *, ctx: DfaasRunContext, desired_size: int) -> Sequence[Config]:
        """Return at most ``desired_size`` configurations; an empty batch ends the campaign.

        A scheduler with an attribute ``exhausted`` may return an empty batch in between: the campaign then goes on
        until ``exhausted`` is true.
        """
        ...


@runtime_checkable
class PolicyAlgorithm(Protocol):
    """Chooses among candidates and learns from events."""

    def choose_batch(self, *, candidates: Sequence[Config], desired_size: int) -> Sequence[Config]:
        """Return at most ``desired_size`` of the candidates, in the order in which they shall run."""
        ...

    def update_online(self, event: ExecutionEvent) -> None:
        """Learn from one event (selection mode ``online``)."""
        ...

    def update_batch(self, events: list[ExecutionEvent]) -> None:
        """Learn from several events (selection mode ``micro_batch``)."""
        ...


@runtime_checkable
class MemoryEngine(Protocol):
    """Stores what was measured and drives the policy's updates."""

    def startup(self) -> None:
        """Open the memory and load what it holds."""
        ...

    def is_seen(self, key: ConfigKey) -> bool:
        """Tell whether a configuration is complete under the present context."""
        ...

    def ingest_event(self, event: ExecutionEvent) -> None:
        """Store an event durably, then update the policy."""
        ...

    def checkpoint(self) -> None:
        """Hand pending events to the policy and write the Parquet exports that were asked for."""
        ...


@runtime_checkable
class MeasurementSource(Protocol):
    """Where measurements come from: live load, a recording, a simulation."""

    def measure(self, config: Config, *, iteration: int, rng: np.random.Generator) -> ExecutionEvent:
        """Run one iteration of a configuration and say what happened."""
        ...

    def close(self) -> None:
        """Release everything the source holds; it may be called twice."""
        ...


class CampaignObserver(Protocol):
    """Is told of each run as it happens, for progress displays."""

    def starting(self, config: Config, iteration: int) -> None:
        """Take note that a run begins."""
        ...

    def measured(self, event: ExecutionEvent) -> None:
        """Take note of a run that has ended and is stored."""
        ...

    def concluded(self, config: Config, verdict: Verdict, resolved: int) -> None:
        """Take note of a configuration's verdict, and of how many configurations became known by it."""
        ...


class CampaignView(Protocol):
    """What an agent may see and touch of the environment that it drives."""

    @property
    def run_context(self) -> DfaasRunContext:
        """The campaign as a scheduler sees it; ``existing_index`` grows as configurations become complete."""
        ...

    def policy_context(self) -> PolicyContext:
        """Return what a policy's ``setup`` is given."""
        ...

    def attach_policy(self, policy: PolicyAlgorithm, *, agent: str) -> None:
        """Make the memory update this policy from now on, in the name of this agent."""
        ...

    def action(self, config: Config) -> Any:
        """Return the action that asks for a configuration."""
        ...


class Agent(Protocol):
    """Chooses the next action of a campaign."""

    name: str

    def begin(self, campaign: CampaignView) -> None:
        """Get ready for a campaign; called once after ``reset``."""
        ...

    def act(self, observation: Any, info: Mapping[str, Any]) -> Any | None:
        """Return the next action, or None when the agent has nothing more to ask."""
        ...
