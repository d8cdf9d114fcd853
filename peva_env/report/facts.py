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
from peva_env.contracts import Verdict
from peva_env.frontier import Dispute, MonotoneMap
from peva_env.maps import CampaignRecord, NodeMap, cartesian_configs
from peva_env.report.page_data import Cell, cell_codes

_RULES = {
    "success_rate_function_min": "success of a function under {:.0%}",
    "replicas_overload_threshold": "{} replicas of a function, or more",
    "success_rate_node_min": "mean success under {:.0%}",
    "cpu_overload_pct_of_capacity": "CPU over {:g} %",
    "ram_overload_pct": "RAM over {:g} %",
}

_DOMINANCE = {
    "one_sided": "what loads the same functions at least as much as an overloaded configuration is overloaded",
    "within_sets": "what loads the same functions at least as much as an overloaded configuration is overloaded; "
    "what loads them at most as much as an OK one is OK",
    "two_sided": "what loads every function at least as much as an overloaded configuration is overloaded; "
    "what loads every function at most as much as an OK one is OK; a function that is not loaded counts as 0 rps",
}

_MAX_GROUPED = 20_000
"""Unknown configurations that are sorted into groups, which takes a second; ten times as many take minutes."""

CAMPAIGN_COLUMNS = ("campaign", "status", "agent", "seed", "updates", "began", "ended", "k6", "peva-env")

type Fact = tuple[str, str]
"""What it is about, and what there is to say."""


@dataclass(frozen=True, slots=True)
class Savings:
    """What the cartesian agent would have run on this map; times are seconds of machine time."""

    configs: int
    iterations: int
    runs: int
    mean_run_s: float
    n_runs: int
    cost_s: float
    n_unknown: int

    @property
    def runs_saved(self) -> int:
        """Runs that were not needed; negative where more were made."""
        return self.runs - self.n_runs

    @property
    def saved_s(self) -> float:
        """Machine time of the runs that were not needed."""
        return self.runs_saved * self.mean_run_s


def savings(node_map: NodeMap) -> Savings:
    """Return what the cartesian agent would have run: as many runs of each configuration, as long as those made."""
    configs, n_runs = cartesian_configs(node_map.known), len(node_map.events)
    return Savings(
        configs=configs,
        iterations=node_map.iterations,
        runs=configs * node_map.iterations,
        mean_run_s=node_map.cost_s / n_runs if n_runs else 0.0,
        n_runs=n_runs,
        cost_s=node_map.cost_s,
        n_unknown=node_map.known.n_unknown,
    )


def asked(node_map: NodeMap) -> Iterator[Fact]:
    """Say what was asked: of which node, with which load, under which rules, by whom."""
    space, context = node_map.known.space, node_map.context
    yield "node", node_map.node
    for name, rates in zip(space.functions, space.rates_rps, strict=True):
        span = f"{rates[0]:,} to {rates[-1]:,} rps, {len(rates):,} rates" if len(rates) > 1 else f"{rates[0]:,} rps"
        yield f"function {name}", span
    least, most = space.min_functions, space.max_functions - 1
    at_once = f"{least} to {most} functions" if least < most else count_text(least, "function")
    yield "configurations", f"{node_map.known.n_configs:,}, of {at_once} at once"
    yield from _run(node_map.iterations, context)
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
    yield "unknown", f"{n_of[Cell.UNKNOWN]:,}"
    if n_of[Cell.CONTRADICTED]:
        yield (
            "contradicted",
            f"{n_of[Cell.CONTRADICTED]:,}: measured runs contradict each other, so these count as unknown",
        )


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
    term = "saved so far" if savings.n_unknown else "saved"
    if savings.runs_saved > 0:
        share = savings.runs_saved / savings.runs
        yield term, f"{count_text(savings.runs_saved, 'run')} ({share:.1%}), {span_text(savings.saved_s)}"
    else:
        yield term, f"nothing; {-savings.runs_saved:,} runs more were made" if savings.runs_saved else "nothing"


def how_saved(node_map: NodeMap, savings: Savings) -> str:
    """Say how it was worked out what was saved."""
    left = f" What is unknown here ({savings.n_unknown:,}) counts as measured there, as it may be OK."
    return (
        "The cartesian agent goes from low rates to high ones and skips what lies above an overloaded configuration of "
        f"the same functions. On this map it would measure {savings.configs:,} of {node_map.known.n_configs:,} "
        f"configurations, {count_text(savings.iterations, 'run')} each. Its machine time is that number of runs times "
        f"{savings.mean_run_s:.1f} s, the mean of the runs here with their cooldown.{left if savings.n_unknown else ''}"
    )


def proved(node_map: NodeMap) -> str:
    """Say what proves the map, and what is left."""
    known = node_map.known
    overloaded, ok = known.frontier()
    lowest, highest = f"the lowest overloaded ({len(overloaded):,})", f"the highest that are OK ({len(ok):,})"
    if known.dominance == "one_sided":
        said = f"All that is overloaded follows from {lowest}. What is OK was measured, each for itself: see {highest}."
    else:
        n_known = count_text(known.n_configs - known.n_unknown, "configuration")
        said = f"All that is known of {n_known} follows from {lowest} and {highest}."
    return f"{said} {_left(known)}"


def _left(known: MonotoneMap) -> str:
    if not known.n_unknown:
        return "Nothing is left to measure."
    if known.n_unknown > _MAX_GROUPED:
        return f"{known.n_unknown:,} are unknown, too many to work out how many runs are needed at least to know them."
    least = count_text(known.certificate().least_runs_left, "more configuration")
    return f"At least {least} must be measured to know the rest."


def contradicted(node_map: NodeMap, disputes: Sequence[Dispute]) -> str:
    """Say how many contradictions were found, and what becomes of them."""
    if node_map.known.dominance == "one_sided":
        return "None are looked for: where inference goes upwards only, what was measured outranks what is inferred."
    if not disputes:
        return "None: no configuration was OK that lies above an overloaded one."
    return (
        f"{count_text(len(disputes), 'pair')} of configurations of which the higher one was OK and the lower one "
        "OVERLOADED. Nothing is inferred from either until one is measured again and turns out otherwise."
    )


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
    """Return a note, which begins and ends like a line of a terminal, as a sentence."""
    return f"{note[:1].upper()}{note[1:].rstrip('.')}."


def moment_text(seconds: float | None) -> str:
    """Return a time since the epoch as people read it, in UTC."""
    if seconds is None:
        return "-"
    try:
        return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M:%S} UTC"
    except (ValueError, OverflowError, OSError):
        return f"{seconds} s"  # not a time of our calendar: a memory can hold anything


def _run(iterations: int, context: Mapping[str, Any]) -> Iterator[Fact]:
    repeated = (
        f"{iterations} of most configurations, the majority decides" if iterations > 1 else "one of each configuration"
    )
    durations = {"load": context.get("duration_s"), "timeout of a request": context.get("timeout_s")}
    said = [f"{value:g} s {name}" for name, value in durations.items() if isinstance(value, int | float)]
    yield "runs", "; ".join([repeated, *said])


def _rules(overload: Any) -> str:
    if not isinstance(overload, Mapping):
        return ""
    limits = ((text, overload.get(name)) for name, text in _RULES.items())
    return "; ".join(text.format(limit) for text, limit in limits if isinstance(limit, int | float))
