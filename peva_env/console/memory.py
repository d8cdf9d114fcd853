"""Printing the contents of a memory, and the result of an import."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from peva_env.console.table import print_table
from peva_env.console.text import say
from peva_env.memory import CampaignSummary, ContextSummary, MemorySummary
from peva_env.memory.importing import ImportReport
from peva_env.system import moment_text, one_line

_MIB = 2**20
_MAX_REASONS = 10
"""A wrong unit gives every line a reason of its own."""

_DOUBTFUL_AGREEMENT = 0.99
"""Recordings judged by the same rules agree better than this: below it, an option of the import is probably wrong."""


def print_memory(console: Console, path: Path, size_bytes: int, summary: MemorySummary) -> None:
    """Print the contents of a memory."""
    events = ", ".join(f"{count.n:,} {count.kind} {count.verdict}" for count in summary.events) or "no events"
    say(console, f"memory {path}: {size_bytes / _MIB:.1f} MiB, schema {summary.schema_version}")
    say(console, f"{summary.n_configs:,} configurations; {events}")
    _print_table(
        console,
        ("campaign", "status", "agent", "repetition", "runs", "started (UTC)", "context", "why it ended"),
        [_campaign(campaign) for campaign in summary.campaigns],
    )
    _print_table(
        console,
        ("context", "node", "configurations", "runs", "inferred overloaded", "inferred OK", "functions"),
        [_context(context) for context in summary.contexts],
    )


def print_import(console: Console, report: ImportReport) -> None:
    """Print how the files are written, how many lines were imported or refused, and how well the verdicts agree."""
    for found, n in Counter(report.found.values()).items():
        names = (path.name for path, other in report.found.items() if other == found)
        say(console, one_line(f"{next(names) if n == 1 else f'{n:,} files'}: {', '.join(found)}"))
    for path, original in report.copies:
        say(console, one_line(f"{path.name}: not imported again, its content is that of {original}"))
    events = report.merged["execution_events"]
    say(
        console,
        f"{report.n_runs:,} runs and {report.n_skipped:,} skipped configurations imported: {events.inserted:,} new, "
        f"{events.updated:,} changed, {events.kept:,} as they were",
    )
    if report.refusals:
        say(console, f"lines refused: {len(report.refusals):,}")
    reasons = Counter(refusal.reason for refusal in report.refusals)
    for reason, n in reasons.most_common(_MAX_REASONS):
        say(console, f"  {n:,}: {one_line(reason)}")
    if len(reasons) > _MAX_REASONS:
        say(console, f"  and {len(reasons) - _MAX_REASONS:,} other reasons; --refused lists them all")
    if report.n_compared:
        say(console, f"verdicts: {report.agreement:.3%} of {report.n_compared:,} as recorded")
    if report.agreement < _DOUBTFUL_AGREEMENT:
        say(
            console,
            "so few agree that --cores, a scale of the map or the rules are probably not the recording's",
        )


def _print_table(console: Console, headings: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    if not rows:
        return
    console.print()
    print_table(console, headings, [[one_line(cell) for cell in row] for row in rows], n_left=len(headings))


def _campaign(campaign: CampaignSummary) -> list[str]:
    started = moment_text(campaign.started_at).removesuffix(" UTC")
    about = (campaign.run_id, campaign.status, campaign.agent or "-", str(campaign.repetition), f"{campaign.n_runs:,}")
    return [*about, started, campaign.context_hash, campaign.detail or "-"]


def _context(context: ContextSummary) -> list[str]:
    counts = (f"{n:,}" for n in (context.n_configs, context.n_runs, context.n_skipped, context.n_inferred))
    return [context.context_hash, context.node, *counts, ", ".join(context.functions)]
