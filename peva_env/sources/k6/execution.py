"""One process of k6, from its plan to its summary."""

import json
import re
import time
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Self

from peva_env.errors import LoadGeneratorError
from peva_env.sources.k6.binary import k6_environment
from peva_env.sources.k6.cpu_trace import CpuTrace
from peva_env.sources.k6.gate import Gate
from peva_env.sources.k6.job import End, Ended, Job, Share
from peva_env.sources.k6.live_counts import LiveCounts
from peva_env.sources.k6.log import LOGGER, LogStream, Tell, first_error_in, tell
from peva_env.sources.k6.outputs import CLOUD_SYSTEM_TAGS, RunOutputs, run_outputs
from peva_env.sources.k6.process import (
    IGNORING_INTERRUPTS,
    INTERRUPTED,
    NO_REST_API,
    THRESHOLD_FAILED,
    exit_meaning,
    interrupt,
    raise_file_limit,
    wait,
)
from peva_env.sources.k6.summary import read_summary
from peva_env.system import processes, usable_cores

_SCRIPT = Path(__file__).with_name("load.js")
_GRACE_S = 0.1  # k6 needs 0.01 s; after an interruption its summary is not needed
_NOT_IN_FILE_NAMES = re.compile(r"[^0-9A-Za-z._-]")


class Execution:
    """A process of k6 that is started with the block and has ended with it.

    Args:
        binary: the k6 binary.
        job: what it has to do.
        gate: where k6 waits, ready to send, until it is told when; None: it begins as soon as it can.
        tell: takes the lines of k6's log, if the settings ask for it.
        counts: reads what k6 has counted while it runs, and may end the load.

    Raises:
        LoadGeneratorError: k6 cannot be started; or, by the methods, it failed or hung. With k6's first error.
    """

    def __init__(
        self,
        binary: Path,
        job: Job,
        *,
        gate: Gate | None = None,
        tell: Tell = tell,
        counts: LiveCounts | None = None,
    ) -> None:
        self._binary = binary
        self._job = job
        self._gate = gate
        self._tell = tell
        self._counts = counts
        self._interrupted = False

    def __enter__(self) -> Self:
        """Start k6 in a folder of its own."""
        self._started_at = time.time()
        settings = self._job.settings
        with ExitStack() as stack:
            self._folder = stack.enter_context(processes.temporary_folder("peva-k6-"))
            self._write_plan()
            outputs = self._outputs()
            env = {**k6_environment(settings.ca_file), **outputs.env, **settings.env, **settings.secrets}
            stderr = stack.enter_context((self._folder / "stderr.txt").open("wb"))
            self._log = LogStream(self._folder / "stderr.txt", settings.secrets, self._tell) if settings.log else None
            try:
                self._process = processes.start(self._command(outputs), env=env, stderr=stderr)
            except OSError as error:
                raise LoadGeneratorError(f"{self._binary} cannot be run: {error.strerror}") from error
            stack.callback(processes.stop, self._process, grace_s=_GRACE_S)
            raise_file_limit(self._process.pid)
            self._trace = CpuTrace(self._process.pid)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        """End k6 and what it started, and remove its folder."""
        self._stack.close()

    def interrupt(self) -> None:
        """End the load now; what was counted until now is the result. May be called from another thread."""
        if not self._interrupted and self._process.returncode is None:  # the second time, k6 would end without summary
            self._interrupted = True
            interrupt(self._process.pid)

    @property
    def could_not_serve(self) -> bool:
        """Whether k6 has ended before any load, because it could not serve its counts."""
        return self._counts is not None and self._process.returncode == NO_REST_API

    def until_ready(self, gate: Gate, limit_s: float) -> None:
        """Return when k6 waits at its gate."""
        cpu_s = self._wait(limit_s, gate.look, until=lambda: gate.is_reached)
        if gate.is_reached:
            return
        if cpu_s is None:
            raise self._failure(f"k6 was not ready to send within {limit_s:g} s")
        raise self._failure(self._fault() or "k6 ended before it sent anything")

    def end(self, limit_s: float, *, begins_in_s: float = 0.0) -> End:
        """Wait for the end of k6, at most ``limit_s`` after the load begins, and return its summary."""
        cpu_s = self._wait(begins_in_s + limit_s)
        processes.stop(self._process, grace_s=_GRACE_S)
        if self._log:
            self._log.end()
        if cpu_s is None:
            raise self._failure(f"k6 did not end within {limit_s:g} s and was killed")
        if fault := self._fault():
            raise self._failure(fault)
        try:
            summary = read_summary(self._folder / "summary.json")
        except LoadGeneratorError as error:
            raise self._failure(str(error)) from error
        return End(
            summary=summary,
            started_at=self._started_at,
            ended_at=time.time(),
            use=self._trace.use(cpu_s),
            cores=usable_cores(),
            aborted=self._process.returncode != 0,
            first_error=self._first_error(),
        )

    def _wait(
        self, limit_s: float, *looks: Callable[[], None], until: Callable[[], bool] = lambda: False
    ) -> float | None:
        own = [self._trace.look, *([self._log.pass_on] if self._log else [])]
        if self._counts:
            own.append(partial(self._counts.look, self.interrupt, self._trace))
        return wait(self._process, limit_s, *own, *looks, until=until)

    def _fault(self) -> str | None:
        """Return what the exit code of k6 says of a failure; None if it ended as it may."""
        code = self._process.returncode
        may_end = {0}
        if self._job.may_abort:
            may_end.add(THRESHOLD_FAILED)
        if self._interrupted:
            may_end.add(INTERRUPTED)
        return None if code in may_end else f"k6 failed with exit code {code} ({exit_meaning(code)})"

    def _write_plan(self) -> None:
        options, folder = {**self._job.options, **self._job.settings.options}, self._folder
        if any(output.partition("=")[0] == "cloud" for output in self._job.settings.outputs):
            options["systemTags"] = [*options["systemTags"], *CLOUD_SYSTEM_TAGS]
        try:
            (folder / "options.json").write_text(json.dumps(options), encoding="utf-8")
            (folder / "plan.json").write_text(json.dumps(self._job.requests), encoding="utf-8")
        except OSError as error:
            raise LoadGeneratorError(f"k6's plan cannot be written to {folder.parent}: {error.strerror}") from error

    def _outputs(self) -> RunOutputs:
        """Return the outputs of a run, after making the folders of its files."""
        name = _NOT_IN_FILE_NAMES.sub("_", "-".join(self._job.tags.values())) or "run"
        settings = self._job.settings
        dashboard_s = self._job.load_s if settings.dashboard else None
        outputs = run_outputs(settings.outputs, name=name, folder=settings.folder, dashboard_s=dashboard_s)
        for file in outputs.files:
            try:
                file.parent.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise LoadGeneratorError(f"{file.parent} cannot be made for k6's files: {error.strerror}") from error
        return outputs

    def _command(self, outputs: RunOutputs) -> list[str | Path]:
        folder = self._folder
        # --config also keeps k6 from reading the user's own default configuration.
        command: list[str | Path] = [*IGNORING_INTERRUPTS, self._binary, "run"]
        command += ["--quiet", "--no-color", "--no-usage-report"]
        command += ["--address", self._counts.address if self._counts else ""]
        # k6 buffers its log in a file, but not on stderr; only the file can be limited to errors.
        log_output = "stderr" if self._job.settings.log else f"file={folder / 'log.json'},level=error"
        command += ["--log-format", "json", "--log-output", log_output]
        command += ["--config", folder / "options.json"]
        command += ["-e", f"PEVA_PLAN={folder / 'plan.json'}", "-e", f"PEVA_SUMMARY={folder / 'summary.json'}"]
        if self._gate:
            command += ["-e", f"PEVA_GATE={self._gate.url}"]
        return [*command, *outputs.arguments, _SCRIPT]

    def _first_error(self) -> str:
        return first_error_in(self._folder, self._job.settings.secrets)

    def _failure(self, problem: str) -> LoadGeneratorError:
        error = self._first_error()
        return LoadGeneratorError(f"{problem}: {error}" if error else problem)


def execute(binary: Path, job: Job, counts: LiveCounts | None = None) -> Ended:
    """Run one k6 to its end, which ``counts`` may bring forward; no k6 process remains, even after an error.

    Raises:
        LoadGeneratorError: see ``Execution``.
    """
    with Execution(binary, job, counts=counts) as execution:
        try:
            end = execution.end(job.limit_s)
        except LoadGeneratorError:
            if counts is None or not execution.could_not_serve:
                raise
            LOGGER.warning("k6 could not serve its counts at %s, so that this run goes on to its end", counts.address)
            return execute(binary, job)
    share = Share("", "", end)
    stopped = counts is not None and counts.has_ended_k6 and end.aborted
    return Ended(end.summary, end.started_at, end.ended_at, end.aborted, end.first_error, (share,), stopped)
