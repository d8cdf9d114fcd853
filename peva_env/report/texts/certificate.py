"""The highest OK loads, the certificate and the contradictions of a map, as texts of a report."""

from collections.abc import Iterator, Sequence

from peva_env.inference import Dispute, MonotoneMap
from peva_env.maps import LEVEL, WHY_ADDING_HELPS, NodeMap, added_functions
from peva_env.report.texts.formats import confidence_text, count_text, load_text
from peva_env.report.texts.summary import scope_text
from peva_env.space import Config, config_key

_MAX_GROUPED = 20_000
"""Largest number of unknown configurations for which the runs left are computed; ten times as many take minutes."""

MAX_HIGHEST = 5
"""Largest number of highest OK loads in the summary."""


def highest_ok(node_map: NodeMap) -> Sequence[Config]:
    """Return the maximal OK configurations, ordered by number of functions and then by total rate, highest first."""
    _, ok = node_map.known.frontier()
    return sorted(ok, key=lambda config: (-len(config), -sum(rate for _, rate in config)))


def load_to_plan_with(node_map: NodeMap) -> Config | None:
    """Return the first of ``highest_ok`` that is no mix with a helping function, and whose verdict is sure; None: none.

    A mix that the node bears only because it has a further function would mislead whoever plans with it. Such a mix, or
    one whose verdict is not sure, is returned if there is no other of as many functions.
    """
    highest = highest_ok(node_map)
    helped = {config_key(one.ok) for one in added_functions(node_map.known)}
    plain = [config for config in highest if config_key(config) not in helped] or highest
    surest_first = sorted(plain, key=lambda config: (-len(config), not is_sure(node_map.confidence(config))))
    return next(iter(surest_first), None)


def is_sure(confidence: float | None) -> bool:
    """Return whether a verdict is sure enough to be said without a reservation; so is one without a confidence."""
    return confidence is None or confidence >= LEVEL


def certificate_text(node_map: NodeMap) -> str:
    """Say which measured configurations prove the map, and how many are left to measure."""
    known = node_map.known
    overloaded, ok = known.frontier()
    lowest, highest = f"the lowest overloaded ({len(overloaded):,})", f"the highest that are OK ({len(ok):,})"
    n_alone = len(known.quarantined())
    alone = f", except {n_alone:,} measured configurations that contradict each other" if n_alone else ""
    if known.dominance == "one_sided":
        measured = f"Nothing is inferred OK: each was measured, see {highest}."
        said = f"Everything overloaded follows from {lowest}{alone}. {measured}"
    else:
        n_known = count_text(known.n_configs - known.n_unknown, "configuration")
        said = f"Everything known, {n_known}, follows from {lowest} and {highest}{alone}."
    return " ".join([said, *_least_sure(node_map), _left(known, scope_text(node_map))])


def _least_sure(node_map: NodeMap) -> Iterator[str]:
    """Say how sure the verdicts of the certificate are, if there is one."""
    overloaded, ok = node_map.known.frontier()
    told = ((node_map.evidence[config_key(config)], config) for config in (*overloaded, *ok))
    proofs = [(evidence.confidence, config) for evidence, config in told if evidence.margin is not None]
    if proofs:
        confidence, config = min(proofs)
        least = f"the least sure is that of {load_text(config)}"
        yield f"Each of these verdicts is at least {confidence_text(confidence)} sure; {least}."


def _left(known: MonotoneMap, scope: str) -> str:
    if not known.n_unknown:
        return f"Nothing{scope} is left to measure."
    if known.n_unknown > _MAX_GROUPED:
        return f"{known.n_unknown:,} are unknown, too many to compute a lower bound on the runs left."
    least = count_text(known.certificate().least_runs_left, "more configuration")
    return f"At least {least} must be measured to know the rest{scope}."


def contradictions_text(node_map: NodeMap, disputes: Sequence[Dispute]) -> str:
    """Say how many contradictions were found, and how they are treated."""
    is_within = node_map.known.dominance != "two_sided"
    if disputes:
        said = (
            f"{count_text(len(disputes), 'pair')} of configurations of which the higher one was OK and the lower one "
            "OVERLOADED. Nothing is inferred from either until a repeated measurement changes one of the verdicts."
        )
    else:
        same = " of the same functions" if is_within else ""
        said = f"None: no OK configuration lies above an overloaded one{same}."
    return f"{said} {_across_sets(node_map)}" if is_within else said


def quarantine_text(node_map: NodeMap) -> str:
    """Say how many configurations of the map are drawn with a verdict that another measurement contradicts."""
    n_apart = len(node_map.known.quarantined())
    return (
        f"{n_apart:,} measured configurations contradict each other after they were measured again: each has its own "
        "verdict on the map, and nothing is inferred from it."
        if n_apart
        else ""
    )


def _across_sets(node_map: NodeMap) -> str:
    """Say how many OK configurations lie above an overloaded configuration of fewer functions."""
    only = "Only configurations of the same functions are compared."
    return " ".join([only, *added_functions_text(node_map)])


def added_functions_text(node_map: NodeMap) -> Iterator[str]:
    """Say how many OK configurations lie above an overloaded one of fewer functions, name one, and say why."""
    found = added_functions(node_map.known)
    if found:
        ok, overloaded = min(found, key=lambda one: (len(one.ok), one))
        n = count_text(len(found), "measured configuration")
        yield (
            f"{n} {'is' if len(found) == 1 else 'are'} OK although fewer functions at no higher rates are overloaded, "
            f"such as {load_text(ok)} above {load_text(overloaded)}: {WHY_ADDING_HELPS}. This is no contradiction."
        )
