"""What a report says of what is proved: the highest loads that are OK, the certificate, and contradictions."""

from collections.abc import Mapping, Sequence

from peva_env.contracts import Verdict
from peva_env.inference import Dispute, MonotoneMap
from peva_env.maps import NodeMap
from peva_env.report.texts.formats import count_text
from peva_env.report.texts.summary import so_far
from peva_env.space import Config, config_pairs

_MAX_GROUPED = 20_000
"""Unknown configurations that are sorted into groups, which takes a second; ten times as many take minutes."""

MAX_HIGHEST = 5
"""Highest loads that are OK which the summary names."""


def highest_ok(node_map: NodeMap) -> Sequence[Config]:
    """Return the highest configurations that are OK: of most functions first, and of these those of most load."""
    _, ok = node_map.known.frontier()
    return sorted(ok, key=lambda config: (-len(config), -sum(rate for _, rate in config)))


def proved(node_map: NodeMap) -> str:
    """Say what proves the map, and what is left."""
    known = node_map.known
    overloaded, ok = known.frontier()
    lowest, highest = f"the lowest overloaded ({len(overloaded):,})", f"the highest that are OK ({len(ok):,})"
    if known.dominance == "one_sided":
        said = f"All that is overloaded follows from {lowest}. What is OK was measured, each for itself: see {highest}."
    else:
        n_alone = len(known.quarantined())
        alone = f", but {n_alone:,} that were measured and contradict each other: these stand for themselves"
        n_known = count_text(known.n_configs - known.n_unknown, "configuration")
        said = f"All that is known, of {n_known}, follows from {lowest} and {highest}{alone if n_alone else ''}."
    return f"{said} {_left(known, so_far(node_map))}"


def _left(known: MonotoneMap, so_far: str) -> str:
    if not known.n_unknown:
        return f"Nothing{so_far} is left to measure."
    if known.n_unknown > _MAX_GROUPED:
        return f"{known.n_unknown:,} are unknown, too many to work out how many runs are needed at least to know them."
    least = count_text(known.certificate().least_runs_left, "more configuration")
    return f"At least {least} must be measured to know the rest{so_far}."


def contradicted(node_map: NodeMap, disputes: Sequence[Dispute]) -> str:
    """Say how many contradictions were found, and what becomes of them."""
    if node_map.known.dominance == "one_sided":
        said = "None are looked for: where inference goes upwards only, what was measured outranks what is inferred."
        return f"{said} {_across_sets(node_map)}"
    is_within = node_map.known.dominance == "within_sets"
    if disputes:
        said = (
            f"{count_text(len(disputes), 'pair')} of configurations of which the higher one was OK and the lower one "
            "OVERLOADED. Nothing is inferred from either until one is measured again and turns out otherwise."
        )
    else:
        same = " of the same functions" if is_within else ""
        said = f"None: no configuration was OK that lies above an overloaded one{same}."
    return f"{said} {_across_sets(node_map)}" if is_within else said


def _across_sets(node_map: NodeMap) -> str:
    """Say how many configurations are OK although fewer functions were overloaded under no more load."""
    known = node_map.known
    lowest = [dict(config) for config in known.frontier()[0]]
    measured = (config_pairs(key) for key, verdict in known.measured.items() if verdict is Verdict.OK)
    n_above = sum(any(_has_more_functions(dict(config), one) for one in lowest) for config in measured)
    only = "Only configurations of the same functions are compared."
    if not n_above:
        return only
    return (
        f"{only} {count_text(n_above, 'measured configuration')} that {'is' if n_above == 1 else 'are'} OK would lie "
        "above an overloaded one of fewer functions: a function that does well raises the mean success, so that is no "
        "contradiction."
    )


def _has_more_functions(high: Mapping[str, int], low: Mapping[str, int]) -> bool:
    """Tell whether one configuration loads all functions of another one at least as much, and others beside."""
    return len(high) > len(low) and all(high.get(name, -1) >= rate for name, rate in low.items())
