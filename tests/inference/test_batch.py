"""One dominance in three forms: of two configurations, of a space as arrays, and of many campaigns as bit sets."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from peva_env.inference import OK_LABEL, OVERLOADED_LABEL, RateGrid, Reach, no_lower_pairs, unpacked
from peva_env.space import Config, ConfigSpace, Dominance, config_key, dominates, no_lower

SPACES = st.builds(
    lambda rates, fewest: ConfigSpace(rates, min_functions=min(fewest, len(rates)), max_functions=len(rates) + 1),
    st.dictionaries(
        st.sampled_from("abc"), st.lists(st.integers(0, 9), min_size=1, max_size=3, unique=True), min_size=1
    ),
    st.integers(1, 3),
)


def tells_of(space: ConfigSpace, base: Config, label: int, other: Config, dominance: Dominance) -> bool:
    """Return whether a label of ``base`` is also that of ``other``, by two configurations alone."""
    if config_key(base) == config_key(other):
        return True
    if label == OK_LABEL and dominance == "one_sided":
        return False
    low, high = (base, other) if label == OVERLOADED_LABEL else (other, base)
    if dominance != "two_sided":
        return dominates(low, high)
    low_rates, high_rates = space.rates_of([low, high]).tolist()
    return no_lower(high_rates, low_rates)


@given(SPACES, st.data())
@pytest.mark.parametrize("dominance", ["one_sided", "within_sets", "two_sided"])
def test_arrays_and_bit_sets_infer_what_two_configurations_say(
    dominance: Dominance, space: ConfigSpace, data: st.DataObject
) -> None:
    index = data.draw(st.integers(0, space.n_configs - 1))
    label = data.draw(st.sampled_from([OK_LABEL, OVERLOADED_LABEL]))
    grid = RateGrid(space)
    expected = [tells_of(space, space.config(index), label, other, dominance) for other in space]
    bits = Reach(grid, dominance).find(np.array([index]), np.array([label], np.int8))
    assert unpacked(bits, space.n_configs)[0].astype(bool).tolist() == expected
    if not (label == OK_LABEL and dominance == "one_sided"):
        reached = grid.reached(index, label, np.arange(space.n_configs), dominance)
        assert reached.tolist() == expected


@given(SPACES, st.data())
def test_pairs_of_rows_are_compared_as_two_configurations_are(space: ConfigSpace, data: st.DataObject) -> None:
    indices = st.lists(st.integers(0, space.n_configs - 1), min_size=1, max_size=4)
    rates, bases = (space.rates_of([space.config(i) for i in data.draw(indices)]) for _ in range(2))
    assert no_lower_pairs(rates, bases).tolist() == [
        [no_lower(row, base) for base in bases.tolist()] for row in rates.tolist()
    ]


@pytest.mark.parametrize("dominance", ["one_sided", "two_sided", "within_sets"])
def test_without_tables_the_same_is_inferred(dominance: Dominance) -> None:
    space = ConfigSpace({"a": [10, 20, 30, 40], "b": [5, 10, 15]}, max_functions=3)
    grid, indices = RateGrid(space), np.tile(np.arange(space.n_configs), 3)
    labels = np.repeat(np.array([OK_LABEL, 0, OVERLOADED_LABEL], np.int8), space.n_configs)
    with_tables = Reach(grid, dominance).find(indices, labels)
    assert with_tables.any()
    np.testing.assert_array_equal(Reach(grid, dominance, max_table_bits=0).find(indices, labels), with_tables)
