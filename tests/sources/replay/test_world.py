"""Replay: maps out of recordings, and episodes whose every outcome is a recorded run."""

import pickle
import re
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from peva_env import datasets
from peva_env.contracts import ExecutionEvent, FunctionMeasurement, NodeMeasurement, Verdict
from peva_env.errors import ConfigError, PevaError
from peva_env.observation import measurement_of
from peva_env.sources.episodes import Episodes, Outcomes, World
from peva_env.sources.replay.world import ReplayWorld
from peva_env.space import Config
from tests.support.builders import event, function, write_recording

LIGHT = {"node": {"name": "LIGHT", "cores": 2}}


def run(config: Config, iteration: int = 0, *, overloaded: bool = False, context: str = "ctx", **values: Any) -> Any:
    verdict = Verdict.OVERLOADED if overloaded else Verdict.OK
    return event(config, iteration, verdict, context_hash=context, run_id=f"of-{context}", **values)


def both_verdicts(*names: str, context: str = "ctx") -> list[ExecutionEvent]:
    """Return a small map of some functions: OK at 10 rps, overloaded at 20."""
    return [run([(name, rate) for name in names], overloaded=rate > 10, context=context) for rate in (10, 20)]


def world_of(folder: Path, *events: ExecutionEvent, contexts: Any = None, **options: Any) -> ReplayWorld:
    return ReplayWorld(write_recording(folder, *events, contexts=contexts), **options)


def begun(world: ReplayWorld, n: int, scenario: int = 0) -> Episodes:
    return world.begin(np.arange(n, dtype=np.uint64), np.full(n, scenario))


def everywhere(world: ReplayWorld, seed: int = 7, scenario: int = 0, iteration: int = 0) -> Outcomes:
    """Return the outcomes of all configurations in one episode."""
    episodes = world.begin(np.array([seed], np.uint64), np.array([scenario]))
    return episodes.outcomes(np.arange(world.space(scenario).n_configs), iteration)


# --- maps -----------------------------------------------------------------------------------------------------------


def test_functions_measured_alone_belong_to_the_map_of_the_mix(tmp_path: Path) -> None:
    alone = [run([("a", 30)]), run([("b", 10)]), run([("b", 20)], overloaded=True)]
    world = world_of(tmp_path, *both_verdicts("a", "b"), *alone)
    assert world.scenarios == ("ctx:a+b",)
    space = world.space(0)
    assert (space.min_functions, space.max_functions) == (1, 3)
    assert space.rates_rps == ((10, 20, 30), (10, 20))
    recorded = [space.config(int(index)) for index in np.flatnonzero(world.recorded(np.array([0]))[0])]
    assert recorded == [
        [("a", 30)], [("b", 10)], [("b", 20)], [("a", 10), ("b", 10)], [("a", 20), ("b", 20)],
    ]  # fmt: skip


def test_a_function_within_two_mixes_is_part_of_either_map(tmp_path: Path) -> None:
    world = world_of(tmp_path, *both_verdicts("a", "b"), *both_verdicts("b", "c"), run([("b", 5)]))
    assert world.scenarios == ("ctx:a+b", "ctx:b+c")
    for scenario in (0, 1):
        index = world.space(scenario).index([("b", 5)])
        assert world.majority_labels(scenario)[index] == -1
    # b is the second function of one map and the first of the other: so are its values.
    assert everywhere(world, scenario=0).mask[world.space(0).index([("b", 5)])].tolist() == [1, 1, 0, 0, 1, 0, 0]
    assert everywhere(world, scenario=1).mask[world.space(1).index([("b", 5)])].tolist() == [1, 1, 0, 1, 0, 0, 0]


def test_only_mixes_were_measured_so_only_mixes_are_in_the_space(tmp_path: Path) -> None:
    space = world_of(tmp_path, *both_verdicts("a", "b")).space(0)
    assert (space.min_functions, space.n_configs) == (2, 4)


def test_scenarios_share_one_shape_and_what_a_node_lacks_is_masked(tmp_path: Path) -> None:
    other = [run([("c", 40), ("d", 10)], context="two"), run([("c", 60), ("d", 10)], context="two", overloaded=True)]
    world = world_of(tmp_path, *both_verdicts("a", "b"), *other, contexts={"two": LIGHT})
    assert world.scenarios == ("LIGHT:c+d", "ctx:a+b")
    assert [world.space(scenario).rates_rps for scenario in (0, 1)] == [((10, 20, 40, 60), (10, 20))] * 2
    recorded = world.recorded(np.array([1, 0, 1]))
    assert recorded.shape == (3, 8)
    assert [world.space(0).config(int(i)) for i in np.flatnonzero(recorded[1])] == [
        [("c", 40), ("d", 10)], [("c", 60), ("d", 10)],
    ]  # fmt: skip
    assert recorded[0].tolist() == recorded[2].tolist() != recorded[1].tolist()


@pytest.mark.parametrize(
    ("node", "name"),
    [
        ({"name": "MID"}, "MID:a"),
        ({"kind": "local", "hostname": "here"}, "here:a"),
        ({"kind": "openfaas", "gateway": "gw:8080"}, "gw:8080:a"),
        ({}, "ctx:a"),
        ("MID", "ctx:a"),
    ],
)
def test_a_scenario_is_called_by_node_and_functions(tmp_path: Path, node: Any, name: str) -> None:
    world = world_of(tmp_path, *both_verdicts("a"), contexts={"ctx": {"node": node, "duration_s": 2}})
    assert world.scenarios == (name,)


def test_equal_names_are_told_apart_by_the_context(tmp_path: Path) -> None:
    contexts: Mapping[str, Any] = {"one": LIGHT, "two": LIGHT | {"duration_s": 2}}
    events = [*both_verdicts("a", context="one"), *both_verdicts("a", context="two")]
    assert world_of(tmp_path, *events, contexts=contexts).scenarios == ("LIGHT:a:one", "LIGHT:a:two")


def test_scenarios_are_chosen_by_name_or_by_how_names_begin(tmp_path: Path) -> None:
    contexts: Mapping[str, Any] = {"one": LIGHT, "two": LIGHT, "three": {"node": {"name": "MID"}}}
    events = [
        *both_verdicts("a", context="one"), *both_verdicts("b", context="two"), *both_verdicts("a", context="three"),
    ]  # fmt: skip
    folder = write_recording(tmp_path, *events, contexts=contexts)
    assert ReplayWorld(folder).scenarios == ("LIGHT:a", "LIGHT:b", "MID:a")
    assert ReplayWorld(folder, scenarios=["LIGHT"]).scenarios == ("LIGHT:a", "LIGHT:b")
    assert ReplayWorld(folder, scenarios=["LIGHT*"]).scenarios == ("LIGHT:a", "LIGHT:b")
    assert ReplayWorld(folder, scenarios=["MID:a", "LIGHT:a"]).scenarios == ("MID:a", "LIGHT:a")
    with pytest.raises(ConfigError, match=r"'LIGTH:b' is not recorded; did you mean 'LIGHT:b'\? There are: LIGHT:a, L"):
        ReplayWorld(folder, scenarios=["LIGTH:b"])
    with pytest.raises(ConfigError, match="give at least one name"):
        ReplayWorld(folder, scenarios=[])


def test_maps_of_different_numbers_of_functions_need_a_choice(tmp_path: Path) -> None:
    folder = write_recording(tmp_path, *both_verdicts("a"), *both_verdicts("b", "c"))
    with pytest.raises(ConfigError, match=r"choose maps of one number with scenarios=.*: ctx:a \(1\), ctx:b\+c \(2\)"):
        ReplayWorld(folder)
    assert ReplayWorld(folder, scenarios=["ctx:b"]).scenarios == ("ctx:b+c",)


def test_a_space_that_no_array_should_hold_is_refused(tmp_path: Path) -> None:
    wide = [run([(name, 10 * level) for name in "abcd"], overloaded=level > 3) for level in range(33)]
    with pytest.raises(ConfigError, match="span 1,185,921 configurations, but a replay takes at most 1,048,576"):
        world_of(tmp_path, *wide)


def test_a_map_of_one_verdict_is_left_out_or_refused_where_nothing_else_is_there(tmp_path: Path) -> None:
    quiet = [run([("z", rate)]) for rate in (10, 20)]
    folder = write_recording(tmp_path / "some", *both_verdicts("a"), *quiet)
    with pytest.warns(UserWarning, match="the same verdict: ctx:z$"):
        world = ReplayWorld(folder)
    assert world.scenarios == ("ctx:a",)
    with pytest.raises(ConfigError, match=r"'ctx:z' .* all its configurations have the same verdict"):
        ReplayWorld(folder, scenarios=["ctx:a", "ctx:z"])
    with pytest.raises(ConfigError, match=r"'ctx:z' .* all its configurations have the same verdict"):
        world_of(tmp_path / "only", *quiet)


def test_what_counts_for_that_is_the_majority(tmp_path: Path) -> None:
    flicker = [run([("a", 10)], iteration, overloaded=iteration == 0) for iteration in range(3)]
    with pytest.raises(ConfigError, match="have the same verdict"):
        world_of(tmp_path, *flicker)


# --- draws ----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def world() -> ReplayWorld:
    return ReplayWorld(datasets.load("local-node-v1"))


def test_it_is_a_world(world: ReplayWorld) -> None:
    def takes(world: World) -> Episodes:
        return world.begin(np.array([1], np.uint64), np.array([0]))

    outcomes = takes(world).outcomes(np.array([3]))
    kinds = [array.dtype.name for array in (outcomes.labels, outcomes.values, outcomes.mask, outcomes.cost_s)]
    assert kinds == ["int8", "float32", "int8", "float64"]
    assert outcomes.values.shape == outcomes.mask.shape == (1, 7)


def test_outcomes_are_the_events_that_the_source_gives_number_by_number(world: ReplayWorld) -> None:
    space = world.space(0)
    for seed, iteration in ((0, 0), (2**64 - 1, 2)):
        outcomes, source = everywhere(world, seed, iteration=iteration), world.source(seed, 0)
        for index in range(space.n_configs):
            measured = source.measure(space.config(index), iteration=iteration, rng=np.random.default_rng(0))
            seen = measurement_of(space, measured)
            assert np.array_equal(seen.values, outcomes.values[index])
            assert np.array_equal(seen.mask, outcomes.mask[index])
            assert outcomes.cost_s[index] == measured.cost_s
            assert outcomes.labels[index] == {Verdict.OK: -1, Verdict.OVERLOADED: 1}[measured.verdict]


def test_side_by_side_or_alone_in_any_order_the_draws_are_the_same(world: ReplayWorld) -> None:
    n = 50
    indices = np.arange(n) * 3
    together = begun(world, n).outcomes(indices, 1)
    for i in reversed(range(n)):
        alone = everywhere(world, seed=i, iteration=1)
        assert np.array_equal(alone.values[indices[i]], together.values[i])
        assert alone.cost_s[indices[i]] == together.cost_s[i]


def test_each_recorded_run_of_a_configuration_is_drawn_as_often(tmp_path: Path) -> None:
    runs = [run([("a", 10)], i, cost_s=float(i), overloaded=i == 0) for i in range(4)]
    world = world_of(tmp_path, *runs, run([("a", 20)], overloaded=True))
    costs = Counter(begun(world, 4000).outcomes(np.zeros(4000, np.int64)).cost_s.tolist())
    assert set(costs) == {0.0, 1.0, 2.0, 3.0}
    assert all(900 < count < 1100 for count in costs.values())
    of_iterations = {float(everywhere(world, 3, iteration=i).cost_s[0]) for i in range(50)}
    assert of_iterations == {0.0, 1.0, 2.0, 3.0}


def test_episodes_are_replaced_one_by_one(world: ReplayWorld) -> None:
    seeds = np.arange(4, dtype=np.uint64)
    episodes = world.begin(seeds, np.zeros(4, np.int64))
    indices = np.full(4, 100)
    before = episodes.outcomes(indices)
    others = np.array([5, 77, 6, 0], np.uint64)
    episodes.adopt(np.array([1, 3]), world.begin(others, np.zeros(4, np.int64)))
    assert seeds.tolist() == [0, 1, 2, 3]
    after = episodes.outcomes(indices)
    assert np.array_equal(after.values[[0, 2]], before.values[[0, 2]])
    assert np.array_equal(after.values[3], before.values[0])
    assert np.array_equal(after.values[1], everywhere(world, 77).values[100])


def test_outcomes_are_copies(world: ReplayWorld) -> None:
    everywhere(world).values[:] = 9
    assert everywhere(world).values.max() < 9


def test_where_nothing_is_recorded_there_is_neither_label_nor_value(tmp_path: Path) -> None:
    world = world_of(tmp_path, *both_verdicts("a", "b"))
    outcomes = everywhere(world)
    assert outcomes.labels.tolist() == [-1, 0, 0, 1]
    assert not outcomes.values[[1, 2]].any()
    assert not outcomes.mask[[1, 2]].any()
    assert outcomes.cost_s.tolist() == [2, 0, 0, 2]
    assert world.majority_labels(0).tolist() == [-1, 0, 0, 1]
    nothing = [("a", 10), ("b", 20)]
    source = world.source(1, 0)
    for config in (nothing, [("a", 11), ("b", 10)], [("q", 1)]):
        with pytest.raises(PevaError, match=r"is not recorded in ctx:a\+b, 2 others are"):
            source.measure(config, iteration=0, rng=np.random.default_rng(0))


def test_values_stay_within_the_observation_and_what_was_not_measured_is_masked(tmp_path: Path) -> None:
    odd = run(
        [("a", 10), ("b", 10)],
        functions=(function("a", 10, success_rate=-0.0, p95_ms=1e9), function("b", 10, p95_ms=None)),
        node=NodeMeasurement(cpu_pct=250.0, ram_pct=float("nan")),
        margin=-1e300,
        cost_s=-1e300,
    )
    world = world_of(tmp_path, odd, run([("a", 20), ("b", 10)], overloaded=True, functions=(), cost_s=-3.0))
    outcomes = everywhere(world)
    assert outcomes.values[0].tolist() == [1, 0, -1, 0, 1, 60, 0]
    assert outcomes.mask[0].tolist() == [1, 0, 1, 1, 1, 1, 0]
    assert not np.signbit(outcomes.values[0, 3])
    assert outcomes.mask[1].tolist() == [1, 1, 0, 0, 0, 0, 0]
    assert outcomes.cost_s.tolist() == [0, 0]


def test_a_tie_of_iterations_is_ok_as_in_a_campaign(tmp_path: Path) -> None:
    tie = [run([("a", 10)], i, overloaded=i == 0) for i in range(2)]
    two_of_three = [run([("a", 20)], i, overloaded=i > 0) for i in range(3)]
    assert world_of(tmp_path, *tie, *two_of_three).majority_labels(0).tolist() == [-1, 1]


def test_an_event_comes_back_in_full(tmp_path: Path) -> None:
    measured = FunctionMeasurement("a", 20, 40, 38, 2, 30, {"status_503": 8}, 0.75, 1, 2, 3, 4, 5, 6, 7, 8, 9)
    stored = run(
        [("a", 20)], 4, overloaded=True, functions=(measured,), reasons=("too much",), overloaded_functions=("a",)
    )
    world = world_of(tmp_path, stored, run([("a", 10)]))
    event = world.source(1, 0).measure([("a", 20)], iteration=4, rng=np.random.default_rng(0))
    assert event == stored
    assert world.source(1, 0).measure([("a", 20)], iteration=0, rng=np.random.default_rng(0)).iteration == 0


def test_several_folders_are_one_world(tmp_path: Path) -> None:
    one = write_recording(tmp_path / "1", *both_verdicts("a"))
    two = write_recording(tmp_path / "2", run([("a", 30)], overloaded=True))
    for folders in ([one, two], [str(two), str(one)]):
        world = ReplayWorld(folders)
        assert world.majority_labels(0).tolist() == [-1, 1, 1]


def test_a_world_can_be_sent_to_another_process(world: ReplayWorld) -> None:
    config = world.space(0).config(5)
    world.source(3, 0).measure(config, iteration=0, rng=np.random.default_rng(0))
    other: ReplayWorld = pickle.loads(pickle.dumps(world))  # noqa: S301
    assert np.array_equal(everywhere(other).values, everywhere(world).values)
    rng = np.random.default_rng(0)
    assert other.source(3, 0).measure(config, iteration=0, rng=rng) == world.source(3, 0).measure(
        config, iteration=0, rng=rng
    )


def test_the_example_of_its_page_runs(capsys: pytest.CaptureFixture[str]) -> None:
    page = (Path(__file__).parents[3] / "docs" / "replay.md").read_text(encoding="utf-8")
    for code in re.findall(r"```python\n(.*?)```", page, re.DOTALL):
        exec(code, {})  # noqa: S102
    assert "local-node-v1:checkout+primes" in capsys.readouterr().out
