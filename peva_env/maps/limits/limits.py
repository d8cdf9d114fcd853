"""The limits of a node, from its map: what to allow, with remarks on what they rest on."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from peva_env.contracts import Verdict
from peva_env.maps.limits.box import Box, largest_box
from peva_env.maps.limits.multiples import MixLimit, largest_multiple
from peva_env.maps.limits.safe_region import SafeRegion
from peva_env.maps.node_map import NodeMap
from peva_env.space import Config, ConfigKey, config_key, config_text


@dataclass(frozen=True, slots=True)
class SafeMix:
    """A highest OK configuration: no known OK configuration is above it. ``n_overloaded`` of its runs were not OK."""

    config: Config
    total_rps: int
    n_runs: int
    n_overloaded: int
    confidence: float | None
    """How sure its verdict is, 0..1: see ``peva_env.rules.evidence``; None if its runs have no margins."""


@dataclass(frozen=True, slots=True)
class Limits:
    """The safe loads of a node.

    ``highest`` are the highest OK configurations, the highest total rate first. ``mixes`` are the multiples of the
    mixes in question. ``box`` has a limit for each function; None if no box is proved OK. ``confidences`` say how sure
    the verdicts are that prove the mixes and the box, where their runs have margins. ``notes`` are remarks for users, a
    line each.
    """

    highest: tuple[SafeMix, ...]
    mixes: tuple[MixLimit, ...]
    box: Box | None
    confidences: Mapping[ConfigKey, float]
    notes: tuple[str, ...]

    def confidence(self, proofs: Iterable[Config | None]) -> float | None:
        """Return how sure the least sure of some proofs is, 0..1; None if none of them tells."""
        told = (self.confidences.get(config_key(config)) for config in proofs if config)
        return min((confidence for confidence in told if confidence is not None), default=None)


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
    multiples = tuple(largest_multiple(region, mix) for mix in mixes)
    proofs = [config for one in multiples for config in (one.proved_by, one.overloaded_by) if config]
    return Limits(
        highest=tuple(_highest(node_map, region)),
        mixes=multiples,
        box=box,
        confidences=dict(_confidences(node_map, [*proofs, *(box.proved_by if box else ())])),
        notes=(*_notes(node_map, region, has_box=box is not None), *_doubts(node_map, region)),
    )


def _highest(node_map: NodeMap, region: SafeRegion) -> list[SafeMix]:
    mixes = []
    for config in region.ok:
        runs = node_map.runs[config_key(config)]
        n_overloaded = sum(run.verdict is Verdict.OVERLOADED for run in runs)
        total_rps = sum(rate for _, rate in config)
        mixes.append(SafeMix(config, total_rps, len(runs), n_overloaded, node_map.confidence(config)))
    return sorted(mixes, key=lambda mix: -mix.total_rps)


def _confidences(node_map: NodeMap, proofs: Iterable[Config]) -> Iterator[tuple[ConfigKey, float]]:
    for config in proofs:
        confidence = node_map.confidence(config)
        if confidence is not None:
            yield config_key(config), confidence


def _doubts(node_map: NodeMap, region: SafeRegion) -> Iterator[str]:
    """Yield a remark on highest mixes whose majority is OK, while the margins of their runs speak against it."""
    confidences = {config_text(config): node_map.confidence(config) for config in region.ok}
    doubtful = [mix for mix, confidence in confidences.items() if confidence is not None and confidence < 1 / 2]
    if doubtful:
        yield (
            f"the margins speak against these mixes, though most of their runs were OK: {', '.join(doubtful)}; "
            "the campaign's command with --confirm 0.95 runs them again"
        )


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
