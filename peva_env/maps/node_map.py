"""The map of one node, with the runs it was made of."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from peva_env.contracts import EventKind, ExecutionEvent, Verdict
from peva_env.frontier import MonotoneMap
from peva_env.maps.inference import runs_asked_for
from peva_env.memory.contexts import node_name
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
        return any(campaign.status == "running" for campaign in self.campaigns)

    @property
    def cost_s(self) -> float:
        """Machine time of all runs, in seconds: cooldown plus run."""
        return sum(event.cost_s for event in self.events)

    @property
    def verdict_counts(self) -> Counter[Verdict]:
        """How many configurations are known to be OK and OVERLOADED, measured or not."""
        labels = self.known.labels
        if labels is None:
            return Counter(self.known.measured.values())
        return Counter({Verdict.OK: int((labels < 0).sum()), Verdict.OVERLOADED: int((labels > 0).sum())})


def usual_number(runs: Mapping[ConfigKey, Sequence[ExecutionEvent]]) -> int:
    """Return the most common number of runs, the higher one of two; 0 if there is none."""
    counts = Counter(map(len, runs.values()))
    return max(counts, key=lambda n: (counts[n], n), default=0)


def valid_runs(events: Iterable[ExecutionEvent]) -> dict[ConfigKey, list[ExecutionEvent]]:
    """Return the measured runs that are not INVALID, by configuration, in the order of their measurement."""
    runs: dict[ConfigKey, list[ExecutionEvent]] = {}
    for event in events:
        if event.kind is EventKind.MEASURED and event.verdict is not Verdict.INVALID:
            runs.setdefault(event.config_key, []).append(event)
    return runs
