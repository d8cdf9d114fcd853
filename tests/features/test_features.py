"""What the learnt agent sees: measurements as arrays, a Gaussian process, and features that are always numbers."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from peva_env.config import OverloadConfig
from peva_env.contracts import ExecutionEvent, NodeMeasurement, Verdict
from peva_env.features import Counts, Features, Measured, Measurements
from peva_env.features.gaussian import GaussianProcess
from peva_env.space import Config, ConfigSpace
from peva_env.testing.examples import example_event

SPACE = ConfigSpace({"a": range(0, 201, 20), "b": range(0, 101, 10)}, max_functions=3)


def event(
    config: Config, verdict: Verdict, *, iteration: int = 0, success: float = 1.0, cpu_pct: float | None = 50.0
) -> ExecutionEvent:
    example = example_event(config, iteration, verdict)
    functions = tuple(replace(one, success_rate=success, mean_ms=40.0) for one in example.functions)
    return replace(example, functions=functions, node=NodeMeasurement(cpu_pct=cpu_pct, ram_pct=20.0))


def measured(*events: ExecutionEvent) -> Measurements:
    own = Measured(SPACE)
    own.learn(events)
    return own.measurements()


def test_a_configuration_is_one_row_of_means_and_its_majority() -> None:
    config = [("a", 100), ("b", 100)]
    found = measured(
        event(config, Verdict.OVERLOADED, success=0.6),
        event(config, Verdict.OVERLOADED, success=0.8, cpu_pct=None, iteration=1),
        event(config, Verdict.OK, iteration=2, cpu_pct=80.0),
        event([("a", 200)], Verdict.OK),
    )
    assert len(found) == 2
    assert found.rates.tolist() == [[0.5, 1.0], [1.0, 0.0]]
    assert found.labels.tolist() == [1, -1]
    assert found.success[0].tolist() == pytest.approx([0.8, 0.8])
    assert found.cpu_pct.tolist() == [65.0, 50.0]
    assert found.success[1].tolist() == [1.0, 1.0]
    assert found.mean_ms[1, 0] == 40.0
    assert np.isnan(found.mean_ms[1, 1])


def test_a_tie_is_ok_and_what_does_not_fit_is_left_out() -> None:
    config = [("a", 100)]
    found = measured(
        event(config, Verdict.OVERLOADED),
        event(config, Verdict.OK, iteration=1),
        event([("z", 1)], Verdict.OVERLOADED),
    )
    assert found.labels.tolist() == [-1]


def test_a_gaussian_process_goes_through_its_points_and_forgets_far_from_them() -> None:
    points = np.array([[0.1, 0.2], [0.8, 0.5], [0.3, 0.9]])
    values = np.array([1.0, -2.0, 0.5])
    process = GaussianProcess(points, values, length=0.3, noise=1e-9, slope=0.0)
    mean, deviation = process.at(np.vstack([points, [[9.0, 9.0]]]))
    assert mean.tolist() == pytest.approx([1.0, -2.0, 0.5, 0.0], abs=1e-5)
    assert deviation.tolist() == pytest.approx([0.001, 0.001, 0.001, 1.0], abs=1e-3)


def test_its_formula_is_that_of_the_book() -> None:
    rng = np.random.default_rng(1)
    points, values, asked = rng.random((8, 2)), rng.normal(size=8), rng.random((5, 2))

    def covariance(one: NDArray[np.float64], other: NDArray[np.float64]) -> NDArray[np.float64]:
        scaled = np.sqrt(3) * np.linalg.norm(one[:, None] - other[None], axis=2) / 0.4
        total: NDArray[np.float64] = 2.0 * (1 + scaled) * np.exp(-scaled) + 0.5 * one @ other.T
        return total

    weights = np.linalg.solve(covariance(points, points) + 0.1 * np.eye(8), covariance(points, asked)).T
    variance = np.diag(covariance(asked, asked) - weights @ covariance(points, asked))
    mean, deviation = GaussianProcess(points, values, length=0.4, noise=0.1, slope=0.5, height=2.0).at(asked)
    assert mean == pytest.approx(weights @ values)
    assert deviation == pytest.approx(np.sqrt(variance))


CAMPAIGNS = {
    "nothing": (),
    "one that is OK": (event([("a", 100), ("b", 50)], Verdict.OK),),
    "one that is overloaded": (event([("a", 100), ("b", 50)], Verdict.OVERLOADED, success=0.7),),
    "both, without CPU": (
        event([("a", 100)], Verdict.OK, cpu_pct=None),
        event([("a", 200), ("b", 100)], Verdict.OVERLOADED, success=0.0, cpu_pct=None),
    ),
}


@pytest.mark.parametrize("name", CAMPAIGNS)
def test_features_are_numbers_as_many_whatever_was_measured(name: str) -> None:
    rates = np.random.default_rng(0).random((30, 2))
    counts = Counts(np.full(30, 3), np.full(30, 7), 30)
    maker = Features(measured(*CAMPAIGNS[name]), OverloadConfig())
    found = maker.of(rates, counts)
    assert found.shape == (30, 48)
    assert np.isfinite(found).all()
    alone = maker.of(rates[:1], Counts(counts.below[:1], counts.above[:1], 30))
    assert alone[0] == pytest.approx(found[0])


def test_littles_law_tells_how_full_the_slots_would_be() -> None:
    """Five slots and 50 ms serve 100 requests/s: at 50 half of them are taken, at 200 twice as many are asked for."""
    space = ConfigSpace({"a": range(0, 201, 10)})
    own = Measured(space)
    full = event([("a", 160)], Verdict.OVERLOADED, success=0.625)
    own.learn([replace(full, functions=(replace(full.functions[0], mean_ms=50.0),))])
    rates = np.array([[0.25], [0.5], [1.0]])
    counts = Counts(np.ones(3, np.int64), np.ones(3, np.int64), 3)
    found = Features(own.measurements(), OverloadConfig()).of(rates, counts)
    asked = [column for column in found.T if column == pytest.approx(np.log([0.5, 1.0, 2.0]), abs=1e-6)]
    assert len(asked) == 1
