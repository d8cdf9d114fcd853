"""Running k6: one run of one configuration, which accounts for every request.

``K6.run`` raises an exception if k6 did not finish, or if the counts do not account for each request. The caller judges
the counts: overload, a wrong address, a load generator at its limit.
"""

import json
import re
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from peva_env.errors import LoadGeneratorError
from peva_env.sources.k6.binary import find_k6, k6_environment, k6_version
from peva_env.sources.k6.cpu_trace import CpuTrace
from peva_env.sources.k6.live_counts import LOGGER, LiveCounts, Watcher
from peva_env.sources.k6.log import LogStream, first_error_in
from peva_env.sources.k6.outputs import CLOUD_SYSTEM_TAGS, RunOutputs, run_outputs
from peva_env.sources.k6.plan import STOP_MARGIN_S, FunctionLoad, k6_options, k6_requests, scenario
from peva_env.sources.k6.process import (
    INTERRUPTED,
    NO_REST_API,
    THRESHOLD_FAILED,
    exit_meaning,
    raise_file_limit,
    wait,
)
from peva_env.sources.k6.result import LoadResult
from peva_env.sources.k6.settings import K6Settings, require_accepted
from peva_env.sources.k6.steps import Step, measured_steps, step_options
from peva_env.sources.k6.summary import (
    ended_early_after,
    load_started_at,
    measurements,
    read_summary,
    unloaded,
)
from peva_env.system import processes, usable_cores

MAX_VUS = 1000
"""Upper limit of the virtual users of all functions together. A virtual user costs about 0.25 ms before the load and
0.15 MB of RAM. 1,000 virtual users cost a quarter of a second and 180 MB, and are enough for requests of 2 s at 500
requests per second."""

_SCRIPT = Path(__file__).with_name("load.js")
_WALL_MARGIN_S = 30.0
"""Time for the start, the virtual users and the summary, on a machine under load."""

_GRACE_S = 0.1  # k6 needs 0.01 s; after an interruption its summary is not needed
_NOT_IN_FILE_NAMES = re.compile(r"[^0-9A-Za-z._-]")


class _End(NamedTuple):
    """The end of a k6 process: when, the CPU seconds that it used, and what ended the run early: a threshold, or we."""

    at: float
    cpu_s: float
    aborted: bool
    stopped: bool
    trace: CpuTrace

    def cpu_pct(self, start_at: float, length_s: float) -> float | None:
        """Return the CPU use of a part of the run, as percent of all cores."""
        cpu_s = self.trace.used_s(start_at, start_at + length_s)
        return None if cpu_s is None else _cpu_pct(cpu_s, length_s)


class K6:
    """A k6 binary, ready to run loads.

    Args:
        binary: the k6 binary; default: the result of ``find_k6``.
        timeout_s: timeout of a request, in seconds.
        max_vus: upper limit of the virtual users of all functions together; see ``virtual_users`` for its effect.
        settings: outputs, tags and options of k6.
        wall_margin_s: seconds after the load and its last timeout at which k6 is killed.

    Raises:
        LoadGeneratorError: there is no k6, or it is too old.
        ConfigError: k6 refuses the settings.
    """

    def __init__(
        self,
        binary: Path | None = None,
        *,
        timeout_s: float,
        max_vus: int = MAX_VUS,
        settings: K6Settings | None = None,
        wall_margin_s: float = _WALL_MARGIN_S,
    ) -> None:
        self.binary = binary if binary is not None else find_k6()
        self.version = k6_version(self.binary)
        self.timeout_s = timeout_s
        self._max_vus = max_vus
        self._settings = settings or K6Settings()
        self._wall_margin_s = wall_margin_s
        require_accepted(self.binary, self.version, self._settings)

    def run(
        self,
        loads: Sequence[FunctionLoad],
        *,
        duration_s: float,
        warm_up_s: float = 0.0,
        tags: Mapping[str, str] | None = None,
        most_failures: Sequence[int] | None = None,
        watcher: Watcher | None = None,
    ) -> LoadResult:
        """Load all functions at once for ``duration_s`` and count the outcome of each request.

        If all rates are 0, k6 is not started: the duration passes without load.

        Args:
            loads: the functions and their rates.
            duration_s: duration of the load, in seconds.
            warm_up_s: duration of the same load before it, which is not counted.
            tags: tags of this run's samples; their values are part of the names of the files that k6 writes.
            most_failures: one number per function; k6 aborts the run when a function has more failed or more dropped
                requests.
            watcher: is told twice a second what k6 has counted, and may end the run.

        Raises:
            LoadGeneratorError: k6 failed, hung, or left requests unaccounted for. The message holds k6's first error.
        """
        started_at = time.time()
        if not any(load.rate_rps for load in loads):
            time.sleep(warm_up_s + duration_s)
            idle = tuple(unloaded(load) for load in loads)
            return LoadResult(idle, started_at, time.time(), started_at, generator_cpu_pct=0.0)
        options = k6_options(
            loads,
            duration_s=duration_s,
            warm_up_s=warm_up_s,
            timeout_s=self.timeout_s,
            max_vus=self._max_vus,
            tags={**self._settings.tags, **(tags or {})},
            most_failures=most_failures,
        )

        def result(summary: dict[str, Any], end: _End) -> LoadResult:
            is_early = end.aborted or end.stopped
            functions = measurements(loads, summary, duration_s, may_be_early=is_early)
            aborted_after_s = None
            if is_early:
                aborted_after_s = ended_early_after(loads, functions, summary, duration_s, warm_up_s)
            ran_s = aborted_after_s or duration_s
            load_start = load_started_at(summary) + warm_up_s
            return LoadResult(
                functions=functions,
                started_at=started_at,
                ended_at=end.at,
                load_started_at=load_start,
                generator_cpu_pct=_cpu_pct(end.cpu_s, max(0.0, load_start - started_at) + ran_s),
                aborted_after_s=aborted_after_s,
                is_stopped=end.stopped and aborted_after_s is not None,
                raw_summary=summary | {"functions": {scenario(i): load.name for i, load in enumerate(loads)}},
            )

        length_s = warm_up_s + duration_s
        counts = LiveCounts(loads, warm_up_s=warm_up_s, duration_s=duration_s, watcher=watcher) if watcher else None
        return self._executed(
            loads, options, length_s, tags or {}, result, may_abort=bool(most_failures), counts=counts
        )

    def run_steps(
        self, steps: Sequence[Step], *, step_s: float, warm_up_s: float = 0.0, tags: Mapping[str, str] | None = None
    ) -> list[LoadResult]:
        """Run several loads one after the other in one process; the first step with too many failures ends the run.

        Args:
            steps: the loads, each with a rate above 0, and the failures that end the run.
            step_s: duration of each step, in seconds.
            warm_up_s: duration of the load of the first step before it, which is not counted.
            tags: see ``run``.

        Returns:
            The steps that were run, in order, without raw summaries. A step that another one cut short is left out.

        Raises:
            LoadGeneratorError: see ``run``.
        """
        started_at = time.time()
        options = step_options(
            steps,
            step_s=step_s,
            warm_up_s=warm_up_s,
            timeout_s=self.timeout_s,
            max_vus=self._max_vus,
            tags={**self._settings.tags, **(tags or {})},
        )

        def results(summary: dict[str, Any], end: _End) -> list[LoadResult]:
            load_start = load_started_at(summary)
            measured = measured_steps(steps, summary, step_s=step_s, warm_up_s=warm_up_s, may_be_early=end.aborted)
            return [
                LoadResult(
                    functions=step.functions,
                    started_at=started_at,
                    ended_at=end.at,
                    load_started_at=load_start + step.start_s,
                    generator_cpu_pct=end.cpu_pct(load_start + step.start_s, step.aborted_after_s or step_s),
                    aborted_after_s=step.aborted_after_s,
                )
                for step in measured
            ]

        length_s = warm_up_s + len(steps) * step_s
        return self._executed(steps[0].loads, options, length_s, tags or {}, results, may_abort=True)

    def _executed[T](
        self,
        loads: Sequence[FunctionLoad],
        options: dict[str, Any],
        load_s: float,
        tags: Mapping[str, str],
        result: Callable[[dict[str, Any], _End], T],
        *,
        may_abort: bool,
        counts: LiveCounts | None = None,
    ) -> T:
        """Run k6 in a folder of its own and return the result of its summary; an error holds k6's first error."""
        with processes.temporary_folder("peva-k6-") as folder:
            self._write_plan(folder, loads, options)
            end = self._execute(folder, load_s, self._outputs(load_s, tags), may_abort=may_abort, counts=counts)
            try:
                return result(read_summary(folder / "summary.json"), end)
            except LoadGeneratorError as error:
                raise self._failure(str(error), folder) from error

    def _write_plan(self, folder: Path, loads: Sequence[FunctionLoad], options: dict[str, Any]) -> None:
        options |= self._settings.options
        if any(output.partition("=")[0] == "cloud" for output in self._settings.outputs):
            options["systemTags"] += CLOUD_SYSTEM_TAGS
        try:
            (folder / "options.json").write_text(json.dumps(options), encoding="utf-8")
            (folder / "plan.json").write_text(json.dumps(k6_requests(loads, self.timeout_s)), encoding="utf-8")
        except OSError as error:
            raise LoadGeneratorError(f"k6's plan cannot be written to {folder.parent}: {error.strerror}") from error

    def _outputs(self, duration_s: float, tags: Mapping[str, str]) -> RunOutputs:
        """Return the outputs of a run, after making the folders of its files."""
        name = _NOT_IN_FILE_NAMES.sub("_", "-".join(tags.values())) or "run"
        settings = self._settings
        dashboard_s = duration_s if settings.dashboard else None
        outputs = run_outputs(settings.outputs, name=name, folder=settings.folder, dashboard_s=dashboard_s)
        for file in outputs.files:
            try:
                file.parent.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise LoadGeneratorError(f"{file.parent} cannot be made for k6's files: {error.strerror}") from error
        return outputs

    def _command(self, folder: Path, outputs: RunOutputs, address: str) -> list[str | Path]:
        # --config also keeps k6 from reading the user's own default configuration.
        command: list[str | Path] = [self.binary, "run", "--quiet", "--no-color", "--no-usage-report"]
        command += ["--address", address]
        # k6 buffers its log in a file, but not on stderr; only the file can be limited to errors.
        log_output = "stderr" if self._settings.log else f"file={folder / 'log.json'},level=error"
        command += ["--log-format", "json", "--log-output", log_output]
        command += ["--config", folder / "options.json"]
        command += ["-e", f"PEVA_PLAN={folder / 'plan.json'}", "-e", f"PEVA_SUMMARY={folder / 'summary.json'}"]
        return [*command, *outputs.arguments, _SCRIPT]

    def _execute(
        self, folder: Path, load_s: float, outputs: RunOutputs, *, may_abort: bool, counts: LiveCounts | None
    ) -> _End:
        """Run k6 to its end; no k6 process remains, even after an error."""
        limit_s = load_s + self.timeout_s + STOP_MARGIN_S + self._wall_margin_s
        env = {**k6_environment(self._settings.ca_file), **outputs.env, **self._settings.env, **self._settings.secrets}
        log = LogStream(folder / "stderr.txt", self._settings.secrets) if self._settings.log else None
        with (folder / "stderr.txt").open("wb") as stderr:
            try:
                command = self._command(folder, outputs, counts.address if counts else "")
                process = processes.start(command, env=env, stderr=stderr)
            except OSError as error:
                raise LoadGeneratorError(f"{self.binary} cannot be run: {error.strerror}") from error
            try:
                raise_file_limit(process.pid)
                trace = CpuTrace(process.pid)
                looks = [trace.look, *([log.pass_on] if log else [])]
                if counts:
                    looks.append(partial(counts.look, process.pid))
                cpu_s = wait(process, limit_s, *looks)
            finally:
                processes.stop(process, grace_s=_GRACE_S)
        if log:
            log.end()
        if cpu_s is None:
            raise self._failure(f"k6 did not end within {limit_s:g} s and was killed", folder)
        if counts and process.returncode == NO_REST_API:  # before any load
            LOGGER.warning("k6 could not serve its counts at %s, so that this run goes on to its end", counts.address)
            return self._execute(folder, load_s, outputs, may_abort=may_abort, counts=None)
        aborted = may_abort and process.returncode == THRESHOLD_FAILED
        stopped = counts is not None and counts.has_ended_k6 and process.returncode == INTERRUPTED
        if process.returncode and not aborted and not stopped:
            meaning = exit_meaning(process.returncode)
            raise self._failure(f"k6 failed with exit code {process.returncode} ({meaning})", folder)
        return _End(time.time(), cpu_s, aborted, stopped, trace)

    def _failure(self, problem: str, folder: Path) -> LoadGeneratorError:
        error = first_error_in(folder, self._settings.secrets)
        return LoadGeneratorError(f"{problem}: {error}" if error else problem)


def _cpu_pct(cpu_s: float, wall_s: float) -> float:
    return min(100.0, 100.0 * cpu_s / (wall_s * usable_cores()))
