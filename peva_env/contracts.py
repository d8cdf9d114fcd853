"""The contracts that hold peva-env together.

What must always hold:

- A measurement source returns one event per k6 run and never raises for a run that failed: such a run is an event with
  verdict ``INVALID``. Only an interruption or a node that is gone for good leaves as an exception.
- An ``INVALID`` event is stored, but it is never a label: it enters neither the map nor a policy.
- What ``choose_batch`` returns is what runs, in that order.
- An event is on disk when ``ingest_event`` returns.
- A method that is optional has a Protocol of its own, such as ``PreparedPolicy``: a class that has the method, in its
  body or from a base class, meets it and need not name it. A method that only ``__getattr__`` finds does not count.

The records themselves are those of ``peva_env.records``.
"""

from collections.abc import Iterable, Mapping, Sequence, Set
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from peva_env.records import (
    NOT_RUN,
    EndStatus,
    EventKind,
    ExecutionEvent,
    FunctionMeasurement,
    NodeMeasurement,
    Verdict,
)
from peva_env.space import Config, ConfigKey, ConfigSpace

__all__ = [
    "NOT_RUN",
    "Agent",
    "AgentWithDominance",
    "CampaignObserver",
    "CampaignView",
    "ConfigScheduler",
    "DfaasRunContext",
    "EndStatus",
    "EventKind",
    "ExecutionEvent",
    "FunctionMeasurement",
    "Ledger",
    "MeasurementSource",
    "MemoryEngine",
    "NodeMeasurement",
    "PatientScheduler",
    "PolicyAlgorithm",
    "PolicyContext",
    "PredictingAgent",
    "PredictingPolicy",
    "PreparedPolicy",
    "SpaceBoundAgent",
    "Tensors",
    "Verdict",
]


@dataclass(slots=True)
class DfaasRunContext:
    """The campaign as a scheduler sees it: its plan, its complete configurations, its names and its output folder."""

    configs: Sequence[Config] = ()
    existing_index: Set[ConfigKey] = field(default_factory=set)
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
        """The ``d`` columns: rates of the ``F`` functions first, then the measured quantities."""
        ...

    @property
    def functions(self) -> tuple[str, ...]:
        """The ``F`` functions, sorted."""
        ...

    @property
    def features(self) -> NDArray[np.float32]:
        """Rates and measured quantities, (n, d); 0 where ``mask`` is false."""
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
    can learn from beforehand. ``dominance`` is how the campaign infers: see ``peva_env.inference.grid``.
    """

    space: ConfigSpace
    seed: int | None
    config: Mapping[str, Any]
    history: Sequence[ExecutionEvent]
    tensors: Tensors
    dominance: str = "one_sided"


@runtime_checkable
class ConfigScheduler(Protocol):
    """Proposes which configurations come next."""

    def propose_batch(self, *, ctx: DfaasRunContext, desired_size: int) -> Sequence[Config]:
        """Return at most ``desired_size`` configurations; an empty batch ends the campaign.

        Of a ``PatientScheduler`` an empty batch only ends the campaign when it is exhausted.
        """
        ...


@runtime_checkable
class PatientScheduler(ConfigScheduler, Protocol):
    """A scheduler that may return an empty batch and still have configurations to propose.

    The campaign asks it again until ``exhausted`` is true, which must become true at some time.
    """

    @property
    def exhausted(self) -> bool:
        """Whether nothing is left to propose."""
        ...


@runtime_checkable
class PolicyAlgorithm(Protocol):
    """Chooses among candidates and learns from events.

    Two more methods are used where a policy has them: see ``PreparedPolicy`` and ``PredictingPolicy``.
    """

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
class PreparedPolicy(Protocol):
    """A policy that wants to know the campaign before its first choice."""

    def setup(self, context: PolicyContext) -> None:
        """Get ready for a campaign; called once for each, before any other method."""
        ...


@runtime_checkable
class PredictingPolicy(Protocol):
    """A policy that estimates the verdicts of configurations that were not measured."""

    def predict(self, configs: Sequence[Config]) -> Sequence[float] | NDArray[np.float64]:
        """Return the probability of each configuration (k,) to be overloaded, 0..1.

        Called at any time after ``setup``, with any configurations of the space or none. It must not change what the
        policy chooses next.
        """
        ...


@runtime_checkable
class MemoryEngine(Protocol):
    """Stores events and drives the policy's updates."""

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
class Ledger(Protocol):
    """Counts the runs of one campaign: complete configurations, missing runs, and recorded skips.

    A complete configuration stays complete. INVALID runs and configurations that were not run are recorded, but they
    never count as valid runs.
    """

    def begin(self, history: Iterable[ExecutionEvent]) -> None:
        """Forget the campaign before, and take over the events that this one goes on from."""
        ...

    def record(self, event: ExecutionEvent) -> None:
        """Take note of an event of this campaign."""
        ...

    def is_complete(self, key: ConfigKey) -> bool:
        """Tell whether a configuration has all its valid runs."""
        ...

    def is_recorded(self, key: ConfigKey, kind: EventKind) -> bool:
        """Tell whether a configuration is recorded as skipped, or as inferred."""
        ...

    def missing_runs(self, key: ConfigKey, *, again: bool = False) -> int:
        """Return how many valid runs a configuration still lacks at most; ``again`` asks for twice as many in all."""
        ...

    def next_iteration(self, key: ConfigKey) -> int:
        """Return the number of a configuration's next run; INVALID runs are numbered too."""
        ...

    def verdicts(self, key: ConfigKey) -> list[Verdict]:
        """Return the verdicts of a configuration's valid runs, in the order in which they ran."""
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
    """Observes each run as it happens, for progress displays."""

    def starting(self, config: Config, iteration: int) -> None:
        """Take note that a run begins."""
        ...

    def measured(self, event: ExecutionEvent) -> None:
        """Take note of a run that has ended and is stored."""
        ...

    def concluded(self, config: Config, verdict: Verdict, resolved: int) -> None:
        """Take note of a configuration's verdict, and of how many configurations became known by it."""
        ...


class Known(Protocol):
    """What is known of a campaign's configurations."""

    def verdict(self, config: Config) -> Verdict | None:
        """Return the measured or inferred verdict of a configuration, or None."""
        ...


@runtime_checkable
class CampaignView(Protocol):
    """What a loop and its agent may see and touch of the environment that they drive."""

    @property
    def known(self) -> Known:
        """What is known by now."""
        ...

    @property
    def run_context(self) -> DfaasRunContext:
        """The campaign as a scheduler sees it.

        ``existing_index`` grows as configurations become complete. What is contradicted, and run again, leaves it.
        """
        ...

    def policy_context(self) -> PolicyContext:
        """Return the argument of a policy's ``setup``."""
        ...

    def attach_policy(self, policy: PolicyAlgorithm, *, agent: str) -> None:
        """Make the memory update this policy from now on, in the name of this agent."""
        ...

    def action(self, config: Config) -> Any:
        """Return the action that asks for a configuration."""
        ...

    @property
    def status(self) -> EndStatus:
        """How the campaign ended; ``RUNNING`` while it has not."""
        ...

    def recording(self) -> AbstractContextManager[None]:
        """Run a block; an exception in it ends the campaign, as interrupted or failed, and is raised again."""
        ...

    def stop(self) -> None:
        """End a campaign whose agent has nothing more to ask; once it has ended nothing happens."""
        ...


@runtime_checkable
class AgentWithDominance(Protocol):
    """An agent that says how its campaigns infer verdicts where neither the configuration nor the user does.

    ``dominance`` is one of the kinds of ``peva_env.inference.grid``, the same before and after ``begin``. Every
    ``Agent`` has it; ``peva-env run`` accepts an agent without it, whose campaigns infer ``one_sided``.
    """

    dominance: str


class Agent(AgentWithDominance, Protocol):
    """Chooses the next action of a campaign; ``name`` is what the memory and the arena call it.

    Two more methods are used where an agent has them: see ``SpaceBoundAgent`` and ``PredictingAgent``.
    """

    name: str

    def begin(self, campaign: CampaignView) -> None:
        """Get ready for a campaign; called once after each ``reset``. Nothing of the last campaign is left."""
        ...

    def act(self, observation: Any, info: Mapping[str, Any]) -> Any | None:
        """Return the next action, or None when the agent has nothing more to ask.

        An action that is not legal by ``info["action_mask"]`` runs nothing, but is a step.
        """
        ...


@runtime_checkable
class SpaceBoundAgent(Protocol):
    """An agent that is for some spaces only."""

    def require_space(self, space: ConfigSpace) -> None:
        """Accept a space, or refuse it. Called before a node is started, so before ``begin``.

        Raises:
            PolicyError: the agent is not for such a space.
        """
        ...


@runtime_checkable
class PredictingAgent(Protocol):
    """An agent that estimates the verdicts of configurations that were not measured."""

    def predict(self, configs: Sequence[Config]) -> NDArray[np.float64] | None:
        """Return the probability of each configuration (k,) to be overloaded, 0..1, or None if it has no estimate.

        Called at any time after ``begin``; it must not change what the agent does next.
        """
        ...
