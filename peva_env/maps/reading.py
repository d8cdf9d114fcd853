"""Reading a node's map from a memory, also while a campaign writes to it."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypedDict, Unpack

import duckdb
import numpy as np
from numpy.typing import NDArray

from peva_env.config import AskedRules
from peva_env.contracts import ExecutionEvent
from peva_env.errors import ConfigError
from peva_env.maps.judging import judge_runs
from peva_env.maps.map_of_runs import DOMINANCE_RULES, RunsByConfig, map_of_runs, weakest_dominance
from peva_env.maps.node_map import CampaignRecord, NodeMap, are_complete, are_uneven, valid_runs
from peva_env.maps.recorded_campaigns import RecordedCampaigns
from peva_env.maps.recorded_space import recorded_space
from peva_env.memory import DEFAULT_SCHEMA_VERSION, SessionRules, reading, scouted_steps, session_rules, show_as_read
from peva_env.rules import IN_DOUBT, is_in_doubt
from peva_env.space import Config, ConfigSpace, Dominance

_SEVERAL = 2


@dataclass(frozen=True, slots=True)
class StoredMap:
    """What a memory holds of one context and repetition. ``judged`` makes the map of it under some rules.

    ``runs`` are the measured runs and ``canaries`` the canaries, with the verdicts of their time, but suspect runs are
    INVALID. ``scouted`` are the steps of the scouting that decided the rates. ``counted`` (N,) are the configurations
    that count. ``campaign_dominance`` is the weakest rule that explains what the campaigns inferred.
    """

    memory: str
    context_hash: str
    context: Mapping[str, Any]
    repetition: int
    campaigns: tuple[CampaignRecord, ...]
    sessions: Mapping[str, SessionRules]
    runs: Sequence[ExecutionEvent]
    canaries: Sequence[ExecutionEvent]
    space: ConfigSpace
    counted: NDArray[np.bool_] | None
    dominance: Dominance
    notes: tuple[str, ...]
    scouted: Sequence[ExecutionEvent] = ()
    campaign_dominance: Dominance | None = None

    def judged(self, rules: AskedRules = None) -> NodeMap:
        """Return the map under some rules; those of the last campaign, unless others are given.

        Raises:
            ConfigError: a rule is wrong.
        """
        judged = judge_runs(self.runs, self.context, self.sessions, rules)
        inside = tuple(event for event in judged.runs if event.config_pairs in self.space)
        runs = valid_runs(inside)
        notes = _completeness_notes(len(judged.runs) - len(inside), runs, self.campaigns)
        return NodeMap(
            memory=self.memory,
            context_hash=self.context_hash,
            context=judged.context,
            repetition=self.repetition,
            campaigns=self.campaigns,
            known=map_of_runs(self.space, runs, self.dominance, self.counted, is_uneven=are_uneven(self.campaigns)),
            events=inside,
            canaries=tuple(self.canaries),
            scouted=tuple(self.scouted),
            campaign_dominance=self.campaign_dominance,
            notes=(*self.notes, *judged.notes, *notes),
        )


class Choice(TypedDict, total=False):
    """Which map of a memory is read.

    Attributes:
        context: name of a node, or hash of a context or a prefix of one; None for the context measured last that has
            all functions in question.
        repetition: its number; None for the last that has these functions.
        functions: the functions of the map; None for all recorded ones.
        configs: configurations that the map must include, whether they were measured or not.
        space: the plan, if it is known.
        dominance: how verdicts are inferred; None for the weakest rule, not weaker than ``at_least``, that explains
            what the campaigns inferred.
        at_least: the weakest rule allowed without ``dominance``; ``one_sided`` by default.
        finer: whether the map includes the finer rates of a refinement, if there was one; so by default.
        rechecks: whether a re-check can be the repetition that was measured last; so by default.
    """

    context: str | None
    repetition: int | None
    functions: Iterable[str] | None
    configs: Sequence[Config]
    space: ConfigSpace | None
    dominance: Dominance | None
    at_least: Dominance
    finer: bool
    rechecks: bool


def read_map(
    memory: str | Path,
    *,
    rules: AskedRules = None,
    schema_version: str = DEFAULT_SCHEMA_VERSION,
    **choice: Unpack[Choice],
) -> NodeMap:
    """Return the map of a node from a memory.

    The overload rules of the last campaign judge all runs; those of campaigns with other rules are judged anew.

    Args:
        memory: the DuckDB file; a campaign may be running on it.
        rules: overload rules to judge by instead, or keys of the section ``overload`` that differ from the rules of the
            last campaign, such as ``{"p95_ms_max": 200}``.
        schema_version: the label that the memory carries.
        choice: which map, see ``Choice``.

    Raises:
        ConfigError: a rule is wrong; and as ``read_stored``.
    """
    return read_stored(memory, schema_version=schema_version, **choice).judged(rules)


def read_fleet(
    memory: str | Path,
    *,
    rules: AskedRules = None,
    functions: Iterable[str] | None = None,
    dominance: Dominance | None = None,
    finer: bool = True,
    schema_version: str = DEFAULT_SCHEMA_VERSION,
) -> dict[str, NodeMap]:
    """Return the maps of the nodes of a memory, by name; empty unless it has several nodes with these functions.

    The arguments are those of ``read_map``; of each node, the context and repetition measured last count.

    Raises:
        ConfigError: a rule is wrong, or a map is too large to list.
        MemoryStoreError: there is no such file, or it is not a memory.
        SchemaMismatchError: it is of another schema version.
    """
    asked = frozenset(functions or ())
    with reading(memory, schema_version) as connection:
        show_as_read(connection)
        names = RecordedCampaigns.nodes(connection, asked)
        if len(names) < _SEVERAL:
            return {}
        stored = {
            name: _stored(connection, memory, context=name, functions=functions, dominance=dominance, finer=finer)
            for name in names
        }
    return {name: one.judged(rules) for name, one in stored.items()}


def read_stored(
    memory: str | Path, *, schema_version: str = DEFAULT_SCHEMA_VERSION, **choice: Unpack[Choice]
) -> StoredMap:
    """Return what a memory holds of a node, to be judged by any rules.

    A memory does not hold the plans of its campaigns. Without ``space`` the map spans all recorded rates and numbers of
    functions; sets of functions without a record do not count in it.

    Args:
        memory: the DuckDB file; a campaign may be running on it.
        schema_version: the label that the memory carries.
        choice: which map, see ``Choice``.

    Raises:
        ConfigError: the memory has no such context, repetition or functions; the message names those that it has.
        MemoryStoreError: there is no such file, or it is not a memory.
        SchemaMismatchError: it is of another schema version.
    """
    with reading(memory, schema_version) as connection:
        show_as_read(connection)
        return _stored(connection, memory, **choice)


def _stored(
    connection: duckdb.DuckDBPyConnection,
    memory: str | Path,
    *,
    context: str | None = None,
    repetition: int | None = None,
    functions: Iterable[str] | None = None,
    configs: Sequence[Config] = (),
    space: ConfigSpace | None = None,
    dominance: Dominance | None = None,
    at_least: Dominance = "one_sided",
    finer: bool = True,
    rechecks: bool = True,
) -> StoredMap:
    only = None if functions is None else frozenset(functions)
    if only == frozenset() or [] in configs:
        raise ConfigError("a map needs at least one function, and so does a configuration in question")
    asked = (only or frozenset()) | {name for config in configs for name, _ in config}
    found = RecordedCampaigns.find(connection, str(memory), context, repetition, asked, rechecks=rechecks)
    context_data, campaigns, runs, canaries = found.context(), found.campaigns(), found.runs(), found.canaries()
    recorded, inferred = found.recorded(only), found.inferred()
    recorded = recorded if finer else recorded.of_plan()
    configs = [recorded.loaded(config) for config in configs]
    notes = list(found.notes)
    counts_all = bool(configs) or space is not None
    if space is None:
        space, space_notes = recorded_space(recorded, configs)
        notes += space_notes
    runs = [event for event in runs if only is None or only.issuperset(event.config_key[0])]
    then = valid_runs(event for event in runs if event.config_pairs in space)
    of_campaign = weakest_dominance(space, then, inferred)
    weakest = max(of_campaign, at_least, key=DOMINANCE_RULES.index)
    return StoredMap(
        memory=str(memory),
        context_hash=found.context_hash,
        context=context_data,
        repetition=found.repetition,
        campaigns=campaigns,
        sessions=session_rules(connection),
        runs=runs,
        canaries=canaries,
        scouted=scouted_steps(connection, found.context_hash),
        campaign_dominance=of_campaign,
        space=space,
        counted=None if counts_all or not space.is_dense else recorded.counts_in(space),
        dominance=dominance or weakest,
        notes=tuple(notes),
    )


def _completeness_notes(n_outside: int, runs: RunsByConfig, campaigns: Sequence[CampaignRecord]) -> Iterator[str]:
    """Yield notes on runs that are left out, and on verdicts that are in doubt or may still change."""
    if n_outside:
        yield f"runs of configurations outside this map, which are left out: {n_outside:,}"
    n_doubted = sum(any(map(is_in_doubt, of_one)) for of_one in runs.values())
    if n_doubted:
        yield f"configurations with overloaded runs that other programs may have caused ({IN_DOUBT}...): {n_doubted:,}"
    counts = Counter(map(len, runs.values()))
    usual = max(counts, key=lambda n: (counts[n], n), default=0)  # the most common number
    n_fewer = sum(n_configs for n, n_configs in counts.items() if n < usual)
    if n_fewer and not are_complete(campaigns):
        yield f"configurations with fewer than the usual {usual} valid runs, whose verdict may change: {n_fewer:,}"
