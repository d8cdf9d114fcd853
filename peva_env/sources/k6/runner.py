"""Running k6: one run of one configuration, which accounts for every request, by one k6 or by several that share it.

``K6.run`` raises an exception if k6 did not finish, or if the counts do not account for each request. The caller judges
the counts: overload, a wrong address, a load generator at its limit.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from peva_env.errors import LoadGeneratorError
from peva_env.sources.k6.binary import find_k6, k6_version
from peva_env.sources.k6.execution import execute
from peva_env.sources.k6.job import Ended, Job
from peva_env.sources.k6.live_counts import LiveCounts, Watcher
from peva_env.sources.k6.plan import STOP_MARGIN_S, FunctionLoad, k6_options, k6_requests, scenario
from peva_env.sources.k6.result import LoadResult
from peva_env.sources.k6.settings import K6Settings, require_accepted
from peva_env.sources.k6.shards import Generators
from peva_env.sources.k6.steps import Step, measured_steps, step_options
from peva_env.sources.k6.summary import ended_early_after, load_started_at, measurements, unloaded

MAX_VUS = 1000
"""Upper limit of the virtual users of all functions together. A virtual user costs about 0.25 ms before the load and
0.15 MB of RAM. 1,000 virtual users cost a quarter of a second and 180 MB, and are enough for requests of 2 s at 500
requests per second."""

_WALL_MARGIN_S = 30.0
"""Time for the start, the virtual users and the summary, on a machine under load."""

_LEAST_OFFERED = 0.9
"""Share of its part of the requests that a generator of several must have offered."""


class K6:
    """A k6 binary, ready to run loads.

    Args:
        binary: the k6 binary; default: the result of ``find_k6``.
        timeout_s: timeout of a request, in seconds.
        max_vus: upper limit of the virtual users of all functions together; see ``virtual_users`` for its effect.
        settings: outputs, tags and options of k6.
        wall_margin_s: seconds after the load and its last timeout at which k6 is killed.
        generators: several k6 that share each run, in place of ``binary``; ``max_vus`` is the limit of each.

    Raises:
        LoadGeneratorError: there is no k6, or it is too old.
        ConfigError: k6 refuses the settings, or generators have different versions of k6.
    """

    def __init__(
        self,
        binary: Path | None = None,
        *,
        timeout_s: float,
        max_vus: int = MAX_VUS,
        settings: K6Settings | None = None,
        wall_margin_s: float = _WALL_MARGIN_S,
        generators: Generators | None = None,
    ) -> None:
        self._generators = generators
        self.timeout_s = timeout_s
        self._max_vus = max_vus
        self._settings = settings or K6Settings()
        self._wall_margin_s = wall_margin_s
        if generators:
            self.version = generators.version()
            generators.require_accepted(self._settings)
            self.where = f"at {generators.n} generators"
            self._execute: Callable[..., Ended] = generators.execute
        else:
            found = binary if binary is not None else find_k6()
            self.version = k6_version(found)
            require_accepted(found, self.version, self._settings)
            self.where = f"at {found}"
            self._execute = partial(execute, found)

    @property
    def n_generators(self) -> int:
        """The number of k6 that share each run."""
        return self._generators.n if self._generators else 1

    def close(self) -> None:
        """End the generators that wait for a run; may be called twice."""
        if self._generators:
            self._generators.close()

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
            watcher: is told twice a second what k6 has counted, and may end the run; for a single generator.

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
            generators=self.n_generators,
        )

        def result(end: Ended) -> LoadResult:
            summary = end.summary
            require_whole(loads, end, duration_s)
            functions = measurements(loads, summary, duration_s, may_be_early=end.aborted)
            aborted_after_s = None
            if end.aborted:
                aborted_after_s = ended_early_after(loads, functions, summary, duration_s, warm_up_s)
            ran_s = aborted_after_s or duration_s
            load_start = load_started_at(summary) + warm_up_s
            return LoadResult(
                functions=functions,
                started_at=started_at,
                ended_at=end.ended_at,
                load_started_at=load_start,
                generator_cpu_pct=end.cpu_pct(max(0.0, load_start - started_at) + ran_s),
                busiest=end.busiest(),
                aborted_after_s=aborted_after_s,
                is_stopped=end.stopped and aborted_after_s is not None,
                raw_summary=summary
                | {"functions": {scenario(i): load.name for i, load in enumerate(loads)}}
                | _of_generators(loads, end, max(0.0, load_start - started_at) + ran_s),
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

        Of several generators each sees only its own failures, so that steps in one run may end late: give them one.

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
            generators=self.n_generators,
        )

        def results(end: Ended) -> list[LoadResult]:
            load_start = load_started_at(end.summary)
            measured = measured_steps(steps, end.summary, step_s=step_s, warm_up_s=warm_up_s, may_be_early=end.aborted)
            return [
                LoadResult(
                    functions=step.functions,
                    started_at=started_at,
                    ended_at=end.ended_at,
                    load_started_at=load_start + step.start_s,
                    generator_cpu_pct=end.cpu_pct_from(load_start + step.start_s, step.aborted_after_s or step_s),
                    busiest=end.busiest(),
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
        result: Callable[[Ended], T],
        *,
        may_abort: bool,
        counts: LiveCounts | None = None,
    ) -> T:
        """Run k6 and return the result of its summary; an error holds k6's first error."""
        job = Job(
            options=options,
            requests=k6_requests(loads, self.timeout_s),
            tags=tags,
            load_s=load_s,
            limit_s=load_s + self.timeout_s + STOP_MARGIN_S + self._wall_margin_s,
            may_abort=may_abort,
            settings=self._settings,
        )
        end = self._execute(job, counts) if counts else self._execute(job)
        try:
            return result(end)
        except LoadGeneratorError as error:
            raise LoadGeneratorError(f"{error}: {end.first_error}" if end.first_error else str(error)) from error


def require_whole(loads: Sequence[FunctionLoad], end: Ended, duration_s: float) -> None:
    """Check that each generator of several accounts for its share of the requests.

    Raises:
        LoadGeneratorError: one does not; it is named.
    """
    n = len(end.shares)
    for share in end.shares if n > 1 else ():
        try:
            functions = measurements(loads, share.end.summary, duration_s, may_be_early=True)
        except LoadGeneratorError as error:
            raise LoadGeneratorError(f"{share.name}: {error}") from error
        for function in functions if not end.aborted else ():
            due = function.rate_rps * duration_s / n
            if function.offered < _LEAST_OFFERED * due - 1:
                raise LoadGeneratorError(
                    f"{share.name} offered {function.offered} of {due:.0f} requests to {function.name}: it stood still"
                )


def _of_generators(loads: Sequence[FunctionLoad], end: Ended, length_s: float) -> dict[str, Any]:
    """Return what the raw summary of a run from several generators says of each, and of their CPU seconds together."""
    if len(end.shares) == 1:
        return {}
    names = [scenario(i) for i, load in enumerate(loads) if load.rate_rps]
    generators = [
        {
            "name": share.name,
            "machine": share.machine,
            "cpu_s": share.end.use.total_s,
            "cpu_pct": 100 * share.end.use.total_s / (length_s * share.end.cores),
            "iterations": {
                name: share.end.summary["metrics"][f"iterations{{scenario:{name}}}"]["values"]["count"]
                for name in names
            },
            "load_started_ms": share.end.summary["setup_data"]["load_started_ms"],
        }
        for share in end.shares
    ]
    return {"generators": generators, "generators_cpu_s": sum(share.end.use.total_s for share in end.shares)}
