"""The limits of a node: the highest mixes, multiples of a mix, and the best limit for each function."""

import itertools
import math
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from peva_env.contracts import ExecutionEvent, Verdict
from peva_env.errors import ConfigError
from peva_env.inference import MonotoneMap
from peva_env.maps import limits_of, read_map
from peva_env.maps.limits.box import largest_box
from peva_env.maps.limits.safe_region import SafeRegion
from peva_env.memory import mark
from peva_env.space import Config, ConfigSpace, Dominance, config_key
from tests.support.builders import event
from tests.support.maps import OK, OVERLOADED, RATES, clear_run, node_map_of, pair, remember, square


def alone(limit: int) -> list[ExecutionEvent]:
    """Each of two functions alone, OK up to a rate."""
    return [event([(name, rate)], verdict=OK if rate <= limit else OVERLOADED) for name in "ab" for rate in RATES]


def test_the_highest_mixes_are_the_maximal_ok_ones_with_their_runs() -> None:
    again = [event(pair(30, 10), 1, OVERLOADED), event(pair(30, 10), 2, OK)]
    found = limits_of(node_map_of([*square(40), *again]))

    assert [mix.config for mix in found.highest] == [pair(10, 30), pair(20, 20), pair(30, 10)]
    assert [(mix.total_rps, mix.n_runs, mix.n_overloaded) for mix in found.highest] == [
        (40, 1, 0),
        (40, 1, 0),
        (40, 3, 1),
    ]


def test_limits_are_as_sure_as_the_least_sure_verdict_that_proves_them() -> None:
    doubtful = [replace(one, margin=0.01) if one.config_key[1] == (20, 20) else one for one in square(40)]
    found = limits_of(node_map_of([*doubtful, *alone(30)]), [{"a": 1, "b": 1}, {"a": 1, "b": 3}])

    sure = {config_key(mix.config): mix.confidence for mix in found.highest}
    even, uneven = (found.confidence([mix.proved_by]) for mix in found.mixes)
    assert even is not None
    assert uneven is not None
    assert 0.5 < even < 0.7 < 0.99 < uneven
    assert (even, uneven) == (sure[config_key(pair(20, 20))], sure[config_key(pair(10, 30))])
    assert found.box is not None
    assert found.confidence(found.box.proved_by) == even


def test_a_highest_mix_against_which_the_margins_of_its_runs_speak_is_named() -> None:
    even = [clear_run(pair(20, 20), verdict, i, margin=0.01) for i, verdict in enumerate((OK, OK))]
    against = clear_run(pair(20, 20), OVERLOADED, 2, margin=0.2)
    runs = [one for one in square(40) if one.config_key[1] != (20, 20)]
    (note,) = limits_of(node_map_of([*runs, *even, against])).notes[1:]
    assert note.startswith("the margins speak against these mixes, though most of their runs were OK: a 20 rps + b 20")


def test_runs_without_margins_tell_no_confidence() -> None:
    found = limits_of(node_map_of([replace(one, margin=None) for one in [*square(40), *alone(30)]]), [{"a": 1, "b": 1}])
    assert {mix.confidence for mix in found.highest} == {None}
    assert found.confidence([found.mixes[0].proved_by, None]) is None


def test_a_limit_for_each_function_is_safe_whatever_the_other_does() -> None:
    box = limits_of(node_map_of([*square(40), *alone(30)])).box

    assert box is not None
    assert box.limits_rps == {"a": 20, "b": 20}
    assert [(one.overloaded_rps, one.highest_rps, one.is_lower_bound) for one in box.limits] == [(30, 30, False)] * 2
    assert pair(20, 20) in box.proved_by
    assert len(box.proved_by) == 3


def test_without_proof_that_a_function_alone_is_safe_its_limit_is_that_of_the_proof() -> None:
    """Within sets, nothing is known of a function alone but what it was measured alone."""
    runs = [*square(40), *alone(10)]
    box = limits_of(node_map_of(runs)).box
    assert box is not None
    assert box.limits_rps == {"a": 10, "b": 10}
    across_sets = limits_of(node_map_of(runs, "two_sided")).box
    assert across_sets is not None
    assert across_sets.limits_rps == {"a": 10, "b": 10}  # 20 alone is overloaded


def test_pairs_alone_prove_no_limit_within_sets_and_that_is_said() -> None:
    runs = square(40)
    found = limits_of(node_map_of(runs))
    assert found.box is None
    assert any(note.startswith("no limit of a function holds whatever the others do") for note in found.notes)
    across_sets = limits_of(node_map_of(runs, "two_sided")).box
    assert across_sets is not None
    assert across_sets.limits_rps == {"a": 20, "b": 20}


def test_a_function_at_rate_0_stands_for_one_that_is_not_called() -> None:
    """Recordings of PEVA-FAAS have all functions in each configuration, some at rate 0."""
    rates = (0, 10, 20)
    runs = [event(pair(a, b), verdict=OK if a + b <= 30 else OVERLOADED) for a in rates for b in rates if a + b]
    box = limits_of(node_map_of(runs)).box
    assert box is not None
    assert box.limits_rps == {"a": 10, "b": 20}


def test_weights_shift_the_limits() -> None:
    runs = [*square(40), *alone(30)]
    box = limits_of(node_map_of(runs), weights={"a": 5}).box
    assert box is not None
    assert box.limits_rps == {"a": 30, "b": 10}
    assert box.weights == {"a": 5, "b": 1}


@pytest.mark.parametrize("heaviest", [1e9, 1e308])
def test_only_the_ratio_of_weights_matters(heaviest: float) -> None:
    runs = [*square(40), *alone(30)]
    node_map = node_map_of(runs)
    small, large = (limits_of(node_map, weights={"a": weight, "b": weight / 5}).box for weight in (5.0, heaviest))
    assert small is not None
    assert large is not None
    assert large.limits == small.limits


def test_functions_that_are_never_safe_together_share_no_box() -> None:
    box = limits_of(node_map_of([*square(0), *alone(20)])).box
    assert box is not None
    assert sorted(box.limits_rps.values()) == [0, 20]


def test_the_largest_multiple_of_a_mix_is_told_with_its_proof() -> None:
    even, tilted, single = limits_of(
        node_map_of([*square(40), *alone(30)]), [{"a": 1, "b": 1}, {"a": 2, "b": 1}, {"b": 7}]
    ).mixes

    assert (even.multiple, even.rates_rps, even.proved_by) == (20, {"a": 20, "b": 20}, pair(20, 20))
    assert (even.overloaded_multiple, even.overloaded_by) == (30, pair(20, 30))
    assert (tilted.multiple, tilted.rates_rps, tilted.proved_by) == (10, {"a": 20, "b": 10}, pair(20, 20))
    assert single.multiple == pytest.approx(30 / 7)
    assert (single.rates_rps, single.overloaded_multiple, single.overloaded_by) == ({"b": 30}, None, None)


def test_a_mix_of_which_nothing_is_proved_has_no_multiple() -> None:
    (mix,) = limits_of(node_map_of(square(40)), [{"a": 1}]).mixes
    assert (mix.multiple, mix.rates_rps, mix.overloaded_multiple) == (None, {"a": 0}, None)


def test_a_map_without_overload_has_lower_bounds_only() -> None:
    found = limits_of(node_map_of([*square(60), *alone(30)]))
    assert found.box is not None
    assert found.box.limits_rps == {"a": 30, "b": 30}
    assert all(one.is_lower_bound for one in found.box.limits)
    assert "nothing is proved overloaded: all limits are lower bounds; higher rates were not measured" in found.notes


def test_a_map_without_an_ok_configuration_has_no_limits() -> None:
    found = limits_of(node_map_of(square(0)))
    assert (found.highest, found.box) == ((), None)
    assert "nothing is proved OK, so no load is known to be safe: measure lower rates" in found.notes


def test_unknown_contradicted_and_suspect_measurements_prove_nothing_and_are_counted(tmp_path: Path) -> None:
    runs = [event(pair(10, 10), verdict=OVERLOADED), event(pair(20, 20)), event(pair(10, 30)), event(pair(30, 10))]
    suspect = replace(event(pair(30, 30)), context_hash="ctx", run_id="run")
    memory = remember(tmp_path / "m.duckdb", [*runs, suspect, mark(suspect, "the canary failed", 2000.0)])
    found = limits_of(read_map(memory, dominance="within_sets"))

    assert found.highest == ()
    assert any("contradict each other" in note and "3 pairs" in note for note in found.notes)
    assert "runs that became suspect, from which no limit follows: 1" in found.notes
    assert "unknown configurations, which are never taken to be safe: 9 of 9" in found.notes


def test_a_quarantined_measurement_is_no_limit() -> None:
    """Its own label holds on the map, but another measurement contradicts it."""
    low = [event(pair(10, 10), i, OVERLOADED) for i in range(2)]
    high = [event(pair(30, 30), i) for i in range(2)]
    node_map = node_map_of([*low, *high, event([("a", 10)])])
    assert node_map.known.verdict(pair(30, 30)) is Verdict.OK
    assert [mix.config for mix in limits_of(node_map).highest] == [[("a", 10)]]


@pytest.mark.parametrize(
    ("mix", "weights", "problem"),
    [
        ({}, None, "mix: name at least one function, such as a=1"),
        ({"c": 1}, None, "mix: there is no function 'c' on this map; there are: a, b"),
        ({"a": 0}, None, "mix: a=0 must be a number above 0"),
        ({"a": math.nan}, None, "mix: a=nan must be a number above 0"),
        ({"a": 1}, {"b": math.inf}, "weight: b=inf must be a number above 0"),
    ],
)
def test_a_wrong_mix_or_weight_is_refused(
    mix: Mapping[str, float], weights: Mapping[str, float] | None, problem: str
) -> None:
    with pytest.raises(ConfigError, match=problem):
        limits_of(node_map_of(square(40)), [mix], weights)


def test_one_sided_dominance_proves_no_limit() -> None:
    with pytest.raises(ConfigError, match="one_sided dominance infers nothing from OK configurations"):
        limits_of(node_map_of(square(40), "one_sided"))


def random_map(seed: int, dominance: Dominance) -> MonotoneMap:
    """Return a map of three functions, alone and together, some of whose configurations were measured; no noise."""
    rng = np.random.default_rng(seed)
    space = ConfigSpace(dict.fromkeys("abc", RATES), min_functions=1, max_functions=4)
    needs, capacity = dict(zip("abc", rng.uniform(0.2, 1.0, 3), strict=True)), rng.uniform(5, 60)
    known = MonotoneMap(space, dominance=dominance)
    for index in rng.permutation(space.n_configs)[: rng.integers(5, space.n_configs)].tolist():
        config = space.config(index)
        load = sum(needs[name] * rate for name, rate in config)
        known.update(config, OK if load <= capacity else OVERLOADED)
    return known


def within(box: Mapping[str, int]) -> Iterable[Config]:
    """Yield each configuration of the grid within a box, functions that are not called included."""
    for rates in itertools.product(*([0, *(rate for rate in RATES if rate <= limit)] for limit in box.values())):
        if config := [(name, rate) for name, rate in zip(box, rates, strict=True) if rate]:
            yield config


def size(box: Mapping[str, int]) -> tuple[int, int]:
    limits = [limit for limit in box.values() if limit]
    return len(limits), math.prod(limits) if limits else 0


@pytest.mark.parametrize("dominance", ["within_sets", "two_sided"])
@pytest.mark.parametrize("seed", range(12))
def test_the_box_is_the_best_of_all_in_which_every_load_is_proved_ok(seed: int, dominance: Dominance) -> None:
    known = random_map(seed, dominance)
    boxes = (dict(zip("abc", limits, strict=True)) for limits in itertools.product((0, *RATES), repeat=3))
    safe = [box for box in boxes if all(known.verdict(config) is OK for config in within(box))]
    best = max(safe, key=size)

    found = largest_box(SafeRegion(known))

    if size(best) == (0, 0):
        assert found is None
    else:
        assert found is not None
        assert found.limits_rps in safe
        assert size(found.limits_rps) == size(best)
