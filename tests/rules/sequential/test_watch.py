"""When a run is ended, and when it goes on."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pytest

from peva_env.config import OverloadConfig
from peva_env.contracts import FunctionMeasurement, NodeMeasurement, Verdict
from peva_env.rules.sequential.watch import Ending, Part, Reading, Watch, look_times

CALM = NodeMeasurement(cpu_pct=20.0, ram_pct=30.0)
DURATION_S = 30.0


class Run:
    """A run of one function: the mean latency and the success of the requests that end at a moment.

    Requests end ``latency_s`` after they were sent; ``noise_s`` is the deviation of half a second's mean latency.
    """

    def __init__(
        self,
        latency_s: Callable[[float], float] = lambda _: 0.05,
        success: Callable[[float], float] = lambda _: 1.0,
        *,
        rate_rps: int = 100,
        noise_s: float = 0.001,
    ) -> None:
        self.latency_s, self.success = latency_s, success
        self.rate_rps, self.noise_s = rate_rps, noise_s

    def readings(self, name: str = "f") -> list[FunctionMeasurement]:
        rng = np.random.default_rng(1)
        found, offered, succeeded, total_ms = [], 0, 0, 0.0
        for at_s in np.arange(0.5, DURATION_S, 0.5):
            latency_s = self.latency_s(at_s)
            now = round(self.rate_rps * max(0.0, at_s - latency_s))
            ok = round((now - offered) * self.success(at_s))
            total_ms += 1000 * ok * (latency_s + self.noise_s * rng.standard_normal())
            offered, succeeded = now, succeeded + ok
            mean_ms = total_ms / succeeded if succeeded else None
            found.append(
                FunctionMeasurement(
                    name,
                    self.rate_rps,
                    offered,
                    offered,
                    0,
                    succeeded,
                    {"status_5xx": offered - succeeded} if offered > succeeded else {},
                    succeeded / offered if offered else 1.0,
                    **dict.fromkeys(("mean_ms", "p50_ms", "p90_ms", "p95_ms", "p99_ms"), mean_ms),
                )
            )
        return found


def calm(functions: Sequence[FunctionMeasurement], start_s: float, end_s: float) -> Part:
    return Part(functions, CALM)


def watched(
    *runs: Run,
    rules: OverloadConfig | None = None,
    part: Callable[[Sequence[FunctionMeasurement], float, float], Part] = calm,
    is_even: bool = True,
) -> tuple[Ending, float] | None:
    """Return how and when a run is ended; None if it goes on to its end."""
    watch = Watch(rules or OverloadConfig(), duration_s=DURATION_S, timeout_s=5.0, part=part)
    functions = [run.readings(f"f{i}") for i, run in enumerate(runs)]
    for number, counted in enumerate(zip(*functions, strict=True), start=1):
        ending = watch.add(Reading(number / 2, counted, is_even))
        if ending:
            return ending, number / 2
    return None


def ended(*runs: Run, **values: object) -> tuple[Verdict, float] | None:
    found = watched(*runs, **values)  # type: ignore[arg-type]
    return (found[0].verdict, found[1]) if found else None


def test_a_calm_run_ends_after_a_quarter_and_a_failing_one_at_the_first_look() -> None:
    assert ended(Run()) == (Verdict.OK, 8.0)
    assert ended(Run(success=lambda _: 0.7)) == (Verdict.OVERLOADED, 3.0)


def test_a_function_at_its_limit_runs_to_the_end() -> None:
    assert ended(Run(success=lambda _: 0.95)) is None


def test_a_load_slightly_above_capacity_is_not_ended_as_ok() -> None:
    for growth in (0.01, 0.02, 0.03):
        assert ended(Run(lambda at_s, growth=growth: 0.05 + growth * at_s)) is None  # type: ignore[misc]


def test_a_growing_queue_ends_a_run_as_overloaded_and_says_by_how_much_it_grew() -> None:
    found = watched(Run(lambda at_s: 0.05 + 0.1 * at_s))
    assert found is not None
    ending, ran_s = found
    assert (ending.verdict, ran_s) == (Verdict.OVERLOADED, 8.0)
    assert ending.growth == {"f0": pytest.approx(0.1, abs=0.01)}
    no_rule = OverloadConfig(backlog=False)
    assert ended(Run(lambda at_s: 0.05 + 0.1 * at_s), rules=no_rule) is None, "it may yet be OK, but not decidedly"


def test_a_queue_that_began_to_grow_late_is_not_ended_as_ok() -> None:
    assert ended(Run(lambda at_s: 0.05 + 0.05 * max(0.0, at_s - 5.0))) != (Verdict.OK, 8.0)


def test_a_latency_that_wanders_is_not_known_to_stand_still() -> None:
    assert ended(Run(noise_s=0.2), rules=OverloadConfig(p95_ms_max=300.0)) is None


def test_a_cold_start_that_fails_is_not_overload() -> None:
    found = ended(Run(success=lambda at_s: 0.0 if at_s < 1.2 else 1.0))
    assert found is None or found[0] is Verdict.OK


def test_requests_without_an_answer_count_against_ok() -> None:
    """One request in ten is never answered: neither success nor latency of the others shows it."""
    run = Run()
    whole = run.readings

    def stuck(name: str = "f") -> list[FunctionMeasurement]:
        return [
            replace(one, offered=round(one.offered * 0.9), sent=round(one.sent * 0.9), succeeded=round(one.sent * 0.9))
            for one in whole(name)
        ]

    run.readings = stuck  # type: ignore[method-assign]
    assert ended(run) is None


def test_in_a_mix_all_must_be_calm_and_one_that_fails_is_enough() -> None:
    assert ended(Run(), Run(rate_rps=40)) == (Verdict.OK, 8.0)
    assert ended(Run(), Run(lambda at_s: 0.05 + 0.02 * at_s)) is None
    assert ended(Run(), Run(success=lambda _: 0.6)) == (Verdict.OVERLOADED, 3.0)


def test_nothing_is_decided_while_the_generator_stands_still() -> None:
    assert ended(Run(), is_even=False) is None
    assert ended(Run(success=lambda _: 0.5), is_even=False) is None


def test_without_cpu_that_a_rule_is_about_a_run_is_not_ended_as_ok() -> None:
    def unknown(functions: Sequence[FunctionMeasurement], start_s: float, end_s: float) -> Part:
        return Part(functions, NodeMeasurement())

    assert ended(Run(), part=unknown) is None
    without = OverloadConfig(cpu_overload_pct_of_capacity=None, ram_overload_pct=None)
    assert ended(Run(), part=unknown, rules=without) == (Verdict.OK, 8.0)


@pytest.mark.parametrize(
    ("first", "second", "verdict"),
    [
        (NodeMeasurement(cpu_pct=50.0, ram_pct=30.0), NodeMeasurement(cpu_pct=50.0, ram_pct=30.0), Verdict.OK),
        (NodeMeasurement(cpu_pct=50.0, ram_pct=30.0), NodeMeasurement(cpu_pct=75.0, ram_pct=30.0), None),
        (NodeMeasurement(cpu_pct=99.0, ram_pct=30.0), NodeMeasurement(cpu_pct=99.0, ram_pct=30.0), Verdict.OVERLOADED),
        (NodeMeasurement(cpu_pct=99.0, ram_pct=30.0), NodeMeasurement(cpu_pct=50.0, ram_pct=30.0), None),
        (NodeMeasurement(cpu_pct=50.0, ram_pct=30.0), NodeMeasurement(cpu_pct=50.0, ram_pct=70.0), None),
    ],
)
def test_cpu_and_ram_must_agree_in_both_halves_and_ram_may_not_grow_to_its_limit(
    first: NodeMeasurement, second: NodeMeasurement, verdict: Verdict | None
) -> None:
    def halves(functions: Sequence[FunctionMeasurement], start_s: float, end_s: float) -> Part:
        return Part(functions, first if start_s == 1.0 and end_s < 20 else second)

    found = ended(Run(), part=halves)
    assert found == ((verdict, 8.0) if verdict else None)


def test_a_function_that_gets_replicas_is_not_ended_as_ok() -> None:
    def scaled(functions: Sequence[FunctionMeasurement], start_s: float, end_s: float) -> Part:
        return Part([replace(one, replicas=1 if start_s == 1.0 else 2) for one in functions], CALM)

    assert ended(Run(), part=scaled) is None


def test_a_run_is_looked_at_a_few_times_from_three_seconds_to_nine_tenths() -> None:
    times = look_times(30.0)
    assert (times[0], times[-1] <= 27.0, len(times)) == (3.0, True, 16)
    assert look_times(10.0)[-1] <= 9.0


def test_the_node_is_not_measured_where_that_could_decide_nothing() -> None:
    def failing(functions: Sequence[FunctionMeasurement], start_s: float, end_s: float) -> Part:
        raise AssertionError

    without = OverloadConfig(cpu_overload_pct_of_capacity=None, ram_overload_pct=None)
    assert ended(Run(lambda at_s: 0.05 + 0.02 * at_s), part=failing, rules=without) is None


def test_requests_that_take_longer_than_others_are_no_overload() -> None:
    """One request in four takes longer than the run so far."""
    run = Run()
    whole = run.readings

    def late(name: str = "f") -> list[FunctionMeasurement]:
        return [
            replace(one, offered=3 * one.offered // 4, sent=3 * one.sent // 4, succeeded=3 * one.succeeded // 4)
            for one in whole(name)
        ]

    run.readings = late  # type: ignore[method-assign]
    assert ended(run) is None


def test_other_programs_explain_a_part_of_the_failures_only() -> None:
    """One request in ten met a function without a core, which explains up to 15 % of refusals."""

    def crowded(functions: Sequence[FunctionMeasurement], start_s: float, end_s: float) -> Part:
        return Part([replace(one, crowded_out=one.offered // 10) for one in functions], CALM)

    assert ended(Run(success=lambda _: 0.85), part=crowded) is None
    found = ended(Run(success=lambda _: 0.6), part=crowded)
    assert found is not None
    assert (found[0], found[1] < 5) == (Verdict.OVERLOADED, True)
