"""Load from k6: one run of one configuration, and what became of every request.

A run either accounts for each request or raises; it never reports figures of a run that k6 did not finish. What the
counts say of the node - overload, a wrong address, a generator at its limit - is for the caller to judge.
"""

import json
import os
import re
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from peva_env import processes
from peva_env.contracts import FunctionMeasurement
from peva_env.errors import LoadGeneratorError
from peva_env.platforms.process_usage import usable_cores
from peva_env.sources.k6_binary import MIN_VERSION, find_k6, k6_environment, k6_version
from peva_env.sources.k6_plan import FAILURE_KINDS, STOP_MARGIN_S, FunctionLoad, k6_options, k6_requests, scenario
from peva_env.sources.k6_summary import late_share, load_started_at, measurements, read_summary, unloaded

__all__ = ["FAILURE_KINDS", "K6", "MAX_VUS", "MIN_VERSION", "FunctionLoad", "LoadResult", "find_k6", "k6_version"]

MAX_VUS = 1000
"""Virtual users of all functions together. Each costs about 0.25 ms before the load and 0.15 MB: 1,000 cost a quarter
of a second and 180 MB, and give every request 2 s at 500 requests per second."""

_SCRIPT = Path(__file__).with_name("load.js")
_WALL_MARGIN_S = 30.0  # for the start, the virtual users and the summary, on a machine under load
_POLL_S = 0.02
_GRACE_S = 0.1  # k6 needs 0.01 s; after an interruption nobody waits for its summary
_MESSAGE_LENGTH = 300
_QUOTED = re.compile(r'\bmsg=("(?:[^"\\]|\\.)*")')
_EXIT_MEANINGS = {
    99: "a threshold failed",
    104: "it refused its configuration",
    105: "it was interrupted by a signal",
    107: "its script raised an exception",
    108: "its script aborted the test",
    109: "it panicked",
    255: "it refused its arguments or an output",
    -9: "it was killed, perhaps for want of memory",
}


@dataclass(frozen=True, slots=True)
class LoadResult:
    """What one run did. Times are seconds since the epoch.

    ``started_at`` and ``ended_at`` enclose the k6 process; ``load_started_at`` is when k6 had initialised its virtual
    users and began to send, by its own clock (it runs ``setup()`` just before). ``generator_cpu_pct`` is k6's own CPU
    time, initialisation included, as percent of what all cores that it may use could give until the load ended: 50 on
    two cores is one core fully used. ``raw_summary`` is k6's summary plus ``functions``, which maps scenarios to names.
    ``late_share`` is the share of the run, 0..1, during which k6 was not on time, because it was stopped or got too
    little CPU.
    """

    functions: tuple[FunctionMeasurement, ...]
    started_at: float
    ended_at: float
    load_started_at: float
    generator_cpu_pct: float | None = None
    raw_summary: dict[str, Any] = field(default_factory=dict, repr=False)
    late_share: float = 0.0


class K6:
    """A k6 binary, ready to run loads.

    Args:
        binary: the k6 to use; looked for as ``find_k6`` does where it is left out.
        timeout_s: how long one request may take.
        max_vus: most virtual users, of all functions together; see ``virtual_users`` for what a limit means.
        outputs: what k6 gets as ``--out``, for example ``csv=samples.csv``. Outputs that are configured by ``K6_``
            variables run with their defaults: those variables are removed.
        tags: put on every sample that goes to an output.

    Raises:
        LoadGeneratorError: there is no k6, or it is too old.
    """

    def __init__(
        self,
        binary: Path | None = None,
        *,
        timeout_s: float,
        max_vus: int = MAX_VUS,
        outputs: Sequence[str] = (),
        tags: Mapping[str, str] | None = None,
    ) -> None:
        self.binary = binary if binary is not None else find_k6()
        self.version = k6_version(self.binary)
        self._timeout_s = timeout_s
        self._max_vus = max_vus
        self._outputs = tuple(outputs)
        self._tags = dict(tags or {})

    def run(
        self, loads: Sequence[FunctionLoad], *, duration_s: float, tags: Mapping[str, str] | None = None
    ) -> LoadResult:
        """Load all functions at once for ``duration_s`` and count what became of each request.

        Where all rates are 0, k6 is not started: the duration passes without load.

        Raises:
            LoadGeneratorError: k6 failed, hung, or left requests unaccounted for. The message holds its own words.
        """
        started_at = time.time()
        if not any(load.rate_rps for load in loads):
            time.sleep(duration_s)
            idle = tuple(unloaded(load) for load in loads)
            return LoadResult(idle, started_at, time.time(), started_at, generator_cpu_pct=0.0)
        with processes.temporary_folder("peva-k6-") as folder:
            self._write_plan(folder, loads, duration_s, tags or {})
            cpu_s = self._execute(folder, duration_s)
            ended_at = time.time()
            functions, summary = _collect(folder, loads)
            load_start, late = load_started_at(summary), late_share(summary, duration_s)
        return LoadResult(
            functions=functions,
            started_at=started_at,
            ended_at=ended_at,
            load_started_at=load_start,
            generator_cpu_pct=_cpu_pct(cpu_s, max(0.0, load_start - started_at) + duration_s),
            late_share=late,
            raw_summary=summary | {"functions": {scenario(i): load.name for i, load in enumerate(loads)}},
        )

    def _write_plan(
        self, folder: Path, loads: Sequence[FunctionLoad], duration_s: float, tags: Mapping[str, str]
    ) -> None:
        options = k6_options(
            loads,
            duration_s=duration_s,
            timeout_s=self._timeout_s,
            max_vus=self._max_vus,
            tags={**self._tags, **tags},
        )
        try:
            (folder / "options.json").write_text(json.dumps(options), encoding="utf-8")
            (folder / "plan.json").write_text(json.dumps(k6_requests(loads, self._timeout_s)), encoding="utf-8")
        except OSError as error:
            raise LoadGeneratorError(f"k6's plan cannot be written to {folder.parent}: {error.strerror}") from error

    def _command(self, folder: Path) -> list[str | Path]:
        # --config also keeps k6 from reading the user's own default configuration.
        command: list[str | Path] = [self.binary, "run", "--quiet", "--no-color", "--no-usage-report", "--address", ""]
        command += ["--log-format", "json", "--log-output", f"file={folder / 'log.json'},level=error"]
        command += ["--config", folder / "options.json"]
        command += ["-e", f"PEVA_PLAN={folder / 'plan.json'}", "-e", f"PEVA_SUMMARY={folder / 'summary.json'}"]
        for output in self._outputs:
            command += ["--out", output]
        return [*command, _SCRIPT]

    def _execute(self, folder: Path, duration_s: float) -> float:
        """Run k6 to its end and return its CPU seconds; whatever goes wrong, nothing of it is left running."""
        limit_s = duration_s + self._timeout_s + STOP_MARGIN_S + _WALL_MARGIN_S
        with (folder / "stderr.txt").open("wb") as stderr:
            try:
                process = processes.start(self._command(folder), env=k6_environment(), stderr=stderr)
            except OSError as error:
                raise LoadGeneratorError(f"{self.binary} cannot be run: {error.strerror}") from error
            try:
                cpu_s = _wait(process, limit_s)
            finally:
                processes.stop(process, grace_s=_GRACE_S)
        if cpu_s is None:
            raise _failure(f"k6 did not end within {limit_s:g} s and was killed", folder)
        if process.returncode:
            meaning = _EXIT_MEANINGS.get(process.returncode, "an exit code without a known meaning")
            raise _failure(f"k6 failed with exit code {process.returncode} ({meaning})", folder)
        return cpu_s


def _wait(process: subprocess.Popen[bytes], limit_s: float) -> float | None:
    """Return the CPU seconds that a process used until it ended, None if it did not end in time.

    ``wait4`` gives the figure of this one child exactly, which ``RUSAGE_CHILDREN`` cannot where threads have children
    of their own.
    """
    deadline = time.monotonic() + limit_s
    while time.monotonic() < deadline:
        pid, status, usage = os.wait4(process.pid, os.WNOHANG)
        if pid:
            process.returncode = os.waitstatus_to_exitcode(status)
            return usage.ru_utime + usage.ru_stime
        time.sleep(_POLL_S)
    return None


def _cpu_pct(cpu_s: float, wall_s: float) -> float:
    return min(100.0, 100.0 * cpu_s / (wall_s * usable_cores()))


def _collect(folder: Path, loads: Sequence[FunctionLoad]) -> tuple[tuple[FunctionMeasurement, ...], dict[str, Any]]:
    try:
        summary = read_summary(folder / "summary.json")
        return measurements(loads, summary), summary
    except LoadGeneratorError as error:
        raise _failure(str(error), folder) from error


def _failure(problem: str, folder: Path) -> LoadGeneratorError:
    words = _own_words(folder)
    return LoadGeneratorError(f"{problem}: {words}" if words else problem)


def _own_words(folder: Path) -> str:
    """Return k6's first error in one line: from its log, or from stderr where it failed before it had one."""
    for name in ("log.json", "stderr.txt"):
        path = folder / name
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines() if path.exists() else []
        message = next((_message(line) for line in lines if line.strip()), "")
        if message:
            return " ".join(message.split())[:_MESSAGE_LENGTH]
    return ""


def _message(line: str) -> str:
    """Return what a log line says; k6 writes JSON in its log and ``key="value"`` pairs before it has opened it."""
    quoted = _QUOTED.search(line)
    try:
        return str(json.loads(quoted[1]) if quoted else json.loads(line)["msg"])
    except (KeyError, TypeError, ValueError):
        return line
