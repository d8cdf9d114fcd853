"""The map of one node, with the runs it was made of."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from peva_env.contracts import EndStatus, EventKind, ExecutionEvent, Verdict
from peva_env.inference import MonotoneMap
from peva_env.maps.map_of_runs import runs_asked_for
from peva_env.memory import node_name
from peva_env.space import ConfigKey


@dataclass(frozen=True, slots=True)
class CampaignRecord:
    """One campaign; times are seconds since the epoch, ``ended_at`` None while it runs or if it was killed."""

    run_id: str
    status: str
    detail: str | None
    agent: str | None
    seed: int | None
    selection_mode: str | None
    started_at: float
    ended_at: float | None
    k6_version: str | None
    package_version: str | None


@dataclass(frozen=True)
class NodeMap:
    """What a memory holds of one context and repetition.

    ``known`` is the map; ``events`` are the measured runs of its configurations, INVALID ones included, in the order of
    their measurement. ``notes`` say, a line each, what was done instead of what one might expect: they are for users.
    """

    memory: str
    context_hash: str
    context: Mapping[str, Any]
    repetition: int
    campaigns: tuple[CampaignRecord, ...]
    known: MonotoneMap
    events: tuple[ExecutionEvent, ...]
    notes: tuple[str, ...] = ()

    @property
    def node(self) -> str:
        """The node's name."""
        return node_name(self.context) or self.context_hash

    @cached_property
    def runs(self) -> dict[ConfigKey, list[ExecutionEvent]]:
        """The valid runs of each measured configuration."""
        return valid_runs(self.events)

    @property
    def iterations(self) -> int:
        """How many valid runs a configuration was to have: the most that one has that nothing contradicts."""
        return runs_asked_for(self.known, self.runs)

    @property
    def is_running(self) -> bool:
        """Whether a campaign had not ended when the memory was read."""
        return any(campaign.status == EndStatus.RUNNING for campaign in self.campaigns)

    @property
    def is_complete(self) -> bool:
        """Whether the last campaign left nothing unknown."""
        return are_complete(self.campaigns)

    @property
    def cost_s(self) -> float:
        """Machine time of all runs, in seconds: cooldown plus run."""
        return sum(event.cost_s for event in self.events)


def are_complete(campaigns: Sequence[CampaignRecord]) -> bool:
    """Tell whether the last of some campaigns left nothing unknown; with none there is nothing that could go on."""
    return all(campaign.status == EndStatus.COMPLETE for campaign in campaigns[-1:])


def valid_runs(events: Iterable[ExecutionEvent]) -> dict[ConfigKey, list[ExecutionEvent]]:
    """Return the measured runs that are not INVALID, by configuration, in the order of their measurement."""
    runs: dict[ConfigKey, list[ExecutionEvent]] = {}
    for event in events:
        if event.kind is EventKind.MEASURED and event.verdict is not Verdict.INVALID:
            runs.setdefault(event.config_key, []).append(event)
    return runs
