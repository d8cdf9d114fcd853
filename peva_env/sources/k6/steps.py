"""Stepped runs: several loads one after the other in one process of k6.

Each step has scenarios of its own, which begin when those of the step before have ended. Requests of a step that are
still waiting then are counted with their own step. The first step that is certainly overloaded ends the run.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from peva_env.contracts import FunctionMeasurement
from peva_env.sources.k6.plan import FunctionLoad, k6_options
from peva_env.sources.k6.summary import ended_early_after, measurements


class Step(NamedTuple):
    """A step of a stepped run.

    Attributes:
        loads: the functions, in the same order in each step; only their rates differ between steps.
        most_failures: one number per function: with more failed or more dropped requests, the step ends the run.
    """

    loads: Sequence[FunctionLoad]
    most_failures: Sequence[int]


class MeasuredStep(NamedTuple):
    """What was measured in a step; ``start_s`` is when it began, in seconds after the start of k6's load."""

    start_s: float
    functions: tuple[FunctionMeasurement, ...]
    aborted_after_s: float | None


def step_options(
    steps: Sequence[Step],
    *,
    step_s: float,
    warm_up_s: float,
    timeout_s: float,
    max_vus: int,
    tags: Mapping[str, str],
    generators: int = 1,
) -> dict[str, Any]:
    """Return k6's options for steps of ``step_s`` seconds each; a warm-up at the rates of the first step comes first.

    ``max_vus`` is the upper limit of the virtual users of each step; for ``generators`` see ``k6_options``.
    """
    merged: dict[str, Any] = {}
    for number, step in enumerate(steps):
        options = k6_options(
            step.loads,
            duration_s=step_s,
            warm_up_s=0.0 if number else warm_up_s,
            timeout_s=timeout_s,
            max_vus=max_vus,
            tags=tags,
            most_failures=step.most_failures,
            step=_name(number),
            start_s=_start_s(number, step_s, warm_up_s) if number else 0.0,
            generators=generators,
        )
        for section in ("scenarios", "thresholds"):
            options[section] = merged.get(section, {}) | options[section]
        merged = options
    return merged


def measured_steps(
    steps: Sequence[Step], summary: Mapping[str, Any], *, step_s: float, warm_up_s: float, may_be_early: bool
) -> list[MeasuredStep]:
    """Return the steps that were run, in order.

    A step that another one cut short is left out, because nothing follows from a part of it.

    Raises:
        LoadGeneratorError: a metric is missing, a function got no load, or not all requests are accounted for.
    """
    found = []
    for number, step in enumerate(steps):
        start_s = _start_s(number, step_s, warm_up_s)
        functions = measurements(step.loads, summary, step_s, may_be_early=may_be_early, step=_name(number))
        cut_s = ended_early_after(step.loads, functions, summary, step_s, start_s) if may_be_early else None
        if cut_s is None or _ended_the_run(functions, step.most_failures):
            found.append(MeasuredStep(start_s, functions, cut_s))
    return found


def _ended_the_run(functions: Sequence[FunctionMeasurement], most_failures: Sequence[int]) -> bool:
    return any(
        sum(function.failed.values()) > most or function.dropped > most
        for function, most in zip(functions, most_failures, strict=True)
    )


def _name(number: int) -> str:
    return f"s{number}"


def _start_s(number: int, step_s: float, warm_up_s: float) -> float:
    return warm_up_s + number * step_s
