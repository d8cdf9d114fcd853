"""The map of one node, and the runs that it is made of."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from peva_env.contracts import UNEVEN, EndStatus, ExecutionEvent
from peva_env.inference import MonotoneMap
from peva_env.maps.map_of_runs import expected_runs, map_of_runs
from peva_env.memory import fleet_node, is_suspect, node_name, rules_in
from peva_env.rules import Evidence, RunMargins, Scatter, evidence_of, run_margins
from peva_env.space import Config, ConfigKey, Dominance, config_key, config_pairs, no_lower


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
    """The map of one context and repetition of a memory.

    ``known`` holds the verdicts; ``events`` are the measured runs of its configurations, INVALID ones included, in the
    order of their measurement. ``notes`` are remarks for users, a line each, such as what was left out. The
    ``canaries`` are runs that tested the node only, the ``scouted`` ones the steps of the scouting that decided the
    rates; both have the verdicts of their time. ``campaign_dominance`` is the weakest rule that explains what the
    campaigns inferred, None if that is not known; that of ``known`` may infer more.
    """

    memory: str
    context_hash: str
    context: Mapping[str, Any]
    repetition: int
    campaigns: tuple[CampaignRecord, ...]
    known: MonotoneMap
    events: tuple[ExecutionEvent, ...]
    notes: tuple[str, ...] = ()
    canaries: tuple[ExecutionEvent, ...] = ()
    scouted: tuple[ExecutionEvent, ...] = ()
    campaign_dominance: Dominance | None = None

    @property
    def node(self) -> str:
        """The node's name: that in its fleet, or else that in its context."""
        last = self.campaigns[-1].run_id if self.campaigns else ""
        return fleet_node(last) or node_name(self.context) or self.context_hash

    @cached_property
    def runs(self) -> dict[ConfigKey, list[ExecutionEvent]]:
        """The valid runs of each measured configuration."""
        return valid_runs(self.events)

    @property
    def begun(self) -> Sequence[Config]:
        """The configurations that were run, whether or not a run of them is valid."""
        return [config_pairs(key) for key in dict.fromkeys(event.config_key for event in self.events)]

    @cached_property
    def rule_margins(self) -> Mapping[ConfigKey, Sequence[RunMargins]]:
        """The margin of each rule in the valid runs of each measured configuration, in the order of ``runs``."""
        rules = rules_in(self.context)
        overload, duration_s = (rules.overload, rules.duration_s) if rules else (None, 0.0)
        return {key: [run_margins(run, overload, duration_s) for run in own] for key, own in self.runs.items()}

    @cached_property
    def evidence(self) -> Mapping[ConfigKey, Evidence]:
        """What the runs of each measured configuration say, and how surely; their scatter is that of this map."""
        margins = self.rule_margins
        scatter = Scatter(margins.values())
        return {key: evidence_of([run.verdict for run in own], margins[key], scatter) for key, own in self.runs.items()}

    def confidence(self, config: Config) -> float | None:
        """Return how sure the verdict of a measured configuration is, 0..1; None if its runs have no margins."""
        evidence = self.evidence[config_key(config)]
        return None if evidence.margin is None else evidence.confidence

    @property
    def iterations(self) -> int:
        """The largest number of valid runs of any undisputed configuration: how often each was to be measured."""
        return expected_runs(self.known, self.runs, is_uneven=are_uneven(self.campaigns))

    @property
    def is_running(self) -> bool:
        """Whether a campaign had not ended when the memory was read."""
        return any(campaign.status == EndStatus.RUNNING for campaign in self.campaigns)

    @property
    def is_complete(self) -> bool:
        """Whether the last campaign left nothing unknown."""
        return are_complete(self.campaigns)

    @property
    def n_suspect(self) -> int:
        """The number of runs that are INVALID because they became suspect."""
        return sum(is_suspect(event) for event in self.events)

    @property
    def cost_s(self) -> float:
        """Machine time of all runs but the canaries, in seconds: cooldown plus run."""
        return sum(event.cost_s for event in self.events)

    def doubting(self) -> "NodeMap":
        """Return this map with its contradictions, which one-sided inference does not search for, as a reader needs it.

        Under one-sided dominance a campaign believes each measurement. Of an overloaded load and an OK one above it, a
        reader can believe neither: both, and all between them, are unknown here.
        """
        known = self.known
        if known.dominance != "one_sided" or known.labels is None or not _is_contradicted(known):
            return self
        is_uneven = are_uneven(self.campaigns)
        doubtful = map_of_runs(
            known.space, self.runs, known.dominance, known.recorded, is_uneven=is_uneven, doubts=True
        )
        return replace(self, known=doubtful)


def _is_contradicted(known: MonotoneMap) -> bool:
    """Tell whether an OK configuration lies above an overloaded one of the same functions: then two extremes do."""
    lowest, highest = (list(map(config_key, configs)) for configs in known.frontier())
    below = {names: [low for low in lowest if low[0] == names] for names in {low[0] for low in lowest}}
    return any(no_lower(high[1], low[1]) for high in highest for low in below.get(high[0], ()))


def are_complete(campaigns: Sequence[CampaignRecord]) -> bool:
    """Tell whether the last of some campaigns left nothing unknown; true if there is no campaign."""
    return all(campaign.status == EndStatus.COMPLETE for campaign in campaigns[-1:])


def are_uneven(campaigns: Iterable[CampaignRecord]) -> bool:
    """Tell whether any of some campaigns ran some configurations more often than others, such as to confirm them."""
    return any(UNEVEN in (campaign.detail or "") for campaign in campaigns)


def valid_runs(events: Iterable[ExecutionEvent]) -> dict[ConfigKey, list[ExecutionEvent]]:
    """Return the measured runs that are not INVALID, by configuration, in the order of their measurement."""
    runs: dict[ConfigKey, list[ExecutionEvent]] = {}
    for event in events:
        if event.is_valid:
            runs.setdefault(event.config_key, []).append(event)
    return runs
