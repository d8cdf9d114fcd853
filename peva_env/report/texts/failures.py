"""The kinds of failures of a map's runs, with their counts."""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from peva_env.contracts import ExecutionEvent, Verdict
from peva_env.maps import NodeMap
from peva_env.report.texts.formats import count_text, isolated
from peva_env.rules import WHOLE_RUN

FAILURE_COLUMNS = ("function", "kind of failure", "requests", "of those offered", "in runs")
RULE_COLUMNS = ("rule", "OVERLOADED runs", "of them")
INVALID_COLUMNS = ("why a run was INVALID", "runs")

_DROPPED = "dropped"
_KINDS = {
    "timeout": "no answer within the timeout",
    "connection_refused": "connection refused",
    "connection_reset": "connection reset",
    "connection_dns": "name not resolved",
    "connection_tls": "TLS handshake failed",
    "connection_other": "connection closed without an answer",
    "generator_files": "not sent: k6 had no file descriptor left",
    "generator_ports": "not sent: k6 had no port left",
    "unexpected": "an answer that is not what expect asks for",
    "other": "other",
    _DROPPED: "not sent: all virtual users waited for answers",
}
_MAX_REASONS = 10
_NUMBER = re.compile(r"(?<![\w.])\d[\d.,]*(?!\w)")


@dataclass(frozen=True, slots=True)
class Failures:
    """Tables of texts, the largest counts first, under ``FAILURE_COLUMNS``, ``RULE_COLUMNS``, ``INVALID_COLUMNS``."""

    text: str
    requests: Sequence[Sequence[str]]
    rules: Sequence[Sequence[str]]
    invalid: Sequence[Sequence[str]]


def failures_of(node_map: NodeMap) -> Failures:
    """Count the failed requests of the valid runs, the rules that overloaded runs broke, and the INVALID runs."""
    valid = [event for event in node_map.events if event.is_valid]
    return Failures(_text(valid), list(_requests(valid)), list(_rules(node_map)), list(_invalid(node_map.events)))


def _text(runs: Sequence[ExecutionEvent]) -> str:
    offered, failed = Counter[Verdict](), Counter[Verdict]()
    for run in runs:
        for one in run.functions:
            offered[run.verdict] += one.offered
            failed[run.verdict] += one.dropped + sum(one.failed.values())
    n_offered, n_failed = offered.total(), failed.total()
    if not n_failed:
        return f"Of {count_text(n_offered, 'request')} that valid runs offered, none failed."
    inside = failed[Verdict.OVERLOADED] / n_failed
    return (
        f"Of {count_text(n_offered, 'request')} that valid runs offered, {n_failed:,} failed "
        f"({100 * n_failed / n_offered:.1f} %), {100 * inside:.0f} % of them in OVERLOADED runs."
    )


def _requests(runs: Sequence[ExecutionEvent]) -> Iterator[Sequence[str]]:
    counts, n_runs, offered = Counter[tuple[str, str]](), Counter[tuple[str, str]](), Counter[str]()
    for run in runs:
        for one in run.functions:
            offered[one.name] += one.offered
            for kind, n in {**one.failed, _DROPPED: one.dropped}.items():
                counts[one.name, kind] += n
                n_runs[one.name, kind] += n > 0
    for (name, kind), n in sorted(counts.items(), key=lambda item: (-item[1], item[0])):
        if n:
            text = _KINDS.get(kind, kind.replace("_", " "))
            yield isolated(name), text, f"{n:,}", f"{100 * n / offered[name]:.2f} %", f"{n_runs[name, kind]:,}"


def _rules(node_map: NodeMap) -> Iterator[Sequence[str]]:
    counts, n_overloaded = Counter[str](), 0
    for key, runs in node_map.runs.items():
        for run, margins in zip(runs, node_map.rule_margins[key], strict=True):
            if run.verdict is Verdict.OVERLOADED:
                n_overloaded += 1
                counts.update(rule for rule, one in margins.items() if one.margin < 0 and rule != WHOLE_RUN)
    for rule, n in counts.most_common():
        kind, of, function = rule.partition(" of ")
        yield f"{kind}{of}{isolated(function)}", f"{n:,}", f"{100 * n / n_overloaded:.0f} %"


def _invalid(events: Sequence[ExecutionEvent]) -> Iterator[Sequence[str]]:
    reasons = (event.reasons[0] if event.reasons else "not recorded" for event in events if not event.is_valid)
    counts = Counter(_NUMBER.sub("N", reason) for reason in reasons)  # 7 % and 8 % of a run are one kind
    ordered = counts.most_common()
    for reason, n in ordered[:_MAX_REASONS]:
        yield reason, f"{n:,}"
    rest = ordered[_MAX_REASONS:]
    if rest:
        yield f"other reasons: {len(rest):,}", f"{sum(n for _, n in rest):,}"
