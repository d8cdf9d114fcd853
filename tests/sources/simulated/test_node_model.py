"""The queueing model: against theory and a discrete simulation of its own, monotone, and the same in every company."""

import heapq
import math
import random
from collections.abc import Iterator
from dataclasses import fields

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from peva_env.sources.simulated.node_model import OVERHEAD_S, Floats, Nodes, Served, serve

TIMEOUT_S = 5.0
AS_IT_IS = np.ones(1)
ENDLESS = 1e6


def node(
    cores: int = 1,
    cpu_s: float | list[float] = 0.01,
    held_s: float | list[float] = OVERHEAD_S,
    slots: float | list[float] = ENDLESS,
    request_bytes: float = 0.0,
) -> Nodes:
    n_functions = max(np.size(cpu_s), np.size(held_s), np.size(slots))

    def column(value: float | list[float]) -> Floats:
        return np.array(np.broadcast_to(np.array(value, np.float64), (n_functions,)))[:, None]

    return Nodes.of(
        cores=np.array([float(cores)]),
        ram_bytes=np.array([2.0**30]),
        cpu_s=column(cpu_s),
        held_s=column(held_s),
        slots=column(slots),
        base_bytes=column(2.0**20),
        request_bytes=column(request_bytes),
    )


def under(nodes: Nodes, *rates_rps: float, timeout_s: float = TIMEOUT_S) -> Served:
    return serve(nodes, np.array([rates_rps]).T * 1.0, AS_IT_IS, timeout_s)


def erlang_c_as_in_the_book(cores: int, busy: float) -> float:
    """Return P(wait) = last / (1 - rho) / (sum of a^k / k! + last / (1 - rho)), with last = a^C / C!."""
    erlangs = cores * busy
    terms = [erlangs**k / math.factorial(k) for k in range(cores)]
    last = erlangs**cores / math.factorial(cores) / (1 - busy)
    return last / (sum(terms) + last)


# --- theory -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("busy", [0.3, 0.5, 0.7, 0.8, 0.9])
@pytest.mark.parametrize("cores", [1, 2, 3, 8, 100])
def test_latency_on_several_cores_is_that_of_mmc(cores: int, busy: float) -> None:
    cpu_s = 0.01
    served = under(node(cores, cpu_s, OVERHEAD_S), busy * cores / cpu_s)
    mean_s = cpu_s + erlang_c_as_in_the_book(cores, busy) * cpu_s / (cores * (1 - busy))
    assert served.busy[0] == pytest.approx(busy)
    assert served.mean_s(TIMEOUT_S)[0, 0] - OVERHEAD_S == pytest.approx(mean_s, rel=1e-3)


@pytest.mark.parametrize("busy", [0.3, 0.6, 0.9])
def test_one_core_is_shared_as_processor_sharing_has_it(busy: float) -> None:
    cpu_s = 0.01
    served = under(node(1, cpu_s, OVERHEAD_S), busy / cpu_s)
    assert served.mean_s(TIMEOUT_S)[0, 0] - OVERHEAD_S == pytest.approx(cpu_s / (1 - busy))


def shared_core(arrivals: Iterator[float], work: Iterator[float], n: int) -> float:
    """Return the mean response of ``n`` jobs that share one core evenly, event by event."""
    served_each, now, finished, total = 0.0, 0.0, 0, 0.0  # served_each: what a job present throughout has been given
    jobs: list[tuple[float, float]] = []  # (served_each at which it is done, when it came)
    coming = next(arrivals)
    while finished < n:
        leaving = now + (jobs[0][0] - served_each) * len(jobs) if jobs else math.inf
        served_each += (min(leaving, coming) - now) / len(jobs) if jobs else 0.0
        now = min(leaving, coming)
        if leaving <= coming:
            total += now - heapq.heappop(jobs)[1]
            finished += 1
        else:
            heapq.heappush(jobs, (served_each + next(work), now))
            coming = now + next(arrivals)
    return total / n


@pytest.mark.parametrize("fixed_work", [False, True])
def test_a_core_simulated_job_by_job_takes_as_long_whatever_the_work_is_like(fixed_work: bool) -> None:
    draw, cpu_s, busy = random.Random(1), 0.01, 0.7  # noqa: S311 - load, not secrets
    arrivals = iter(lambda: draw.expovariate(busy / cpu_s), None)
    work = iter(lambda: cpu_s if fixed_work else draw.expovariate(1 / cpu_s), None)
    simulated_s = shared_core(arrivals, work, 200_000)
    served = under(node(1, cpu_s, OVERHEAD_S), busy / cpu_s)
    assert served.mean_s(TIMEOUT_S)[0, 0] - OVERHEAD_S == pytest.approx(simulated_s, rel=0.05)


def queue_of_cores(cores: int, rate_rps: float, cpu_s: float, n: int) -> float:
    """Return the mean response of ``n`` jobs with exponential work that wait in one line for some cores."""
    draw = random.Random(2)  # noqa: S311 - load, not secrets
    free_at = [0.0] * cores
    now = total = 0.0
    for _ in range(n):
        now += draw.expovariate(rate_rps)
        ends = max(now, heapq.heappop(free_at)) + draw.expovariate(1 / cpu_s)
        heapq.heappush(free_at, ends)
        total += ends - now
    return total / n


@pytest.mark.parametrize("busy", [0.3, 0.6, 0.8, 0.9])
def test_three_cores_simulated_job_by_job_take_as_long(busy: float) -> None:
    cpu_s = 0.01
    served = under(node(3, cpu_s, OVERHEAD_S), busy * 3 / cpu_s)
    simulated_s = queue_of_cores(3, busy * 3 / cpu_s, cpu_s, 200_000)
    assert served.mean_s(TIMEOUT_S)[0, 0] - OVERHEAD_S == pytest.approx(simulated_s, rel=0.05)


def test_two_functions_that_share_a_core_use_the_sum_and_wait_alike() -> None:
    served = under(node(1, [0.01, 0.02], OVERHEAD_S), 20, 20)
    assert served.busy[0] == pytest.approx(0.6)
    assert (served.stretched_s / served.cpu_s).ravel().tolist() == pytest.approx([2.5, 2.5])


def test_the_waiting_is_exponential_and_nothing_takes_longer_than_the_timeout() -> None:
    served = under(node(1, 0.01, 0.1), 50)
    assert served.percentile_s(50, TIMEOUT_S)[0, 0] == pytest.approx(0.11 + 0.01 * math.log(2))
    assert served.percentile_s(95, TIMEOUT_S)[0, 0] == pytest.approx(0.11 + 0.01 * math.log(20))
    assert served.percentile_s(95, 0.12)[0, 0] == 0.12


# --- limits -----------------------------------------------------------------------------------------------------------


def test_slots_limit_what_is_served_with_a_rounded_edge() -> None:
    waits = node(64, 1e-6, 0.05, 5)  # 100 requests/s
    served = [float(under(waits, rate).success[0, 0]) for rate in (10, 60, 80, 100, 120, 200, 400)]
    assert served == pytest.approx([1, 1, 0.998, 2 ** (-1 / 16), 0.83, 0.5, 0.25], abs=0.005)


def test_without_slots_in_the_way_the_timeout_is_the_limit() -> None:
    served = under(node(64, 1e-6, 4 * TIMEOUT_S), 100)
    assert served.success[0, 0] == pytest.approx(0.25, abs=1e-3)
    assert served.in_flight[0, 0] == 100 * TIMEOUT_S


def test_with_all_cores_taken_as_much_is_served_as_they_can_do() -> None:
    served = under(node(2, 0.02, 0.0, 8), 1000)
    assert served.busy[0] == 1
    assert 1000 * served.success[0, 0] == pytest.approx(2 / 0.02)
    assert served.stretched_s[0, 0] == pytest.approx(0.02 * 8 / 2)


def test_where_slots_are_short_no_more_cpu_is_used_than_they_let_in() -> None:
    served = under(node(2, [0.02, 0.01], 0.08, [5, 1000]), 1000, 20)
    assert served.busy[0] == pytest.approx((5 / 0.1 * 0.02 + 20 * 0.01) / 2)


def test_memory_grows_with_what_is_in_flight_and_is_never_more_than_there_is() -> None:
    hungry = node(64, 1e-6, 0.1 - 1e-6, 100, request_bytes=2.0**24)
    shares = [float(under(hungry, rate).memory[0]) for rate in (0, 10, 100, 10_000)]
    assert shares == pytest.approx([1 / 1024, 17 / 1024, 161 / 1024, 1.0])


def test_a_function_without_requests_has_all_of_them_answered() -> None:
    served = under(node(1, [1.0, 1.0], [0.1, 9.0], [1, 1]), 100, 0)
    assert served.success[1, 0] == 1
    assert served.success[0, 0] < 0.1


# --- for any node -----------------------------------------------------------------------------------------------------

SECONDS = st.floats(1e-5, 20)
RATES = st.lists(st.integers(0, 2000), min_size=2, max_size=2)


@st.composite
def nodes_of_two(draw: st.DrawFn) -> Nodes:
    pairs = [draw(st.lists(kind, min_size=2, max_size=2)) for kind in (SECONDS, SECONDS, st.integers(1, 500))]
    cpu_s, io_s, slots = pairs
    held_s = [OVERHEAD_S + seconds for seconds in io_s]
    return node(draw(st.integers(1, 128)), cpu_s, held_s, [float(count) for count in slots], request_bytes=2.0**22)


@settings(max_examples=300)
@given(nodes_of_two(), RATES, st.integers(0, 1), st.integers(1, 500))
def test_more_load_is_more_use_and_less_success(nodes: Nodes, rates: list[int], which: int, more: int) -> None:
    raised = [rate + more * (i == which) for i, rate in enumerate(rates)]
    before, after = under(nodes, *rates), under(nodes, *raised)
    assert after.busy[0] >= before.busy[0] - 1e-9
    assert after.memory[0] >= before.memory[0] - 1e-9
    assert (after.success <= before.success + 1e-9).all()
    assert ((after.success > 0) & (after.success <= 1)).all()


def many(n: int) -> tuple[Nodes, Floats]:
    rng = np.random.default_rng(3)
    nodes = Nodes.of(
        cores=rng.choice(np.array([1.0, 2.0, 3.0, 64.0]), n),
        ram_bytes=np.full(n, 2.0**30),
        cpu_s=10 ** rng.uniform(-4, 0, (3, n)),
        held_s=10 ** rng.uniform(-3, 1, (3, n)),
        slots=rng.integers(1, 60, (3, n)).astype(np.float64),
        base_bytes=rng.uniform(0, 1e7, (3, n)),
        request_bytes=rng.uniform(0, 1e7, (3, n)),
    )
    return nodes, rng.integers(0, 300, (3, n)).astype(np.float64)


def picked(nodes: Nodes, where: slice | list[int]) -> Nodes:
    return Nodes(nodes.rows[:, where])


def bits(served: Served, row: int) -> list[bytes]:
    return [getattr(served, field.name)[..., row].tobytes() for field in fields(Served)]


def test_a_row_is_the_same_alone_in_a_batch_and_in_a_table_to_the_last_bit() -> None:
    nodes, rates_rps = many(257)
    slowness = np.random.default_rng(4).uniform(0.9, 1.1, 257)
    batch = serve(nodes, rates_rps, slowness, TIMEOUT_S)
    part = serve(picked(nodes, slice(100, 131)), rates_rps[:, 100:131], slowness[100:131], TIMEOUT_S)
    for row in range(100, 131):
        one = picked(nodes, slice(row, row + 1))
        alone = serve(one, rates_rps[:, row : row + 1], slowness[row : row + 1], TIMEOUT_S)
        table = serve(one, rates_rps, np.full(257, slowness[row]), TIMEOUT_S)
        assert bits(alone, 0) == bits(batch, row) == bits(part, row - 100) == bits(table, row)


def test_nodes_are_replaced_where_they_are_told() -> None:
    nodes, others = picked(many(9)[0], slice(0, 6)), picked(many(9)[0], slice(3, 9))
    kept, adopted = picked(nodes, [0, 2, 3, 5]), picked(others, [4, 1])
    nodes.adopt(np.array([4, 1]), others)
    assert picked(nodes, [4, 1]).rows.tolist() == adopted.rows.tolist()
    assert picked(nodes, [0, 2, 3, 5]).rows.tolist() == kept.rows.tolist()
