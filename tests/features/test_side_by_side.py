"""The features of many campaigns side by side are those of each campaign alone, which the learnt agent uses."""

import numpy as np
import pytest
from numpy.typing import NDArray

from peva_env.config import OverloadConfig
from peva_env.features import FEATURES, Counts, Features, Measurements
from peva_env.features.side_by_side import Campaigns, CountsOfMany, Runs

N, K = 20, 12
RULES = {
    "the usual rules": OverloadConfig(),
    "no limit of CPU": OverloadConfig(cpu_overload_pct_of_capacity=None, success_rate_node_min=None),
}


def measured(rng: np.random.Generator, n_runs: int, n_functions: int) -> Measurements:
    """Return measurements of a node that none is: some are missing, some success rates are 0."""
    rates = rng.integers(0, 11, (n_runs, n_functions)) / 10
    success = np.array([0.0, 0.5, 0.97, 0.99, 1.0])[rng.integers(5, size=(n_runs, n_functions))]
    success[rates == 0] = 1.0
    mean_ms = np.where(rng.random(rates.shape) < 0.2, np.nan, rng.uniform(5, 500, rates.shape))
    use = rng.uniform(0, 100, (2, n_runs))
    use[rng.random(use.shape) < 0.3] = np.nan
    labels = np.where(success.min(axis=1) < 0.9, 1.0, -1.0)
    return Measurements(rates, labels, success, mean_ms, *use)


def entered(campaigns: Campaigns, measurements: list[Measurements]) -> None:
    """Add the measurements in turns, one to each campaign that has another."""
    for turn in range(max(map(len, measurements))):
        where = [i for i, own in enumerate(measurements) if turn < len(own)]
        parts = [
            np.array([getattr(measurements[i], name)[turn] for i in where])
            for name in ("rates", "labels", "success", "mean_ms", "cpu_pct", "ram_pct")
        ]
        campaigns.add(np.array(where), Runs(*parts))


def whole(rows: NDArray[np.float64], of_campaigns: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return all features in the order of their catalogue, (N, K, N_FEATURES)."""
    found = np.empty((N, K, len(FEATURES)))
    found[:, :, [not feature.of_campaign for feature in FEATURES]] = rows
    found[:, :, [feature.of_campaign for feature in FEATURES]] = of_campaigns[:, None]
    return found


@pytest.mark.parametrize("n_functions", [1, 2, 3])
@pytest.mark.parametrize("rules", RULES)
def test_features_are_those_of_each_campaign_alone(n_functions: int, rules: str) -> None:
    rng = np.random.default_rng(n_functions)
    campaigns = Campaigns(N, n_functions, RULES[rules])
    for _ in range(2):  # the second time, what was measured before is forgotten
        everywhere = np.arange(N)
        campaigns.begin(everywhere)
        measurements = [measured(rng, i, n_functions) for i in rng.permutation(2 * N)[:N]]
        entered(campaigns, measurements)
        candidates = rng.integers(0, 11, (N, K, n_functions)) / 10
        below, above, n = rng.integers(1, 50, (N, K)), rng.integers(1, 50, (N, K)), rng.integers(50, 90, N)
        rows = campaigns.rows(everywhere, candidates, CountsOfMany(below, above, n))
        found = whole(rows, campaigns.of_campaigns(everywhere, n))
        for i, own in enumerate(measurements):
            expected = Features(own, RULES[rules]).of(candidates[i], Counts(below[i], above[i], int(n[i])))
            for number, feature in enumerate(FEATURES):
                np.testing.assert_allclose(
                    found[i, :, number], expected[:, number], rtol=1e-7, atol=1e-7, err_msg=feature.name
                )
                assert (expected[:, number] >= feature.low - 1e-9).all(), feature.name
                assert (expected[:, number] <= feature.high + 1e-9).all(), feature.name


def test_some_campaigns_are_asked_in_any_order() -> None:
    rng = np.random.default_rng(0)
    campaigns = Campaigns(N, 2, OverloadConfig())
    campaigns.begin(np.arange(N))
    entered(campaigns, [measured(rng, i, 2) for i in range(N)])
    candidates, ones = rng.random((N, K, 2)), np.ones((N, K), np.int64)
    counts = CountsOfMany(ones, ones, np.full(N, 2))
    of_all = campaigns.rows(np.arange(N), candidates, counts)
    some = np.array([7, 3, 19])
    assert campaigns.rows(some, candidates[some], counts.of(some)) == pytest.approx(of_all[some], rel=1e-9, abs=1e-9)


def test_of_very_many_runs_the_processes_keep_the_latest() -> None:
    rng = np.random.default_rng(0)
    campaigns = Campaigns(2, 2, OverloadConfig())
    campaigns.begin(np.arange(2))
    entered(campaigns, [measured(rng, 300, 2), measured(rng, 5, 2)])
    ones = np.ones((2, K), np.int64)
    found = campaigns.rows(np.arange(2), rng.random((2, K, 2)), CountsOfMany(ones, ones, np.full(2, 2)))
    assert np.isfinite(found).all()
