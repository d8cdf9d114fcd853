"""The limits of a node, from its map: what to allow, with remarks on what they rest on."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from peva_env.contracts import Verdict
from peva_env.maps.limits.box import Box, largest_box
from peva_env.maps.limits.multiples import MixLimit, largest_multiple
from peva_env.maps.limits.safe_region import SafeRegion
from peva_env.maps.node_map import NodeMap
from peva_env.space import Config, config_key, config_text


@dataclass(frozen=True, slots=True)
class SafeMix:
    """A highest OK configuration: no known OK configuration is above it. ``n_overloaded`` of its runs were not OK."""

    config: Config
    total_rps: int
    n_runs: int
    n_overloaded: int


@dataclass(frozen=True, slots=True)
class Limits:
    """The safe loads of a node.

    ``highest`` are the highest OK configurations, the highest total rate first. ``mixes`` are the multiples of the
    mixes in question. ``box`` has a limit for each function; None if no box is proved OK. ``notes`` are remarks for
    users, a line each.
    """

    highest: tuple[SafeMix, ...]
    mixes: tuple[MixLimit, ...]
    box: Box | None
    notes: tuple[str, ...]


def limits_of(
    node_map: NodeMap, mixes: Sequence[Mapping[str, float]] = (), weights: Mapping[str, float] | None = None
) -> Limits:
    """Return the limits of a node.

    Args:
        node_map: its map, of at least ``within_sets`` dominance.
        mixes: wanted mixes: the rate or the share of each function.
        weights: how much each function's limit counts in the box; 1 for each unless given.

    Raises:
        ConfigError: a mix or a weight is wrong, or nothing is inferred from OK configurations of this map.
    """
    region = SafeRegion(node_map.known)
    box = largest_box(region, weights)
    return Limits(
        highest=tuple(_highest(node_map, region)),
        mixes=tuple(largest_multiple(region, mix) for mix in mixes),
        box=box,
        notes=tuple(_notes(node_map, region, has_box=box is not None)),
    )


def _highest(node_map: NodeMap, region: SafeRegion) -> list[SafeMix]:
    mixes = []
    for config in region.ok:
        runs = node_map.runs[config_key(config)]
        n_overloaded = sum(run.verdict is Verdict.OVERLOADED for run in runs)
        mixes.append(SafeMix(config, sum(rate for _, rate in config), len(runs), n_overloaded))
    return sorted(mixes, key=lambda mix: -mix.total_rps)


def _notes(node_map: NodeMap, region: SafeRegion, *, has_box: bool) -> Iterator[str]:
    """Yield remarks on what the limits rest on."""
    known = node_map.known
    if not region.ok:
        yield "nothing is proved OK, so no load is known to be safe: measure lower rates"
    elif not region.overloaded:
        yield "nothing is proved overloaded: all limits are lower bounds; higher rates were not measured"
    if region.ok and not has_box:
        yield (
            "no limit of a function holds whatever the others do, since none is proved OK while the others are not "
            "called; two_sided dominance takes an absent function for one at rate 0"
        )
    if known.n_unknown:
        yield f"unknown configurations, which are never taken to be safe: {known.n_unknown:,} of {known.n_configs:,}"
    disputed = [one for one in known.disputes() if one.state != "settled"]
    if disputed:
        pairs = f"{config_text(disputed[0].ok)} was OK, {config_text(disputed[0].overloaded)} was not"
        yield f"measurements that contradict each other, from which no limit follows: {len(disputed):,} pairs ({pairs})"
    if node_map.n_suspect:
        yield f"runs that became suspect, from which no limit follows: {node_map.n_suspect:,}"
