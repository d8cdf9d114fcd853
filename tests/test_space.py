"""The space of configurations: order, addressing, and its size being no matter."""

import pickle
from copy import deepcopy
from itertools import combinations, product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from peva_env.space import Config, ConfigSpace, config_id, config_key, config_text, dominates

names = st.sampled_from("abcdef")
rates = st.lists(st.integers(0, 500), min_size=1, max_size=4)
configs = st.dictionaries(names, st.integers(0, 500), min_size=1).map(lambda pairs: list(pairs.items()))


@st.composite
def spaces(draw: st.DrawFn) -> ConfigSpace:
    rates_rps = draw(st.dictionaries(names, rates, min_size=1, max_size=5))
    low = draw(st.integers(1, len(rates_rps)))
    return ConfigSpace(rates_rps, min_functions=low, max_functions=draw(st.integers(low + 1, len(rates_rps) + 2)))


def enumerate_plan(space: ConfigSpace) -> list[Config]:
    """The plan as PEVA-FAAS enumerates it."""
    rates_rps = dict(zip(space.functions, space.rates_rps, strict=True))
    return [
        list(zip(chosen, choice, strict=True))
        for size in range(space.min_functions, space.max_functions)
        for chosen in combinations(sorted(rates_rps), size)
        for choice in product(*(rates_rps[name] for name in chosen))
    ]


@given(spaces())
def test_the_plan_is_in_cartesian_order(space: ConfigSpace) -> None:
    assert list(space) == enumerate_plan(space)
    assert [space.config(i) for i in range(space.n_configs)] == enumerate_plan(space)


def test_neighbours_differ_by_one_rate_of_one_function() -> None:
    space = ConfigSpace({"a": [10, 20, 40], "b": [5, 7]}, max_functions=3)
    assert space.neighbours([("a", 10)]) == [[("a", 20)]]
    assert space.neighbours([("b", 7), ("a", 20)]) == [
        [("a", 10), ("b", 7)],
        [("a", 40), ("b", 7)],
        [("a", 20), ("b", 5)],
    ]


@given(spaces(), st.data())
def test_index_and_levels_are_inverse_to_config(space: ConfigSpace, data: st.DataObject) -> None:
    index = data.draw(st.integers(0, space.n_configs - 1))
    config = space.config(index)
    assert space.index(config) == index
    assert space.from_levels(space.levels(config)) == config


@given(spaces())
def test_blocks_tile_the_plan(space: ConfigSpace) -> None:
    position = 0
    for function_set in space.function_sets():
        offset, shape = space.block(function_set)
        assert offset == position
        for size in shape:
            assert size >= 1
        position += len(list(product(*map(range, shape))))
    assert position == space.n_configs


def test_a_space_of_21_to_the_20_is_addressed_without_being_enumerated() -> None:
    functions = {f"f{i:02}": range(0, 201, 10) for i in range(20)}
    space = ConfigSpace(functions, min_functions=20, max_functions=21)
    assert space.n_configs == 21**20
    assert space.config(0) == [(name, 0) for name in functions]
    assert space.config(21**20 - 1) == [(name, 200) for name in functions]
    assert space.index(space.config(21**19 + 12345)) == 21**19 + 12345
    assert len(pickle.dumps(space)) < 20_000


def test_each_function_has_its_own_rates() -> None:
    space = ConfigSpace({"b": [10, 20], "a": [5]}, max_functions=3)
    assert list(space) == [[("a", 5)], [("b", 10)], [("b", 20)], [("a", 5), ("b", 10)], [("a", 5), ("b", 20)]]


def test_it_is_a_sequence() -> None:
    space = ConfigSpace({"a": [1, 2, 3]})
    assert len(space) == 3
    assert space[-1] == [("a", 3)]
    assert space[1:] == [[("a", 2)], [("a", 3)]]
    assert [("a", 2)] in space
    assert [("a", 4)] not in space


def test_it_never_changes_and_a_copy_is_the_same_space() -> None:
    space = ConfigSpace({"a": [1, 2], "b": [3]}, max_functions=3)
    for name in ("functions", "max_functions", "anything"):
        with pytest.raises(AttributeError, match=f"{name} of a configuration space cannot be changed; make another"):
            setattr(space, name, ())
    for copied in (deepcopy(space), pickle.loads(pickle.dumps(space))):  # noqa: S301 - its own
        assert list(copied) == list(space)


@pytest.mark.parametrize("index", [-1, 3])
def test_an_index_outside_is_refused(index: int) -> None:
    with pytest.raises(IndexError, match=r"outside 0\.\.2"):
        ConfigSpace({"a": [1, 2, 3]}).config(index)


@pytest.mark.parametrize(
    ("config", "problem"),
    [
        ([("z", 1)], "'z' is not a function"),
        ([("a", 7)], "7 rps is not a rate of 'a'"),
        ([], "must name 1 to 1"),
        ([("a", 1), ("b", 1)], "must name 1 to 1"),
        ([("a", 1), ("a", 2)], "must name 1 to 1"),
    ],
)
def test_a_foreign_configuration_is_named(config: Config, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        ConfigSpace({"a": [1, 2], "b": [1]}).index(config)


@pytest.mark.parametrize(
    ("rates_rps", "bounds", "problem"),
    [
        ({}, (1, 2), "at least one function"),
        ({"a": []}, (1, 2), "at least one rate"),
        ({"a": [-1]}, (1, 2), "none of them negative"),
        ({"a": [1]}, (2, 2), "below max_functions"),
        ({"a": [1]}, (0, 2), "at least 1"),
        ({"a": [1]}, (2, 3), "only 1 functions"),
    ],
)
def test_an_empty_space_is_refused(rates_rps: dict[str, list[int]], bounds: tuple[int, int], problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        ConfigSpace(rates_rps, min_functions=bounds[0], max_functions=bounds[1])


def test_ids_agree_with_recordings_of_peva_faas() -> None:
    # sha256 of "a:10|b:20", first 12 digits, by sha256sum
    assert config_id([("b", 20), ("a", 10)]) == "451fd5476a5d"
    assert config_key([("b", 20), ("a", 10)]) == (("a", "b"), (10, 20))


@given(configs, configs)
def test_dominance_is_strict_and_within_one_set_of_functions(base: Config, candidate: Config) -> None:
    higher = all(dict(candidate).get(name, -1) >= rate for name, rate in base)
    same = sorted(dict(base)) == sorted(dict(candidate))
    assert dominates(base, candidate) == (same and higher and sorted(base) != sorted(candidate))
    assert not (dominates(base, candidate) and dominates(candidate, base))


def test_rates_of_configurations_are_an_array_with_0_for_what_is_absent() -> None:
    space = ConfigSpace({"b": [1, 2], "a": [3]}, max_functions=3)
    rates_rps = space.rates_of([[("b", 2)], [("b", 1), ("a", 3)]])
    assert rates_rps.dtype == np.int32
    assert rates_rps.tolist() == [[0, 2], [3, 1]]
    assert space.rates_of([]).shape == (0, 2)


def test_a_configuration_in_words() -> None:
    assert config_text([("figlet", 40), ("env", 20)]) == "figlet 40 rps + env 20 rps"
    assert config_text([("figlet", 40)], unit="", show_name=str.upper) == "FIGLET 40"
