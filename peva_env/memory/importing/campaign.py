"""A recording as a campaign: its run id, its context, and the times and verdicts of its runs."""

import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from peva_env.config import OverloadConfig
from peva_env.contracts import EventKind, ExecutionEvent, Verdict
from peva_env.memory.contexts import context_hash
from peva_env.memory.importing.csv_file import CsvFile
from peva_env.memory.importing.recording import Rates, RecordedRun, Recording
from peva_env.rules import judge
from peva_env.space import config_key

RECORDED_AS = "recorded as "
"""Prefix of the reason that states a recorded verdict which differs from the judged one."""

_KIND = re.compile(r"^(results|skipped)[-_.]*")
_STAMP = re.compile(r"\d{4}-\d\d-\d\d_\d\d-\d\d-\d\d")
_UNFIT = re.compile(r"[^A-Za-z0-9._-]+")
_DIGITS = 6
"""Hexadecimal digits that tell two names apart which differ in replaced characters only."""

_SKIPPED = "recorded as skipped"


@dataclass(frozen=True, slots=True)
class ImportedCampaign:
    """What all runs of a recording have in common."""

    run_id: str
    context: Mapping[str, Any]
    context_hash: str
    duration_s: float
    rules: OverloadConfig

    def runs(self, runs: Iterable[RecordedRun], started_at: float) -> Iterator[ExecutionEvent]:
        """Yield runs as events: judged by the rules, one after the other from ``started_at`` on."""
        times_seen: Counter[object] = Counter()
        for run in runs:
            key = config_key((function.name, function.rate_rps) for function in run.functions)
            judgement = judge(run.functions, run.node, self.rules)
            cost_s = run.rest_s + self.duration_s
            yield ExecutionEvent(
                config_key=key,
                iteration=times_seen[key],
                verdict=judgement.verdict,
                run_id=self.run_id,
                reasons=(*judgement.reasons, *self._disagreement(run, judgement.verdict)),
                margin=judgement.margin,
                functions=run.functions,
                overloaded_functions=judgement.overloaded_functions,
                node=run.node,
                started_at=started_at,
                ended_at=started_at + cost_s,
                duration_s=self.duration_s,
                cooldown_s=run.rest_s,
                cost_s=cost_s,
                context_hash=self.context_hash,
            )
            times_seen[key] += 1
            started_at += cost_s

    def skip(self, rates: Rates, at: float) -> ExecutionEvent:
        """Return the event of a configuration that was not run."""
        return ExecutionEvent(
            config_key=config_key(rates.items()),
            iteration=-1,
            verdict=Verdict.OVERLOADED,
            run_id=self.run_id,
            kind=EventKind.SKIPPED,
            reasons=(_SKIPPED,),
            started_at=at,
            ended_at=at,
            context_hash=self.context_hash,
        )

    def _disagreement(self, run: RecordedRun, verdict: Verdict) -> Iterator[str]:
        """Yield the recorded verdict as a reason, if it differs from the judged one."""
        if run.overloaded is None or verdict is Verdict.INVALID:
            return
        recorded = Verdict.OVERLOADED if run.overloaded else Verdict.OK
        if recorded is not verdict:
            yield f"{RECORDED_AS}{recorded}"


def campaign_of(
    recording: Recording, *, node: Mapping[str, Any], duration_s: float, rules: OverloadConfig
) -> ImportedCampaign:
    """Return the campaign that a recording belongs to; ``node`` describes the node, its name among others."""
    context = {
        "node": node,
        "functions": {name: {} for name in recording.functions},
        "duration_s": duration_s,
        "overload": rules.as_context(),
        "generator": "imported",
    }
    run_id = _run_id(f"{node['name']}-{_name(recording.file)}")
    return ImportedCampaign(run_id, context, context_hash(context), duration_s, rules)


def _run_id(name: str) -> str:
    """Return a name without the characters that a run id cannot have, and with a digest if it had some."""
    run_id = _UNFIT.sub("-", name)
    if run_id == name:
        return name
    return f"{run_id}-{hashlib.sha256(name.encode(errors='surrogateescape')).hexdigest()[:_DIGITS]}"


def kind_in_name(file: CsvFile) -> str | None:
    """Return ``results`` or ``skipped`` if a file's name begins so, else None."""
    kind = _KIND.match(file.stem)
    return kind and kind[1]


def _name(file: CsvFile) -> str:
    """Return the part of a file's name that its campaign is called by; a stream is called by its content."""
    if file.is_stream:
        return file.digest[:12]
    return _KIND.sub("", file.stem) or file.path.absolute().parent.name


def began_at(file: CsvFile, took_s: float) -> float:
    """Return when a file's campaign began, in seconds since the epoch; ``took_s`` is the time of all its lines.

    It is not before the epoch: a file that says so has lost its time, as in an archive without times.
    """
    return max(0.0, _told_begin(file, took_s))


def _told_begin(file: CsvFile, took_s: float) -> float:
    stamps = _STAMP.findall(f"{file.path.absolute().parent.name}/{file.path.name}")
    if stamps:
        try:
            return datetime.strptime(stamps[-1], "%Y-%m-%d_%H-%M-%S").replace(tzinfo=UTC).timestamp()
        except ValueError:
            pass  # digits in the form of a time, but not a time
    return file.changed_at - took_s
