"""The set of complete configurations answers as a set does."""

from hypothesis import given
from hypothesis import strategies as st

from peva_env.memory.key_set import KeySet
from peva_env.space import ConfigKey, config_key

configs = st.dictionaries(st.sampled_from("abc"), st.integers(0, 3), min_size=1).map(
    lambda rates: config_key(list(rates.items()))
)


@given(st.sets(configs), st.sets(configs))
def test_a_key_set_is_a_set(kept: set[ConfigKey], others: set[ConfigKey]) -> None:
    keys = KeySet()
    for key in kept:
        keys.add(key)
    assert {key for key in kept | others if key in keys} == kept
    keys.clear()
    assert not any(key in keys for key in kept)
