"""Simulated worlds: events and arrays agree, the truth is monotone, noise stays at the frontier, nodes are data."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from peva_env.contracts import ExecutionEvent, MeasurementSource, Verdict
from peva_env.errors import ConfigError
from peva_env.observation import measurement_of
from peva_env.sources.episodes import Seeds, World
from peva_env.sources.simulated.world import SimulatedWorld
from peva_env.space import Config, ConfigSpace, dominates

RATES = {"a": range(0, 201, 10), "b": range(0, 201, 10)}
MIXES = 21 * 21
ANY = np.random.default_rng(0)
SMALL: dict[str, Any] = {
    "cores": 2,
    "ram_mib": 1024,
    "functions": {
        "a": {"cpu_ms": 10, "io_ms": 40, "concurrency": 8, "base_mib": 50, "request_mib": 20},
        "b": {"cpu_ms": 2, "io_ms": 100, "concurrency": 12},
    },
}


def seeds(*numbers: int) -> Seeds:
    return np.array(numbers, np.uint64)


def scenarios(n: int) -> np.ndarray[Any, np.dtype[np.int64]]:
    return np.zeros(n, np.int64)


def verdict(source: MeasurementSource, config: Config) -> Verdict:
    """Return what a node without noise is said to be."""
    return source.measure(config, iteration=0, rng=np.random.default_rng(0)).verdict


def mixes(seed: int, world: SimulatedWorld) -> np.ndarray[Any, Any]:
    """Return the true labels of a node over the rates of its two functions, (21, 21)."""
    return world.begin(seeds(seed), scenarios(1)).truth(np.arange(MIXES)).reshape(21, 21)


# --- the same as events and as arrays -----------------------------------------------------------------------------


def observed(space: ConfigSpace, event: ExecutionEvent) -> tuple[list[float], list[int]]:
    measured = measurement_of(space, event)
    return measured.values.tolist(), measured.mask.tolist()


@pytest.mark.parametrize("node", ["random", SMALL])
@pytest.mark.parametrize("noise", [0.0, 0.03, 0.25])
def test_outcomes_are_what_is_observed_of_the_events(node: Any, noise: float) -> None:
    world = SimulatedWorld(RATES, node, noise=noise)
    source, episode = world.source(11), world.begin(seeds(11), scenarios(1))
    indices = np.arange(0, world.space().n_configs, 3)
    for iteration in (0, 2):
        outcomes = episode.outcomes(indices, iteration)
        for row, index in enumerate(indices.tolist()):
            event = source.measure(world.space().config(index), iteration=iteration, rng=ANY)
            values, mask = observed(world.space(), event)
            assert (outcomes.values[row].tolist(), outcomes.mask[row].tolist()) == (values, mask)
            assert outcomes.labels[row] == (1 if event.verdict is Verdict.OVERLOADED else -1)
            assert outcomes.cost_s[row] == event.cost_s


def test_a_function_of_which_nothing_succeeded_has_no_latency() -> None:
    swamped = {"a": {"cpu_ms": 60_000, "concurrency": 1}, "b": {"cpu_ms": 1, "concurrency": 9}}
    world = SimulatedWorld(RATES, {"cores": 1, "ram_mib": 1, "functions": swamped}, noise=0, duration_s=1)
    event = world.source(1).measure([("a", 200)], iteration=0, rng=ANY)
    assert (event.functions[0].succeeded, event.functions[0].p95_ms) == (0, None)
    outcomes = world.begin(seeds(1), scenarios(1)).outcomes(np.array([world.space().index([("a", 200)])]))
    assert outcomes.mask.tolist() == [[1, 1, 1, 1, 0, 0, 0]]
    assert outcomes.values[0, 3:].tolist() == [0, 0, 0, 0]


def test_an_outcome_depends_on_word_configuration_and_iteration_alone() -> None:
    world = SimulatedWorld(RATES)
    n = world.space().n_configs
    pick = np.random.default_rng(1).integers(0, n, 40)
    many = np.random.default_rng(2).integers(0, 2**63, 40).astype(np.uint64)
    batch = world.begin(many, scenarios(40)).outcomes(pick, 1)
    for row in range(40):
        episode = world.begin(many[row : row + 1], scenarios(1))
        alone = episode.outcomes(pick[row : row + 1], 1)
        table = episode.outcomes(np.arange(n), 1)
        at = pick[row]
        assert alone.values.tobytes() == batch.values[row].tobytes() == table.values[at].tobytes()
        assert alone.labels[0] == batch.labels[row] == table.labels[at]
        assert alone.mask.tobytes() == batch.mask[row].tobytes() == table.mask[at].tobytes()


def test_iterations_and_words_differ_and_the_order_of_runs_does_not_matter() -> None:
    world = SimulatedWorld(RATES, SMALL)
    config: Config = [("a", 120), ("b", 60)]
    forth, back = world.source(5), world.source(5)
    runs = [forth.measure(config, iteration=i, rng=ANY).node for i in (0, 1)]
    assert [back.measure(config, iteration=i, rng=ANY).node for i in (1, 0)] == runs[::-1]
    assert runs[0] != runs[1]
    assert world.source(6).measure(config, iteration=0, rng=ANY).node != runs[0]


@pytest.mark.parametrize("node", ["random", SMALL])
def test_episodes_are_replaced_where_they_are_told(node: Any) -> None:
    world = SimulatedWorld(RATES, node)
    pick = np.arange(300, 305)
    episodes = world.begin(seeds(1, 2, 3, 4, 5), scenarios(5))
    episodes.adopt(np.array([3, 0]), world.begin(seeds(10, 20, 30, 40, 50), scenarios(5)))
    as_begun = world.begin(seeds(10, 2, 3, 40, 5), scenarios(5))
    assert episodes.outcomes(pick).values.tobytes() == as_begun.outcomes(pick).values.tobytes()


# --- the truth ----------------------------------------------------------------------------------------------------


@settings(max_examples=80, deadline=None)
@given(st.integers(0, 2**64 - 1))
def test_the_truth_of_a_random_node_is_monotone_and_has_both_verdicts(seed: int) -> None:
    truth = mixes(seed, SimulatedWorld(RATES, min_functions=2))
    assert (np.diff(truth, axis=0) >= 0).all()
    assert (np.diff(truth, axis=1) >= 0).all()
    assert (truth[0, 0], truth[-1, -1]) == (-1, 1)


FUNCTION = st.fixed_dictionaries(
    {
        "cpu_ms": st.floats(0.01, 1000),
        "io_ms": st.floats(0, 10_000),
        "concurrency": st.integers(1, 100),
        "base_mib": st.floats(0, 100),
        "request_mib": st.floats(0, 100),
    }
)
NODE = st.fixed_dictionaries(
    {
        "cores": st.integers(1, 128),
        "ram_mib": st.floats(100, 10_000),
        "functions": st.fixed_dictionaries({"a": FUNCTION, "b": FUNCTION}),
    }
)


@settings(max_examples=80, deadline=None)
@given(NODE, st.data())
def test_the_truth_of_any_node_is_monotone_and_is_what_is_measured_without_noise(
    node: Any, data: st.DataObject
) -> None:
    world = SimulatedWorld(RATES, node, noise=0, min_functions=2)
    space, source = world.space(), world.source(0)
    truth = mixes(0, world)
    assert (np.diff(truth, axis=0) >= 0).all()
    assert (np.diff(truth, axis=1) >= 0).all()
    assert (world.begin(seeds(0), scenarios(1)).outcomes(np.arange(MIXES)).labels == truth.ravel()).all()
    low, high = sorted(data.draw(st.lists(st.integers(0, MIXES - 1), min_size=2, max_size=2)))
    if dominates(space.config(low), space.config(high)) and verdict(source, space.config(low)) is Verdict.OVERLOADED:
        assert verdict(source, space.config(high)) is Verdict.OVERLOADED


def test_noise_turns_labels_near_the_frontier_only() -> None:
    world = SimulatedWorld(RATES, min_functions=2, noise=0.03)
    away = turned = 0
    for seed in range(60):
        truth = mixes(seed, world)
        runs = [world.begin(seeds(seed), scenarios(1)).outcomes(np.arange(MIXES), i).labels for i in range(3)]
        padded = np.pad(truth, 1, mode="edge")
        around = [padded[i : i + 21, j : j + 21] for i in range(3) for j in range(3)]  # one step of 10 rps
        near = (np.min(around, axis=0) != np.max(around, axis=0)).ravel()
        for labels in runs:
            turned += int((labels != truth.ravel()).sum())
            away += int((labels != truth.ravel())[~near].sum())
    assert away < 0.1 * turned
    assert 0.005 < turned / (60 * 3 * MIXES) < 0.03


def test_the_noise_has_the_deviation_that_was_asked_for() -> None:
    episodes = SimulatedWorld(RATES, noise=0.1).begin(seeds(*range(2000)), scenarios(2000))
    slowness = episodes.slowness(np.full(2000, 7), 3)
    assert slowness.mean() == pytest.approx(1, abs=0.01)
    assert slowness.std() == pytest.approx(0.1, abs=0.005)
    assert abs(slowness - 1).max() <= 0.1 * 12**0.5


# --- what is lost, and where ----------------------------------------------------------------------------------------


def one(concurrency: int, io_ms: float) -> SimulatedWorld:
    function = {"cpu_ms": 0.1, "io_ms": io_ms, "concurrency": concurrency}
    return SimulatedWorld({"a": [0, 100]}, {"cores": 4, "ram_mib": 100, "functions": {"a": function}}, noise=0)


def test_what_finds_no_slot_is_refused() -> None:
    (measured,) = one(5, 100).source(0).measure([("a", 100)], iteration=0, rng=ANY).functions
    assert (measured.offered, measured.sent, measured.dropped) == (3000, 3000, 0)
    assert measured.failed == {"status_5xx": 3000 - measured.succeeded}
    assert measured.success_rate == pytest.approx(0.495, abs=0.005)


def test_what_finds_no_virtual_user_is_dropped() -> None:
    (measured,) = one(10_000, 10_000).source(0).measure([("a", 100)], iteration=0, rng=ANY).functions
    assert (measured.offered, measured.failed) == (3000, {})
    assert measured.dropped == 3000 - measured.succeeded
    assert measured.success_rate == pytest.approx(0.5, abs=0.005)
    assert measured.p95_ms == 5000


def test_a_function_at_rate_0_is_measured_and_well() -> None:
    event = one(5, 100).source(0).measure([("a", 0)], iteration=0, rng=ANY)
    (measured,) = event.functions
    assert (measured.offered, measured.success_rate, measured.p95_ms) == (0, 1.0, None)
    assert (event.verdict, event.node.cpu_pct) == (Verdict.OK, 0.0)


def test_functions_share_out_the_cpu_and_the_memory_of_the_node() -> None:
    event = SimulatedWorld(RATES, SMALL).source(0).measure([("a", 100), ("b", 100)], iteration=0, rng=ANY)
    assert event.node.cpu_pct == pytest.approx(sum(one.cpu_pct or 0 for one in event.functions), rel=1e-6)
    assert event.node.ram_bytes == pytest.approx(sum(one.ram_bytes or 0 for one in event.functions), abs=3)
    assert event.node.idle_ram_bytes == 50 * 2**20


def test_the_clock_of_a_source_goes_on_by_what_runs_cost() -> None:
    source = SimulatedWorld(RATES, SMALL, duration_s=10, cooldown_s=2.5).source(0)
    events = [source.measure([("a", 10)], iteration=0, rng=ANY) for _ in range(2)]
    assert [(event.started_at, event.ended_at) for event in events] == [(0, 12.5), (12.5, 25)]
    assert replace(events[0], started_at=12.5, ended_at=25) == events[1]


# --- nodes and worlds as plain data -----------------------------------------------------------------------------------


def test_the_shipped_fetch_fails_just_below_the_hundred_requests_that_its_waiting_allows() -> None:
    source = SimulatedWorld({"fetch": range(1, 201)}, "local", noise=0).source(0)
    verdicts = [verdict(source, [("fetch", rate)]) for rate in range(1, 201)]
    assert verdicts.index(Verdict.OVERLOADED) + 1 == 98


def test_the_functions_of_a_node_without_rates_are_not_deployed() -> None:
    both, alone = (SimulatedWorld(rates, SMALL, noise=0).source(0) for rates in (RATES, {"b": [10]}))
    ram = [source.measure([("b", 10)], iteration=0, rng=ANY).node.idle_ram_pct for source in (both, alone)]
    assert ram == [pytest.approx(100 * 50 / 1024), 0]


def test_a_simulated_world_is_a_world_of_one_scenario() -> None:
    world: World = SimulatedWorld(RATES)
    assert len(world.scenarios) == 1
    assert world.recorded(scenarios(3)).shape == (3, world.space(0).n_configs)
    assert world.recorded(scenarios(3)).all()


def test_every_configuration_of_every_size_is_known_by_its_index() -> None:
    world = SimulatedWorld({"a": [10, 20], "b": [5, 0, 7], "c": [30]}, {**SMALL, "functions": {
        name: {"cpu_ms": 1, "concurrency": 1} for name in "abc"}})  # fmt: skip
    table = world.begin(seeds(1), scenarios(1)).settings.table
    for index, config in enumerate(world.space()):
        rates = dict(config)
        assert table.rates_rps[:, index].tolist() == [rates.get(name, 0) for name in "abc"]
        assert table.present[:, index].tolist() == [name in rates for name in "abc"]
        assert table.n_present[index] == len(rates)


def changed(**function: Any) -> dict[str, Any]:
    return {**SMALL, "functions": {"a": SMALL["functions"]["a"] | function, "b": SMALL["functions"]["b"]}}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"node": "cloud"}, "simulated node 'cloud': must be random, local, a .json file, or a mapping"),
        ({"node": SMALL | {"core": 2}}, "node.core: unknown key; did you mean 'cores'?"),
        ({"node": SMALL | {"cores": 0}}, "node.cores = 0: input should be greater than or equal to 1"),
        ({"node": {"cores": 1, "ram_mib": 1}}, "node.functions: is required"),
        ({"node": changed(cpu=1)}, "node.functions.a.cpu: unknown key; did you mean 'cpu_ms'?"),
        ({"node": changed(io_ms=-1)}, "node.functions.a.io_ms = -1: input should be greater than or equal to 0"),
        ({"node": changed(cpu_ms=float("nan"))}, "node.functions.a.cpu_ms = nan: must be a finite number"),
        ({"node": SMALL | {"ram_mib": float("inf")}}, "node.ram_mib = inf: must be a finite number"),
        ({"node": "local"}, "the simulated node has no function 'a'; it has checkout, fetch, primes, thumbnail"),
        ({"noise": 0.3}, "noise = 0.3: must be from 0 to 0.25"),
        ({"noise": float("nan")}, "noise = nan: must be from 0 to 0.25"),
        ({"duration_s": 0.5}, "duration_s = 0.5: must be from 1 to 86400"),
        ({"cooldown_s": -1}, "cooldown_s = -1: must be from 0 to 86400"),
        ({"timeout_s": 0}, "timeout_s = 0: must be from 0.1 to 3600"),
        ({"rates_rps": {"a": [-1]}}, "rates_rps: function 'a' needs at least one rate, none of them negative"),
        ({"rates_rps": {}}, "rates_rps: a configuration space needs at least one function"),
        ({"rates_rps": {"a": [10]}}, "node = 'random': each function's highest rate must be at least 16 rps"),
        ({"rates_rps": {name: range(300) for name in "abc"}}, "offline episodes need a space of at most 2000000"),
        ({"rules": {"functions": {"x": {}}}}, "overload.functions.x: there is no such function, only "),
        ({"rules": {"ram_overload": 50}}, "overload.ram_overload: unknown key; did you mean 'ram_overload_pct'?"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused_in_one_line(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as refused:
        SimulatedWorld(**({"rates_rps": RATES} | arguments))
    assert message in str(refused.value)
    assert "\n" not in str(refused.value)
