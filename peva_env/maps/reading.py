"""Reading a node's map from a memory, also while a campaign writes to it."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from peva_env.config import AskedRules
from peva_env.errors import ConfigError
from peva_env.maps.judging import judge_runs
from peva_env.maps.map_of_runs import DOMINANCE_RULES, RunsByConfig, map_of_runs, weakest_dominance
from peva_env.maps.node_map import CampaignRecord, NodeMap, are_complete, valid_runs
from peva_env.maps.recorded_campaigns import RecordedCampaigns
from peva_env.maps.recorded_space import recorded_space
from peva_env.memory import DEFAULT_SCHEMA_VERSION, derive_hashes, reading, session_rules
from peva_env.space import Config, ConfigSpace, Dominance


def read_map(
    memory: str | Path,
    *,
    context: str | None = None,
    repetition: int | None = None,
    functions: Iterable[str] | None = None,
    configs: Sequence[Config] = (),
    space: ConfigSpace | None = None,
    dominance: Dominance | None = None,
    at_least: Dominance = "one_sided",
    rules: AskedRules = None,
    schema_version: str = DEFAULT_SCHEMA_VERSION,
) -> NodeMap:
    """Return the map of a node from a memory.

    The overload rules of the last campaign judge all runs; those of campaigns with other rules are judged anew.

    A memory does not hold the plans of its campaigns. Without ``space`` the map spans all recorded rates and numbers of
    functions; sets of functions without a record do not count in it.

    Args:
        memory: the DuckDB file; a campaign may be running on it.
        context: hash of the context, or a prefix of it; None for the context measured last that has all functions in
            question.
        repetition: its number; None for the last that has these functions.
        functions: the functions of the map; None for all recorded ones.
        configs: configurations that the map must include, whether they were measured or not.
        space: the plan, if it is known.
        dominance: how verdicts are inferred; None for the weakest rule, not weaker than ``at_least``, that explains
            what the campaigns inferred.
        at_least: the weakest rule allowed without ``dominance``.
        rules: overload rules to judge by instead, or keys of the section ``overload`` that differ from the rules of the
            last campaign, such as ``{"p95_ms_max": 200}``.
        schema_version: the label that the memory carries.

    Raises:
        ConfigError: the memory has no such context, repetition or functions; the message names those that it has. Or a
            rule is wrong.
        MemoryStoreError: there is no such file, or it is not a memory.
        SchemaMismatchError: it is of another schema version.
    """
    only = None if functions is None else frozenset(functions)
    if only == frozenset() or [] in configs:
        raise ConfigError("a map needs at least one function, and so does a configuration in question")
    asked = (only or frozenset()) | {name for config in configs for name, _ in config}
    with reading(memory, schema_version) as connection:
        derive_hashes(connection)
        found = RecordedCampaigns.find(connection, str(memory), context, repetition, asked)
        campaigns, stored = found.campaigns(), found.runs()
        recorded, inferred = found.recorded(only), found.inferred()
        judged = judge_runs(stored, found.context(), session_rules(connection), rules)
    configs = [recorded.loaded(config) for config in configs]
    notes = [*found.notes, *judged.notes]
    counts_all = bool(configs) or space is not None
    if space is None:
        space, space_notes = recorded_space(recorded, configs)
        notes += space_notes
    wanted = [event for event in judged.runs if only is None or only.issuperset(event.config_key[0])]
    inside = tuple(event for event in wanted if event.config_pairs in space)
    runs = valid_runs(inside)
    then = valid_runs(event for event in stored if event.config_pairs in space)  # as they were when OK was inferred
    weakest = max(weakest_dominance(space, then, inferred), at_least, key=DOMINANCE_RULES.index)
    counted = None if counts_all or not space.is_dense else recorded.counts_in(space)
    return NodeMap(
        memory=str(memory),
        context_hash=found.context_hash,
        context=judged.context,
        repetition=found.repetition,
        campaigns=campaigns,
        known=map_of_runs(space, runs, dominance or weakest, counted),
        events=inside,
        notes=(*notes, *_completeness_notes(len(wanted) - len(inside), runs, campaigns)),
    )


def _completeness_notes(n_outside: int, runs: RunsByConfig, campaigns: Sequence[CampaignRecord]) -> Iterator[str]:
    """Yield notes on runs that are left out and on verdicts that may still change."""
    if n_outside:
        yield f"runs of configurations outside this map, which are left out: {n_outside:,}"
    counts = Counter(map(len, runs.values()))
    usual = max(counts, key=lambda n: (counts[n], n), default=0)  # the most common number
    n_fewer = sum(n_configs for n, n_configs in counts.items() if n < usual)
    if n_fewer and not are_complete(campaigns):
        yield f"configurations with fewer than the usual {usual} valid runs, whose verdict may change: {n_fewer:,}"
