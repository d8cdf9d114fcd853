"""What a report says in words and numbers of a map: what was asked, what was found, what it took and what it saved."""

import json
import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from peva_env import __version__
from peva_env.console.text import duration_text
from peva_env.contracts import EndStatus, Verdict
from peva_env.frontier import Dispute, MonotoneMap
from peva_env.maps import CampaignRecord, NodeMap, cartesian_configs
from peva_env.report.page_data import Cell, cell_codes
from peva_env.space import Config, config_key, config_pairs

_RULES = {
    "success_rate_function_min": ("success of a function under {:g} %", 100),
    "replicas_overload_threshold": ("{:g} replicas of a function, or more", 1),
    "success_rate_node_min": ("mean success under {:g} %", 100),
    "cpu_overload_pct_of_capacity": ("CPU over {:g} %", 1),
    "ram_overload_pct": ("RAM over {:g} %", 1),
}
"""What each limit means, and by what it is multiplied to be said so."""

_DOMINANCE = {
    "one_sided": "what loads the same functions at least as much as an overloaded configuration is overloaded",
    "within_sets": "what loads the same functions at least as much as an overloaded configuration is overloaded; "
    "what loads them at most as much as an OK one is OK",
    "two_sided": "what loads every function at least as much as an overloaded configuration is overloaded; "
    "what loads every function at most as much as an OK one is OK; a function that is not loaded counts as 0 rps",
}

_MAX_GROUPED = 20_000
"""Unknown configurations that are sorted into groups, which takes a second; ten times as many take minutes."""

MAX_HIGHEST = 5
"""Highest loads that are OK which the summary names."""

CAMPAIGN_COLUMNS = ("campaign", "status", "agent", "seed", "updates", "began", "ended", "k6", "peva-env")

type Fact = tuple[str, str]
"""What it is about, and what there is to say."""


@dataclass(frozen=True, slots=True)
class Savings:
    """What the cartesian agent would have run to know the same; times are seconds of machine time.

    ``n_missing`` are the runs that the configuration which was run last has not yet: they are not compared.
    """

    configs: int
    iterations: int
    n_missing: int
    mean_run_s: float
    n_runs: int
    cost_s: float
    is_final: bool

    @property
    def runs(self) -> int:
        """Runs that the cartesian agent would have made."""
        return self.configs * self.iterations - self.n_missing

    @property
    def runs_saved(self) -> int:
        """Runs that were not needed; negative where more were made."""
        return self.runs - self.n_runs

    @property
    def saved_s(self) -> float:
        """Machine time of the runs that were not needed."""
        return self.runs_saved * self.mean_run_s


def savings(node_map: NodeMap) -> Savings:
    """Return what the cartesian agent would have run: each configuration as often as was asked for, as long as here."""
    n_runs = len(node_map.events)
    return Savings(
        configs=cartesian_configs(node_map.known),
        iterations=node_map.iterations,
        n_missing=_n_missing(node_map),
        mean_run_s=node_map.cost_s / n_runs if n_runs else 0.0,
        n_runs=n_runs,
        cost_s=node_map.cost_s,
        is_final=not node_map.known.n_unknown and _is_complete(node_map),
    )


def _n_missing(node_map: NodeMap) -> int:
    last = node_map.runs.get(node_map.events[-1].config_key) if node_map.events else None
    return node_map.iterations - min(node_map.iterations, len(last)) if last and not _is_complete(node_map) else 0


def _is_complete(node_map: NodeMap) -> bool:
    return all(campaign.status == EndStatus.COMPLETE for campaign in node_map.campaigns[-1:])


def so_far(node_map: NodeMap) -> str:
    """Return what restricts each number of a map that has no plan, while its campaign may still add to it."""
    is_plan = node_map.known.recorded is None
    return "" if is_plan or _is_complete(node_map) else " of what was recorded so far"


def asked(node_map: NodeMap) -> Iterator[Fact]:
    """Say what was asked: of which node, with which load, under which rules, by whom."""
    space, context = node_map.known.space, node_map.context
    yield "node", node_map.node
    for name, rates in zip(space.functions, space.rates_rps, strict=True):
        span = f"{rates[0]:,} to {rates[-1]:,} rps, {len(rates):,} rates" if len(rates) > 1 else f"{rates[0]:,} rps"
        yield f"function {isolated(name)}", span
    least, most = space.min_functions, space.max_functions - 1
    at_once = f"{least} to {most} functions" if least < most else count_text(least, "function")
    yield "configurations", f"{node_map.known.n_configs:,}{so_far(node_map)}, of {at_once} at once"
    yield from _run(node_map, context)
    rules = _rules(context.get("overload"))
    if rules:
        yield "overloaded is", rules
    yield "known without a run", _DOMINANCE[node_map.known.dominance]
    agents = dict.fromkeys(campaign.agent for campaign in node_map.campaigns if campaign.agent)
    yield "agent", ", ".join(agents) or "none recorded"


def found(node_map: NodeMap) -> Iterator[Fact]:
    """Say how many configurations are what."""
    n_of = Counter(map(Cell, cell_codes(node_map.known).tolist()))
    for verdict, measured in ((Verdict.OK, Cell.OK_MEASURED), (Verdict.OVERLOADED, Cell.OVERLOADED_MEASURED)):
        inferred = n_of[Cell(measured + 1)]
        n = n_of[measured] + inferred
        yield str(verdict), f"{n:,}: {n_of[measured]:,} measured, {inferred:,} known without a run"
    yield "unknown", f"{n_of[Cell.UNKNOWN]:,}{so_far(node_map)}"
    if n_of[Cell.CONTRADICTED]:
        yield (
            "contradicted",
            f"{n_of[Cell.CONTRADICTED]:,}: measured runs contradict each other, so these count as unknown",
        )
    if any(len(own) > 1 for own in node_map.runs.values()):
        yield "split votes", _split(node_map)


def _split(node_map: NodeMap) -> str:
    """Say how many configurations have runs that disagree, and how they were decided."""
    n_measured = count_text(len(node_map.runs), "measured configuration")
    votes = (Counter(run.verdict for run in own).values() for own in node_map.runs.values())
    splits = Counter(tuple(sorted(counts, reverse=True)) for counts in votes if len(counts) > 1)
    if not splits:
        return f"none of {n_measured}"
    kinds = [(n, f"by {most} to {least}") for (most, least), n in splits.most_common()]
    how = kinds[0][1] if len(kinds) == 1 else ", ".join(f"{n:,} {text}" for n, text in kinds)
    return f"{sum(splits.values()):,} of {n_measured}, {how}"


def highest_ok(node_map: NodeMap) -> Sequence[Config]:
    """Return the highest configurations that are OK: of most functions first, and of these those of most load."""
    _, ok = node_map.known.frontier()
    return sorted(ok, key=lambda config: (-len(config), -sum(rate for _, rate in config)))


def took(node_map: NodeMap) -> Iterator[Fact]:
    """Say what was run, and how long it took."""
    n_invalid = sum(event.verdict is Verdict.INVALID for event in node_map.events)
    invalid = f", {n_invalid:,} of them INVALID, which count for nothing" if n_invalid else ""
    yield "runs", f"{len(node_map.events):,}{invalid}"
    yield "machine time", span_text(node_map.cost_s)
    if node_map.events:
        first, last = node_map.events[0].started_at, max(event.ended_at for event in node_map.events)
        yield "first to last run", f"{moment_text(first)} to {moment_text(last)} ({span_text(last - first)})"


def saved(savings: Savings) -> Iterator[Fact]:
    """Say how many runs and how much machine time were not needed."""
    cartesian_s = savings.runs * savings.mean_run_s
    yield "cartesian agent", f"{count_text(savings.runs, 'run')}, {span_text(cartesian_s)}"
    yield "these campaigns", f"{count_text(savings.n_runs, 'run')}, {span_text(savings.cost_s)}"
    term = "saved" if savings.is_final else "saved so far"
    if savings.runs_saved > 0:
        share = savings.runs_saved / savings.runs
        yield term, f"{count_text(savings.runs_saved, 'run')} ({100 * share:.1f} %), {span_text(savings.saved_s)}"
    else:
        yield term, f"nothing; {-savings.runs_saved:,} runs more were made" if savings.runs_saved else "nothing"


def how_saved(node_map: NodeMap, savings: Savings) -> str:
    """Say how it was worked out what was saved."""
    known, is_last_short = node_map.known, savings.n_missing > 0
    last = ", and the one that was run last as often as here, as it is not finished" if is_last_short else ""
    left = f" What is unknown here ({known.n_unknown:,}) is compared with nothing." if known.n_unknown else ""
    return (
        "The cartesian agent goes from low rates to high ones and skips what lies above an overloaded configuration of "
        f"the same functions. To know the same, {known.n_configs - known.n_unknown:,} of {known.n_configs:,} "
        f"configurations, it would measure {savings.configs:,}: each with {count_text(savings.iterations, 'run')}, the "
        f"most valid ones that a configuration has here that nothing contradicts{last}. Its machine time is that "
        f"number of runs times {savings.mean_run_s:.1f} s, the mean of the runs here with their cooldown.{left}"
    )


def proved(node_map: NodeMap) -> str:
    """Say what proves the map, and what is left."""
    known = node_map.known
    overloaded, ok = known.frontier()
    lowest, highest = f"the lowest overloaded ({len(overloaded):,})", f"the highest that are OK ({len(ok):,})"
    if known.dominance == "one_sided":
        said = f"All that is overloaded follows from {lowest}. What is OK was measured, each for itself: see {highest}."
    else:
        alone = _n_alone(known)
        but = (
            f", but {alone:,} that were measured and contradict each other: these stand for themselves" if alone else ""
        )
        n_known = count_text(known.n_configs - known.n_unknown, "configuration")
        said = f"All that is known, of {n_known}, follows from {lowest} and {highest}{but}."
    return f"{said} {_left(known, so_far(node_map))}"


def _n_alone(known: MonotoneMap) -> int:
    """Return how many configurations are in quarantine and have a verdict of their own."""
    pairs = ((one.overloaded, one.ok) for one in known.disputes() if one.state == "quarantine")
    return sum(
        known.verdict(config_pairs(key)) is not None for key in {config_key(one) for pair in pairs for one in pair}
    )


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


def provenance(node_map: NodeMap, made_at: float) -> Iterator[Fact]:
    """Say where all this comes from."""
    yield "memory", Path(node_map.memory).name
    yield "context", node_map.context_hash
    yield "repetition", str(node_map.repetition)
    yield "report made", f"{moment_text(made_at)} by peva-env {__version__}"


def campaign_row(campaign: CampaignRecord) -> Sequence[str]:
    """Return a campaign as texts under ``CAMPAIGN_COLUMNS``."""
    values = (
        campaign.run_id,
        campaign.status + (f": {campaign.detail}" if campaign.detail else ""),
        campaign.agent,
        campaign.seed,
        campaign.selection_mode,
        moment_text(campaign.started_at),
        moment_text(campaign.ended_at),
        campaign.k6_version,
        campaign.package_version,
    )
    return ["-" if value in (None, "") else str(value) for value in values]


def context_text(node_map: NodeMap) -> str:
    """Return the context as JSON that people read."""
    return json.dumps(node_map.context, indent=2, sort_keys=True, ensure_ascii=False)


def count_text(n: int, noun: str) -> str:
    """Return ``1 run`` or ``2 runs``."""
    return f"{n:,} {noun}" if n == 1 else f"{n:,} {noun}s"


def span_text(seconds: float) -> str:
    """Return seconds in the units that matter; a memory can hold what is no number."""
    return duration_text(seconds) if math.isfinite(seconds) else "-"


def sentence_text(note: str) -> str:
    """Return a note, which begins and ends like a line of a terminal, as a sentence; what is left out stays so."""
    return note[:1].upper() + (note[1:] if note.endswith("...") else f"{note[1:].rstrip('.')}.")


def isolated(name: str) -> str:
    """Return a name so that letters written from the right do not carry away the number beside it.

    A name in ASCII has none, and stays as it is: it can be copied and searched for.
    """
    return name if name.isascii() else f"\u2068{name}\u2069"


def load_text(config: Config) -> str:
    """Return a configuration as the page writes it: ``checkout 80 + fetch 40``."""
    return " + ".join(f"{isolated(name)} {rate}" for name, rate in config)


def moment_text(seconds: float | None) -> str:
    """Return a time since the epoch as people read it, in UTC."""
    if seconds is None:
        return "-"
    try:
        return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M:%S} UTC"
    except (ValueError, OverflowError, OSError):
        return f"{seconds} s"  # not a time of our calendar: a memory can hold anything


def _run(node_map: NodeMap, context: Mapping[str, Any]) -> Iterator[Fact]:
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
    return "; ".join(text.format(scale * limit) for (text, scale), limit in limits if isinstance(limit, int | float))
