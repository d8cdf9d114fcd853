"""The shards of one run: prepared together, begun at one moment, ended together, merged."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from peva_env.config import GENERATOR_TAG
from peva_env.errors import ConfigError, LoadGeneratorError
from peva_env.sources.k6.job import Ended, Job, Share
from peva_env.sources.k6.log import tell
from peva_env.sources.k6.settings import K6Settings
from peva_env.sources.k6.shards.merge import SHARD_TREND_STATS, merged
from peva_env.sources.k6.shards.place import Place
from peva_env.sources.k6.shards.worker import About, WorkerEnd, this_machine

_READY_S = 30.0
"""Time for all k6 to start and to initialise their virtual users, on a machine under load."""

_ANSWER_S = 15.0
"""Time for an answer of a generator beyond that of its work; one whose machine is gone may never answer."""

_STOP_S = 1.0
"""Time for k6 to end when it is told to, before it is told once more."""

_NOTICE_S = 0.05
"""Time from the moment when all are ready to the begin of the load, beside that of a message there and back."""

_MOST_LATE_S = 0.05
"""How late the load of a generator may begin: a twentieth of the shortest run."""

_MOST_OFF_S = 0.05
"""How far the clock of a generator may be off."""

_ASKED_THE_TIME = 5
"""Times that each clock is read; the reading with the shortest way there and back counts."""


class Generators:
    """Several k6 that share each run; a job for one k6 is divided by k6's execution segments.

    Args:
        place: where they are.
        urls: an address for each generator, to which it sends everything; default: the addresses of the job.
    """

    def __init__(self, place: Place, urls: Sequence[str] = ()) -> None:
        self._place = place
        self._urls = urls
        self._about: list[About] = []
        self._version = ""

    @property
    def n(self) -> int:
        """The number of generators."""
        return len(self._place.names)

    def version(self) -> str:
        """Return the version of k6, the same everywhere, also after a lost generator was replaced.

        Raises:
            LoadGeneratorError: a generator is lost or has no usable k6.
            ConfigError: the versions differ.
        """
        if not self._place.renew() and self._version:
            return self._version
        self._about = self._all("about", _READY_S)
        versions = {self._version: "the generator before"} if self._version else {}
        for about, name in zip(self._about, self._place.names, strict=True):
            versions.setdefault(about.version, name)
        if len(versions) > 1:
            (one, here), (other, there) = list(versions.items())[:2]
            raise ConfigError(
                f"generators: {here} has k6 {one}, but {there} has k6 {other}; install one version everywhere, since "
                "runs of different generators cannot be compared"
            )
        self._version = next(iter(versions))
        return self._version

    def require_accepted(self, settings: K6Settings) -> None:
        """Check that k6 accepts its settings.

        Raises:
            ConfigError: it does not.
        """
        self._answers(self._ask("require_accepted", lambda _: (settings,)), _READY_S)

    def require_on_this_machine(self) -> None:
        """Check that all generators are on this machine.

        Raises:
            ConfigError: one is not.
        """
        for about, name in zip(self._about, self._place.names, strict=True):
            if about.machine != this_machine():
                raise ConfigError(
                    f"ray: {name} is another machine, from which the local node cannot be reached; measure a node of "
                    "platform http or openfaas, or leave out ray"
                )

    @contextmanager
    def against_own_servers(self) -> Iterator["Generators"]:
        """Give these generators for runs in which each loads a small server beside it."""
        try:
            ports = self._all("serve", _READY_S)
            yield Generators(self._place, [f"http://127.0.0.1:{port}/" for port in ports])
        finally:
            self._all("end_serving", _READY_S)

    def close(self) -> None:
        """End all generators."""
        self._place.close()

    def execute(self, job: Job) -> Ended:
        """Run a job, a share at each generator, and return the run as a whole.

        If a threshold of one share ends it early, all others are ended, too.

        Raises:
            LoadGeneratorError: a generator failed, is lost, was late, or its clock is off; it is named.
        """
        started_at = time.time()
        self.version()  # also of those that replace lost ones
        working: list[Future[Any]] = []
        try:
            preparing = self._ask("prepare", lambda i: (self._share(job, i), _READY_S))
            working += preparing.values()
            clocks = [self._clock(i) for i in range(self.n)]
            self._answers(preparing, _READY_S + _ANSWER_S)
            begins_at = time.time() + _NOTICE_S + 2 * max(way_s for _, way_s in clocks)
            begun = self._ask("begin", lambda i: (begins_at + clocks[i][0], job.limit_s))
            working += begun.values()
            ends = self._ends(begun, begins_at + job.limit_s + _ANSWER_S - time.time())
        except BaseException:
            self._stop(working)
            raise
        self._require_punctual(ends, begins_at, [offset_s for offset_s, _ in clocks])
        return self._ended(ends, started_at, begins_at)

    def _share(self, job: Job, index: int) -> Job:
        """Return the share of a generator; its samples have a tag of their own, and its files names of their own."""
        n, tags = self.n, {GENERATOR_TAG: str(index + 1)}
        options = {
            **job.options,
            "executionSegment": f"{index}/{n}:{index + 1}/{n}",
            "executionSegmentSequence": ",".join(f"{i}/{n}" for i in range(n + 1)),
            "summaryTrendStats": SHARD_TREND_STATS,
            "tags": {**job.options["tags"], **tags},
        }
        requests = [{**request, "url": self._urls[index]} if self._urls else request for request in job.requests]
        return replace(job, options=options, requests=requests, tags={**job.tags, GENERATOR_TAG: f"g{index + 1}"})

    def _clock(self, index: int) -> tuple[float, float]:
        """Return how far the clock of a generator is ahead of ours, and how long the way there and back took.

        Raises:
            LoadGeneratorError: it is off by too much.
        """
        readings = []
        for _ in range(_ASKED_THE_TIME):
            asked_at = time.time()
            (there_at,) = self._answers({index: self._place.call(index, "now")}, _ANSWER_S)
            way_s = time.time() - asked_at
            readings.append((way_s, there_at - asked_at - way_s / 2))
        way_s, offset_s = min(readings)
        if abs(offset_s) - way_s / 2 > _MOST_OFF_S:
            raise LoadGeneratorError(
                f"{self._place.names[index]}: its clock is off by {1000 * offset_s:+.0f} ms; synchronise "
                f"the clocks to within {1000 * _MOST_OFF_S:g} ms, for example with chrony"
            )
        return offset_s, way_s

    def _all(self, method: str, limit_s: float) -> list[Any]:
        return self._answers(self._ask(method, lambda _: ()), limit_s)

    def _ask(self, method: str, arguments: Callable[[int], Sequence[Any]]) -> dict[int, Future[Any]]:
        return {i: self._place.call(i, method, *arguments(i)) for i in range(self.n)}

    def _answers(
        self, asked: Mapping[int, Future[Any]], limit_s: float, each: Callable[[Any], None] = lambda _: None
    ) -> list[Any]:
        """Return the answers in order; the first failure of any raises. ``each`` is told every answer as it comes."""
        deadline, pending = time.monotonic() + limit_s, set(asked.values())
        names = {future: self._place.names[i] for i, future in asked.items()}
        while pending:
            done, pending = wait(pending, max(0.0, deadline - time.monotonic()), FIRST_COMPLETED)
            if not done:
                problem = f"{names[pending.pop()]} did not answer within {limit_s:.0f} s"
                raise LoadGeneratorError(problem, is_temporary=True)
            for future in done:
                try:
                    answer = future.result()
                except LoadGeneratorError as error:
                    raise LoadGeneratorError(f"{names[future]}: {error}", is_temporary=error.is_temporary) from error
                each(answer)
        return [future.result() for future in asked.values()]

    def _ends(self, begun: Mapping[int, Future[WorkerEnd]], limit_s: float) -> list[WorkerEnd]:
        def end_all(answer: WorkerEnd) -> None:
            if answer.end.aborted:
                self._ask("stop", lambda _: ())

        ends = self._answers(begun, limit_s, end_all)
        for name, end in zip(self._place.names, ends, strict=True):
            for level, line in end.log:
                tell(level, f"{name}: {line}")
        return ends

    def _stop(self, working: Sequence[Future[Any]]) -> None:
        """End all k6 and wait for it, as long as that may take; a generator that is lost has none."""
        deadline = time.monotonic() + _ANSWER_S
        pending: set[Future[Any]] = set(working)
        while True:
            stopping = self._ask("stop", lambda _: ()).values()
            if not pending or time.monotonic() > deadline:  # one that was ready only now is stopped, too
                wait(stopping, _STOP_S)
                return
            _, pending = wait(pending, _STOP_S)

    def _require_punctual(self, ends: Sequence[WorkerEnd], begins_at: float, offsets_s: Sequence[float]) -> None:
        for name, end, offset_s in zip(self._place.names, ends, offsets_s, strict=True):
            late_s = end.end.summary["setup_data"]["load_started_ms"] / 1000 - offset_s - begins_at
            if late_s > _MOST_LATE_S:
                raise LoadGeneratorError(f"{name} began {1000 * late_s:.0f} ms late; is its machine busy?")

    def _ended(self, ends: Sequence[WorkerEnd], started_at: float, begins_at: float) -> Ended:
        shares = tuple(
            Share(name, about.machine, end.end)
            for name, about, end in zip(self._place.names, self._about, ends, strict=True)
        )
        errors = (f"{share.name}: {share.end.first_error}" for share in shares if share.end.first_error)
        return Ended(
            summary=merged([end.end.summary for end in ends], begins_at),
            started_at=started_at,
            ended_at=time.time(),
            aborted=any(end.end.aborted for end in ends),
            first_error=next(errors, ""),
            shares=shares,
        )
