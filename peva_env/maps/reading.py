"""Reading a node's map out of a memory, also while a campaign writes to it."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from peva_env.errors import ConfigError
from peva_env.inference import is_dense
from peva_env.maps.map_of_runs import RULES, Runs, infer, weakest_rule
from peva_env.maps.node_map import CampaignRecord, NodeMap, are_complete, valid_runs
from peva_env.maps.recorded_campaigns import RecordedCampaigns
from peva_env.maps.recorded_space import recorded_space
from peva_env.memory import DEFAULT_SCHEMA_VERSION, reading
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
    schema_version: str = DEFAULT_SCHEMA_VERSION,
) -> NodeMap:
    """Return what a memory knows of a node.

    A memory does not hold the plans of its campaigns. Without ``space`` the map is that of all rates and numbers of
    functions that were recorded; sets of functions of which nothing was recorded do not count in it.

    Args:
        memory: the DuckDB file; a campaign may be running on it.
        context: hash of the context, or how it begins; without it the one that was measured last, of those that have
            all the functions in question.
        repetition: which one; without it the last that has these functions.
        functions: only these; all that were recorded without.
        configs: configurations that the map shall have, whether they were measured or not.
        space: the plan, where it is known.
        dominance: how verdicts are inferred; without it by the weakest rule that explains what the campaigns inferred,
            of those that are as strong as ``at_least``.
        at_least: the weakest rule of all, without ``dominance``.
        schema_version: the label that the memory carries.

    Raises:
        ConfigError: the memory holds nothing of what was asked for; what it does hold.
        MemoryStoreError: there is no such file, or it is not a memory.
        SchemaMismatchError: it is of another schema version.
    """
    only = None if functions is None else frozenset(functions)
    if only == frozenset() or [] in configs:
        raise ConfigError("a map needs at least one function, and so does a configuration in question")
    asked = (only or frozenset()) | {name for config in configs for name, _ in config}
    with reading(memory, schema_version) as connection:
        found = RecordedCampaigns.find(connection, str(memory), context, repetition, asked)
        context_data, campaigns, events = found.context(), found.campaigns(), found.runs()
        recorded, inferred = found.recorded(only), found.inferred()
    configs = [recorded.loaded(config) for config in configs]
    notes = list(found.notes)
    counts_all = bool(configs) or space is not None
    if space is None:
        space, said = recorded_space(recorded, configs)
        notes += said
    wanted = [event for event in events if only is None or only.issuperset(event.config_key[0])]
    inside = tuple(event for event in wanted if event.config_pairs in space)
    runs = valid_runs(inside)
    rule = dominance or RULES[max(map(RULES.index, (weakest_rule(space, runs, inferred), at_least)))]
    counted = None if counts_all or not is_dense(space) else recorded.counts_in(space)
    return NodeMap(
        memory=str(memory),
        context_hash=found.context_hash,
        context=context_data,
        repetition=found.repetition,
        campaigns=campaigns,
        known=infer(space, runs, rule, counted),
        events=inside,
        notes=(*notes, *_what_is_short(len(wanted) - len(inside), runs, campaigns)),
    )


def _what_is_short(n_outside: int, runs: Runs, campaigns: Sequence[CampaignRecord]) -> Iterator[str]:
    """Say what is left out, and what may still change."""
    if n_outside:
        yield f"runs of configurations outside this map, which are left out: {n_outside:,}"
    counts = Counter(map(len, runs.values()))
    usual = max(counts, key=lambda n: (counts[n], n), default=0)  # the most common number
    n_fewer = sum(n_configs for n, n_configs in counts.items() if n < usual)
    if n_fewer and not are_complete(campaigns):
        yield f"configurations with fewer than the usual {usual} valid runs, whose verdict may change: {n_fewer:,}"
