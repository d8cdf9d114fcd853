"""What becomes of a run when one of its generators fails: each fault is named with the generator."""

import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any

import pytest

from peva_env.errors import ConfigError, LoadGeneratorError
from peva_env.sources.k6.cpu_trace import CpuUse
from peva_env.sources.k6.job import End, Job
from peva_env.sources.k6.settings import K6Settings
from peva_env.sources.k6.shards import Generators
from peva_env.sources.k6.shards.worker import About, WorkerEnd

JOB = Job({"tags": {}}, [], {"iteration": "3"}, load_s=1, limit_s=1, may_abort=False, settings=K6Settings())


@dataclass
class FakePlace:
    """Plays three generators that do all they should, but for what a test changes."""

    off_s: dict[int, float] = field(default_factory=dict)
    late_s: dict[int, float] = field(default_factory=dict)
    versions: dict[int, str] = field(default_factory=dict)
    machines: dict[int, str] = field(default_factory=dict)
    fails: dict[tuple[int, str], Exception] = field(default_factory=dict)
    is_renewed: bool = False
    aborted: frozenset[int] = frozenset()
    calls: list[tuple[int, str]] = field(default_factory=list)
    jobs: list[Job] = field(default_factory=list)
    names: tuple[str, ...] = ("generator 1 of 3", "generator 2 of 3", "generator 3 of 3")

    def renew(self) -> bool:
        return self.is_renewed

    def close(self) -> None:
        self.calls.append((-1, "close"))

    def call(self, index: int, method: str, *arguments: Any) -> Future[Any]:
        self.calls.append((index, method))
        future: Future[Any] = Future()
        if error := self.fails.get((index, method)):
            future.set_exception(error)
            return future
        play: Callable[..., Any] = getattr(self, f"_{method}")
        future.set_result(play(index, *arguments))
        return future

    def _about(self, index: int) -> About:
        return About(self.versions.get(index, "1.1.0"), self.machines.get(index, "one"))

    def _now(self, index: int) -> float:
        return time.time() + self.off_s.get(index, 0.0)

    def _prepare(self, index: int, job: Job, limit_s: float) -> None:
        self.jobs.append(job)

    def _stop(self, index: int) -> None:
        pass

    def _begin(self, index: int, at_s: float, limit_s: float) -> WorkerEnd:
        began_ms = 1000 * (at_s + self.late_s.get(index, 0.0))
        setup = {"ready_ms": began_ms, "load_started_ms": began_ms}
        summary = {"metrics": {}, "setup_data": setup, "state": {"testRunDurationMs": 1000}}
        end = End(summary, 0, 1, CpuUse(0.5 + index), cores=2, aborted=index in self.aborted, first_error="")
        return WorkerEnd(end, ())


def failure_of(place: FakePlace) -> str:
    with pytest.raises(LoadGeneratorError) as caught:
        Generators(place).execute(JOB)
    return str(caught.value)


def test_each_generator_has_a_segment_a_tag_and_a_name_of_files() -> None:
    place = FakePlace()
    Generators(place).execute(JOB)
    assert [job.options["executionSegment"] for job in place.jobs] == ["0/3:1/3", "1/3:2/3", "2/3:3/3"]
    assert {job.options["executionSegmentSequence"] for job in place.jobs} == {"0/3,1/3,2/3,3/3"}
    assert [job.options["tags"] for job in place.jobs] == [{"generator": i} for i in "123"]
    assert [job.tags for job in place.jobs] == [{"iteration": "3", "generator": f"g{i}"} for i in "123"]


def test_one_that_fails_is_named_and_all_others_are_ended() -> None:
    place = FakePlace(fails={(1, "begin"): LoadGeneratorError("k6 failed with exit code -9 (it was killed)")})
    assert failure_of(place) == "generator 2 of 3: k6 failed with exit code -9 (it was killed)"
    assert {index for index, method in place.calls if method == "stop"} == {0, 1, 2}


def test_one_that_is_not_ready_is_named_and_nothing_is_sent() -> None:
    place = FakePlace(fails={(2, "prepare"): LoadGeneratorError("k6 was not ready to send within 30 s")})
    assert failure_of(place) == "generator 3 of 3: k6 was not ready to send within 30 s"
    assert not [call for call in place.calls if call[1] == "begin"]


@pytest.mark.parametrize("is_temporary", [True, False])
def test_one_that_may_tell_its_version_later_is_told_apart(is_temporary: bool) -> None:
    place = FakePlace(fails={(1, "about"): LoadGeneratorError("it has no k6", is_temporary=is_temporary)})
    with pytest.raises(LoadGeneratorError, match="generator 2 of 3: it has no k6") as caught:
        Generators(place).version()
    assert caught.value.is_temporary is is_temporary


@pytest.mark.parametrize("off_s", [0.08, -0.08])
def test_one_whose_clock_is_off_is_named(off_s: float) -> None:
    place = FakePlace(off_s={1: off_s})
    assert failure_of(place).startswith(f"generator 2 of 3: its clock is off by {'-+'[off_s > 0]}")
    assert "synchronise the clocks to within 50 ms" in failure_of(place)


def test_a_small_difference_of_clocks_is_made_up_for() -> None:
    assert Generators(FakePlace(off_s={1: 0.04})).execute(JOB)


def test_one_that_begins_late_is_named() -> None:
    assert failure_of(FakePlace(late_s={2: 0.2})).startswith("generator 3 of 3 began 200 ms late")


def test_different_versions_of_k6_are_refused() -> None:
    with pytest.raises(
        ConfigError, match=r"^generators: generator 1 of 3 has k6 1\.1\.0, but generator 2 of 3 has k6 "
    ):
        Generators(FakePlace(versions={1: "2.0.0"})).version()


def test_one_that_takes_the_place_of_another_must_have_its_version() -> None:
    place = FakePlace()
    generators = Generators(place)
    assert generators.version() == "1.1.0"
    place.is_renewed, place.versions = True, dict.fromkeys(range(3), "2.0.0")
    with pytest.raises(ConfigError, match=r"the generator before has k6 1\.1\.0, but generator 1 of 3 has k6 2\.0\.0"):
        generators.execute(JOB)


def test_one_that_ends_early_ends_the_others() -> None:
    place = FakePlace(aborted=frozenset({1}))
    assert Generators(place).execute(JOB).aborted
    assert {index for index, method in place.calls if method == "stop"} == {0, 1, 2}


def test_cpu_is_added_on_each_machine_and_the_busiest_counts() -> None:
    one_machine = Generators(FakePlace()).execute(JOB)
    assert one_machine.cpu_pct(10) == pytest.approx(100 * (0.5 + 1.5 + 2.5) / 20)
    assert one_machine.busiest() == "generator 1 of 3, generator 2 of 3, generator 3 of 3"
    two = Generators(FakePlace(machines={2: "other"})).execute(JOB)
    assert two.cpu_pct(10) == pytest.approx(100 * 2.5 / 20)
    assert two.busiest() == "generator 3 of 3"
