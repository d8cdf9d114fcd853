"""The summary of a report: the campaign's settings, the counts of its map, and what its runs cost."""

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from peva_env.config import LATENCIES, limit_text
from peva_env.contracts import Verdict, ending_text
from peva_env.inference import Cell, cell_codes
from peva_env.maps import NodeMap
from peva_env.report.texts.formats import Entry, count_text, isolated, span_text
from peva_env.system import moment_text

_RULES = {
    "success_rate_function_min": ("success of a function under {:g} %", 100),
    "replicas_overload_threshold": ("{:g} replicas of a function, or more", 1),
    "success_rate_node_min": ("mean success under {:g} %", 100),
    "cpu_overload_pct_of_capacity": ("CPU over {:g} %", 1),
    "ram_overload_pct": ("RAM over {:g} %", 1),
    **{f"{name}_max": (f"{name.removesuffix('_ms')} latency of a function over {{:g}} ms", 1) for name in LATENCIES},
}
"""The text of each limit, and the factor from its configured value to the number in the text."""

_DOMINANCE = {
    "one_sided": "overloaded, if an overloaded configuration of the same functions has no higher rate of any",
    "within_sets": "overloaded, if an overloaded configuration of the same functions has no higher rate of any; "
    "OK, if an OK configuration of the same functions has no lower rate of any",
    "two_sided": "overloaded, if an overloaded configuration has no higher rate of any function; OK, if an OK "
    "configuration has no lower rate of any function; a function that is not loaded counts as 0 rps",
}


def scope_text(node_map: NodeMap) -> str:
    """Return the restriction that each count needs if the map has no plan and its campaign may go on."""
    is_plan = node_map.known.recorded is None
    return "" if is_plan or node_map.is_complete else " of what was recorded so far"


def campaign_settings(node_map: NodeMap) -> Iterator[Entry]:
    """Yield the node, its functions and rates, the number of runs, the rules, the dominance and the agents."""
    space, context = node_map.known.space, node_map.context
    yield "node", node_map.node
    for name, rates in zip(space.functions, space.rates_rps, strict=True):
        span = f"{rates[0]:,} to {rates[-1]:,} rps, {len(rates):,} rates" if len(rates) > 1 else f"{rates[0]:,} rps"
        yield f"function {isolated(name)}", span
    least, most = space.min_functions, space.max_functions - 1
    at_once = f"{least} to {most} functions" if least < most else count_text(least, "function")
    yield "configurations", f"{node_map.known.n_configs:,}{scope_text(node_map)}, of {at_once} at once"
    yield from _run(node_map, context)
    rules = _rules(context.get("overload"))
    if rules:
        yield "overloaded is", rules
    yield "inferred", _DOMINANCE[node_map.known.dominance]
    agents = dict.fromkeys(campaign.agent for campaign in node_map.campaigns if campaign.agent)
    yield "agent", ", ".join(agents) or "none recorded"
    for campaign in node_map.campaigns[-1:]:
        yield "ended", ending_text(campaign.status, campaign.detail)


def map_counts(node_map: NodeMap) -> Iterator[Entry]:
    """Yield the number of configurations in each state."""
    n_of = Counter(map(Cell, cell_codes(node_map.known, node_map.begun).tolist()))
    for verdict, measured in ((Verdict.OK, Cell.OK_MEASURED), (Verdict.OVERLOADED, Cell.OVERLOADED_MEASURED)):
        inferred = n_of[Cell(measured + 1)]
        n = n_of[measured] + inferred
        yield str(verdict), f"{n:,}: {n_of[measured]:,} measured, {inferred:,} inferred"
    if n_of[Cell.INCOMPLETE]:
        yield "incomplete", f"{n_of[Cell.INCOMPLETE]:,}: run, but too few valid runs for a verdict"
    yield "unknown", f"{n_of[Cell.UNKNOWN]:,}{scope_text(node_map)}"
    if n_of[Cell.CONTRADICTED]:
        yield (
            "contradicted",
            f"{n_of[Cell.CONTRADICTED]:,}: measured runs contradict each other, so these count as unknown",
        )
    if any(len(own) > 1 for own in node_map.runs.values()):
        yield "split votes", _split(node_map)


def _split(node_map: NodeMap) -> str:
    """Return how many configurations have runs that disagree, and with which votes they were decided."""
    n_measured = count_text(len(node_map.runs), "measured configuration")
    votes = (Counter(run.verdict for run in own).values() for own in node_map.runs.values())
    splits = Counter(tuple(sorted(counts, reverse=True)) for counts in votes if len(counts) > 1)
    if not splits:
        return f"none of {n_measured}"
    kinds = [(n, f"by {most} to {least}") for (most, least), n in splits.most_common()]
    how = kinds[0][1] if len(kinds) == 1 else ", ".join(f"{n:,} {text}" for n, text in kinds)
    return f"{sum(splits.values()):,} of {n_measured}, {how}"


def run_costs(node_map: NodeMap) -> Iterator[Entry]:
    """Yield the number of runs and canaries, their machine time and when they were made."""
    n_invalid = sum(event.verdict is Verdict.INVALID for event in node_map.events)
    invalid = f", {n_invalid:,} of them INVALID, which do not count" if n_invalid else ""
    yield "runs", f"{len(node_map.events):,}{invalid}"
    yield "machine time", span_text(node_map.cost_s)
    if node_map.canaries:
        n_failed = sum(event.verdict is Verdict.OVERLOADED for event in node_map.canaries)
        took = span_text(sum(event.cost_s for event in node_map.canaries))
        suspect = count_text(node_map.n_suspect, "run")
        yield "canaries", f"{len(node_map.canaries):,}, in {took}: {n_failed:,} OVERLOADED; {suspect} became suspect"
    if node_map.events:
        first, last = node_map.events[0].started_at, max(event.ended_at for event in node_map.events)
        yield "first to last run", f"{moment_text(first)} to {moment_text(last)} ({span_text(last - first)})"


def _run(node_map: NodeMap, context: Mapping[str, Any]) -> Iterator[Entry]:
    counts = [len(own) for own in node_map.runs.values()] or [0]
    fewest, most = min(counts), max(counts)
    if most > 1:
        number = f"{fewest} to {most}" if fewest < most else str(most)
        repeated = f"{number} of each configuration, the majority decides"
    else:
        repeated = "one of each configuration" if most else "none that is valid"
    durations = {"load": context.get("duration_s"), "timeout of a request": context.get("timeout_s")}
    said = [f"{value:g} s {name}" for name, value in durations.items() if isinstance(value, int | float)]
    yield "runs", "; ".join([repeated, *said])


def _rules(overload: Any) -> str:
    if not isinstance(overload, Mapping):
        return ""
    limits = ((text, overload.get(name)) for name, text in _RULES.items())
    said = [text.format(scale * limit) for (text, scale), limit in limits if isinstance(limit, int | float)]
    backlog = ["a queue of a function that grows during a run"] if overload.get("backlog", True) else []
    return "; ".join([*said, *backlog, *_function_rules(overload.get("functions"))])


def _function_rules(functions: Any) -> Iterator[str]:
    """Yield the rules of single functions, as they stand in the configuration."""
    for name, rules in functions.items() if isinstance(functions, Mapping) else ():
        limits = ", ".join(f"{key} {limit_text(limit)}" for key, limit in rules.items())
        yield f"of {isolated(name)} alone: {limits}"
