"""Growth of the latency within a run: a queue that grows, and everything that only looks like one."""

from collections.abc import Iterable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from peva_env.sources.k6.backlog import SEGMENTS, backlog

_DURATION_S = 5.0
_MIDDLES_S = (np.arange(SEGMENTS) + 0.5) * _DURATION_S / SEGMENTS


def found(medians_ms: Iterable[float], *, rate_rps: int = 60) -> int:
    offered = int(rate_rps * _DURATION_S)
    return backlog(list(medians_ms), [offered // SEGMENTS] * SEGMENTS, offered, _DURATION_S)


@pytest.mark.parametrize(("capacity_rps", "rate_rps"), [(48, 55), (48, 60), (48, 95), (200, 210)])
def test_a_queue_grows_by_what_is_offered_beyond_the_capacity(capacity_rps: int, rate_rps: int) -> None:
    """Each request waits for all before it: after ``t`` seconds, ``t (rate / capacity - 1)`` seconds."""
    waits_ms = 1000 * _MIDDLES_S * (rate_rps / capacity_rps - 1)

    queued = found(20 + waits_ms, rate_rps=rate_rps)

    assert queued == pytest.approx((rate_rps - capacity_rps) * _DURATION_S, abs=1)


@pytest.mark.parametrize(
    "medians_ms",
    [
        pytest.param([22.0] * 8, id="steady"),
        pytest.param([400, 250, 120, 60, 25, 22, 22, 22], id="a cold start"),
        pytest.param([22, 22, 22, 300, 250, 22, 22, 22], id="a pause in the middle"),
        pytest.param([22, 22, 22, 22, 22, 22, 22, 400], id="a pause at the end"),
        pytest.param([20, 21, 22, 23, 24, 25, 26, 27], id="a few ms more"),
        pytest.param([22] * 4 + [200] * 4, id="a step in the middle"),
        pytest.param([22] * 5 + [200] * 3, id="a step later"),
        pytest.param([22] * 3 + [200] * 5, id="a step earlier"),
        pytest.param([22, 22, 22, 22, 30, 60, 150, 300], id="a rise in the second half"),
        pytest.param([30, 60, 25, 70, 40, 90, 35, 80], id="noise near the capacity"),
    ],
)
def test_what_is_no_growth_is_none(medians_ms: list[float]) -> None:
    assert found(medians_ms) == 0


def test_a_segment_with_hardly_a_success_says_nothing() -> None:
    growing = list(20 + 250 * _MIDDLES_S)

    assert backlog(growing, [30] * SEGMENTS, 300, _DURATION_S) > 0
    assert backlog([*growing[:-1], None], [30] * (SEGMENTS - 1) + [0], 300, _DURATION_S) == 0


@given(st.lists(st.floats(0, 60_000), min_size=SEGMENTS, max_size=SEGMENTS), st.integers(1, 1000))
def test_never_more_is_queued_than_was_offered(medians_ms: list[float], rate_rps: int) -> None:
    assert 0 <= found(medians_ms, rate_rps=rate_rps) <= rate_rps * _DURATION_S
