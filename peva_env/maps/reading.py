"""Reading a node's map out of a memory, also while a campaign writes to it."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from peva_env.contracts import EndStatus, Verdict
from peva_env.frontier import MonotoneMap
from peva_env.maps.node_map import NodeMap, valid_runs
from peva_env.maps.recorded_campaigns import RecordedCampaigns
from peva_env.maps.recorded_space import recorded_space
from peva_env.memory.snapshot import reading
from peva_env.memory.store import DEFAULT_SCHEMA_VERSION
from peva_env.rate_grid import Dominance
from peva_env.space import Config, ConfigKey, ConfigSpace, config_pairs
from peva_env.verdict import majority

_RULES: tuple[Dominance, ...] = ("one_sided", "within_sets", "two_sided")
"""The weakest first."""


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
        repetition: which one; the last without it.
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
    asked = (only or frozenset()) | {name for config in configs for name, _ in config}
    with reading(memory, schema_version) as connection:
        found = RecordedCampaigns.find(connection, str(memory), context, repetition, asked)
        context_data, campaigns, events = found.context(), found.campaigns(), found.runs()
        recorded, inferred = found.recorded(), found.inferred()
    notes = list(found.notes)
    if only is not None:
        recorded = recorded.of(only)
        events = [event for event in events if only.issuperset(event.config_key[0])]
    if space is None:
        space, said = recorded_space(recorded, configs)
        notes += said
    inside = tuple(event for event in events if event.config_pairs in space)
    if len(inside) < len(events):
        notes.append(f"{len(events) - len(inside):,} runs are of configurations outside this map, and left out")
    verdicts = {key: majority(run.verdict for run in runs) for key, runs in valid_runs(inside).items()}
    counted = None if configs else recorded.counts_in(space)
    own_rule = _weakest_rule(space, verdicts, inferred)
    rule = dominance or _RULES[max(map(_RULES.index, (own_rule, at_least)))]
    known = MonotoneMap(space, dominance=rule, recorded=counted)
    known.update_all(verdicts)
    is_complete = bool(campaigns) and campaigns[-1].status == EndStatus.COMPLETE
    if is_complete and known.dominance == own_rule and known.disputed():
        known.quarantine(*known.disputed())  # what had to be was run again, or the campaign would not be complete
    return NodeMap(
        memory=str(memory),
        context_hash=found.context_hash,
        context=context_data,
        repetition=found.repetition,
        campaigns=campaigns,
        known=known,
        events=inside,
        notes=tuple(notes),
    )


def _weakest_rule(
    space: ConfigSpace, verdicts: Mapping[ConfigKey, Verdict], inferred: Mapping[ConfigKey, Verdict]
) -> Dominance:
    """Return the rule by which most of what the campaigns inferred follows: the weakest, where several are as good."""
    if not inferred:
        return _RULES[0]
    return max(_RULES[1:], key=lambda rule: _n_explained(space, rule, verdicts, inferred))


def _n_explained(
    space: ConfigSpace,
    rule: Dominance,
    verdicts: Mapping[ConfigKey, Verdict],
    inferred: Mapping[ConfigKey, Verdict],
) -> int:
    known = MonotoneMap(space, dominance=rule)
    known.update_all(verdicts)
    configs = ((config_pairs(key), verdict) for key, verdict in inferred.items())
    return sum(known.verdict(config) is verdict for config, verdict in configs if config in space)
