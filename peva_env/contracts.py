"""The contracts that hold peva-env together.

What must always hold:

- A measurement source returns one event per k6 run. A failed run is an event with verdict ``INVALID``, not an
  exception. A source raises only if the user interrupts the run or the node is lost.
- An ``INVALID`` event is stored, but it is never a label: it enters neither the map nor a policy.
- The configurations that ``choose_batch`` returns are run in the order in which it returns them.
- An event is on disk when ``ingest_event`` returns.
- Each optional method has its own Protocol, such as ``PreparedPolicy``. A class satisfies the Protocol if it defines or
  inherits the method; it need not name the Protocol. A method that only ``__getattr__`` provides does not count.

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
    UNEVEN,
    EndReason,
    EndStatus,
    EventKind,
    ExecutionEvent,
    FunctionMeasurement,
    NodeMeasurement,
    Verdict,
    ending_text,
)
from peva_env.space import Config, ConfigKey, ConfigSpace

__all__ = [
    "NOT_RUN",
    "UNEVEN",
    "Agent",
    "AgentWithDominance",
    "CampaignObserver",
    "CampaignView",
    "ConfigScheduler",
    "DfaasRunContext",
    "DoubtingObserver",
    "EndReason",
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
    "ending_text",
]


@dataclass(slots=True)
class DfaasRunContext:
    """The campaign data that a scheduler can read: plan, complete configurations, names and output folder."""

    configs: Sequence[Config] = ()
    existing_index: Set[ConfigKey] = field(default_factory=set)
    function_names: list[str] = field(default_factory=list)
    target_name: str = ""
    run_id: str = ""
    output_dir: Path | None = None
    repetition: int = 1


class Tensors(Protocol):
    """Valid measured events as arrays with one row per event: ``n`` events, ``F`` functions, ``d`` features.

    The arrays are views, not copies; they do not grow when later events are stored.
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
    """The argument of a policy's optional ``setup``, which is called once, before the first choice.

    ``history`` holds the steps of a live campaign's scouting, if there was one, then the earlier events of a resumed
    campaign. Only events with ``is_valid`` have a label. ``tensors`` holds the valid measured events of all campaigns
    and contexts in the memory, preloaded events included: training data for the policy. It grows during the campaign.
    ``dominance`` names the campaign's inference rule: see ``peva_env.inference.grid``.
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

        An empty batch of a ``PatientScheduler`` ends the campaign only if the scheduler is exhausted.
        """
        ...


@runtime_checkable
class PatientScheduler(ConfigScheduler, Protocol):
    """A scheduler that may return an empty batch although it still has configurations to propose.

    The campaign calls ``propose_batch`` again until ``exhausted`` is true. ``exhausted`` must become true eventually.
    """

    @property
    def exhausted(self) -> bool:
        """Whether the scheduler has no configuration left to propose."""
        ...


@runtime_checkable
class PolicyAlgorithm(Protocol):
    """Chooses among candidates and learns from events.

    Two more methods are optional: see ``PreparedPolicy`` and ``PredictingPolicy``.
    """

    def choose_batch(self, *, candidates: Sequence[Config], desired_size: int) -> Sequence[Config]:
        """Return at most ``desired_size`` of the candidates, in the order in which they are to be run."""
        ...

    def update_online(self, event: ExecutionEvent) -> None:
        """Learn from one event (selection mode ``online``)."""
        ...

    def update_batch(self, events: list[ExecutionEvent]) -> None:
        """Learn from several events (selection mode ``micro_batch``)."""
        ...


@runtime_checkable
class PreparedPolicy(Protocol):
    """A policy with a ``setup`` method, which receives the campaign's context before the first choice."""

    def setup(self, context: PolicyContext) -> None:
        """Prepare for a campaign; called once per campaign, before any other method."""
        ...


@runtime_checkable
class PredictingPolicy(Protocol):
    """A policy that estimates the verdicts of unmeasured configurations."""

    def predict(self, configs: Sequence[Config]) -> Sequence[float] | NDArray[np.float64]:
        """Return each configuration's probability of being overloaded, 0..1, (k,).

        Called at any time after ``setup``, with any configurations of the space; the sequence may be empty. A call must
        not change the policy's next choice.
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
        """Discard the previous campaign, and record ``history``, the earlier events of a resumed campaign."""
        ...

    def record(self, event: ExecutionEvent) -> None:
        """Record an event of this campaign."""
        ...

    def is_complete(self, key: ConfigKey) -> bool:
        """Tell whether a configuration has all its valid runs."""
        ...

    def is_recorded(self, key: ConfigKey, kind: EventKind) -> bool:
        """Tell whether a configuration is recorded with this kind: skipped or inferred."""
        ...

    def missing_runs(self, key: ConfigKey, *, again: bool = False) -> int:
        """Return an upper bound on a configuration's missing valid runs; ``again`` doubles the required number."""
        ...

    def next_iteration(self, key: ConfigKey) -> int:
        """Return the iteration number of a configuration's next run; INVALID runs and canaries are numbered too."""
        ...

    def verdicts(self, key: ConfigKey) -> list[Verdict]:
        """Return the verdicts of a configuration's valid runs, in the order in which they ran."""
        ...


@runtime_checkable
class MeasurementSource(Protocol):
    """Where measurements come from: live load, a recording, a simulation."""

    def measure(self, config: Config, *, iteration: int, rng: np.random.Generator) -> ExecutionEvent:
        """Run one iteration of a configuration and return its event."""
        ...

    def close(self) -> None:
        """Release everything the source holds; it may be called twice."""
        ...


class CampaignObserver(Protocol):
    """Observes each run as it happens, for progress displays."""

    def starting(self, config: Config, iteration: int) -> None:
        """Handle the start of a run."""
        ...

    def measured(self, event: ExecutionEvent) -> None:
        """Handle the end of a run; its event is already stored."""
        ...

    def concluded(self, config: Config, verdict: Verdict, resolved: int) -> None:
        """Handle a configuration's verdict; ``resolved`` is the number of configurations that became known by it."""
        ...


@runtime_checkable
class DoubtingObserver(CampaignObserver, Protocol):
    """An observer that is also told which runs became suspect."""

    def suspected(self, marks: Sequence[ExecutionEvent]) -> None:
        """Handle the marks of runs that became suspect, already stored: see ``peva_env.memory.suspects``."""
        ...


class Known(Protocol):
    """The known verdicts of a campaign's configurations."""

    def verdict(self, config: Config) -> Verdict | None:
        """Return the measured or inferred verdict of a configuration, or None."""
        ...


@runtime_checkable
class CampaignView(Protocol):
    """The part of the environment that a campaign loop and its agent may use."""

    @property
    def known(self) -> Known:
        """The verdicts known so far."""
        ...

    @property
    def run_context(self) -> DfaasRunContext:
        """The campaign data that a scheduler can read.

        ``existing_index`` grows as configurations become complete. A contradicted configuration leaves it, because it
        is run again.
        """
        ...

    def policy_context(self) -> PolicyContext:
        """Return the argument of a policy's ``setup``."""
        ...

    def attach_policy(self, policy: PolicyAlgorithm, *, agent: str) -> None:
        """Update this policy with each later event; updates are recorded under the name ``agent``."""
        ...

    def action(self, config: Config) -> Any:
        """Return the action that asks for a configuration."""
        ...

    @property
    def status(self) -> EndStatus:
        """How the campaign ended; ``RUNNING`` before its end."""
        ...

    def recording(self) -> AbstractContextManager[None]:
        """Run a block; an exception ends the campaign as interrupted or failed, and is raised again."""
        ...

    def stop(self) -> float:
        """End the campaign because its agent picks no further configuration, and return the reward of that.

        Does nothing and returns 0 if the campaign has ended.
        """
        ...


@runtime_checkable
class AgentWithDominance(Protocol):
    """An agent with a default dominance rule for its campaigns; the configuration or the user can override it.

    ``dominance`` is one of the names in ``peva_env.inference.grid``, and ``begin`` does not change it. Every ``Agent``
    has this attribute. ``peva-env run`` also accepts an agent without it; its campaigns use ``one_sided``.
    """

    dominance: str


class Agent(AgentWithDominance, Protocol):
    """Chooses the next action of a campaign; ``name`` is its name in the memory and in the arena.

    More methods are optional: see ``SpaceBoundAgent``, ``PredictingAgent``, ``TransferringAgent``, ``CandidateAgent``.
    """

    name: str

    def begin(self, campaign: CampaignView) -> None:
        """Prepare for a campaign; called once after each ``reset``. Discards all state of the last campaign."""
        ...

    def act(self, observation: Any, info: Mapping[str, Any]) -> Any | None:
        """Return the next action, or None to end the campaign.

        An action that ``info["action_mask"]`` excludes starts no run, but counts as a step.
        """
        ...


@runtime_checkable
class SpaceBoundAgent(Protocol):
    """An agent that supports some spaces only."""

    def require_space(self, space: ConfigSpace) -> None:
        """Check that the agent supports a space. Called before a node is started, and so before ``begin``.

        Raises:
            PolicyError: the agent does not support the space.
        """
        ...


@runtime_checkable
class PredictingAgent(Protocol):
    """An agent that estimates the verdicts of unmeasured configurations."""

    def predict(self, configs: Sequence[Config]) -> NDArray[np.float64] | None:
        """Return each configuration's probability of being overloaded, 0..1, (k,), or None without an estimate.

        Called at any time after ``begin``. A call must not change the agent's next action.
        """
        ...


@runtime_checkable
class TransferringAgent(Protocol):
    """An agent that also learns from other campaigns, such as those on the other nodes of a fleet."""

    def learn_elsewhere(self, events: Sequence[ExecutionEvent]) -> None:
        """Learn from runs of other campaigns, of which the memory may not know; called between two choices."""
        ...

    def alone(self, seed: int) -> PolicyAlgorithm:
        """Return a new policy that chooses as this agent does, without learning elsewhere."""
        ...


@runtime_checkable
class CandidateAgent(Protocol):
    """An agent that can also choose among the candidates that the candidate view shows."""

    def choose_row(self, observation: Any, info: Mapping[str, Any]) -> int | None:
        """Return the row of a candidate, given the view's observation and info; None to end the campaign.

        Called after ``begin``, in place of ``act``.

        Raises:
            PolicyError: the agent, as it was made, does not choose among candidates.
        """
        ...
