"""Mixes that are OK although fewer functions, at no higher rates, are overloaded."""

from itertools import product

import numpy as np

from peva_env.contracts import Verdict
from peva_env.inference import MonotoneMap
from peva_env.maps import added_functions, is_above_fewer
from peva_env.space import Config, ConfigSpace, config_key

VERDICTS = (Verdict.OK, Verdict.OVERLOADED)


def known_of(space: ConfigSpace, verdicts: dict[int, Verdict]) -> MonotoneMap:
    known = MonotoneMap(space, dominance="within_sets")
    known.update_all({config_key(space.config(index)): verdict for index, verdict in verdicts.items()})
    return known


def is_above(high: Config, low: Config) -> bool:
    rates = dict(high)
    return len(high) > len(low) and all(rates.get(name, -1) >= rate for name, rate in low)


def test_they_are_those_above_an_overloaded_configuration_of_fewer_functions() -> None:
    space = ConfigSpace({"a": [0, 10, 20], "b": [0, 10, 20], "c": [5, 10]}, max_functions=4)
    rng = np.random.default_rng(7)
    n_found = 0
    for _ in range(20):
        chosen = rng.choice(space.n_configs, 12, replace=False).tolist()
        known = known_of(space, {index: VERDICTS[rng.integers(2)] for index in chosen})
        lowest = known.frontier()[0]
        ok = [space.config(index) for index in chosen if known.measured[config_key(space.config(index))] is Verdict.OK]
        found = added_functions(known)
        assert {config_key(one.ok) for one in found} == {
            config_key(high) for high, low in product(ok, lowest) if is_above(high, low)
        }
        assert all(is_above(one.ok, one.overloaded) for one in found)
        assert all(is_above_fewer(known, one.ok) for one in found)
        n_found += len(found)
    assert n_found


def test_a_function_at_rate_0_is_a_function_of_the_mix() -> None:
    space = ConfigSpace({"a": [10], "b": [0, 10]}, max_functions=3)
    with_b: Config = [("a", 10), ("b", 0)]
    known = known_of(space, {space.index([("a", 10)]): Verdict.OVERLOADED, space.index(with_b): Verdict.OK})
    assert added_functions(known) == [(with_b, [("a", 10)])]
    assert not is_above_fewer(known, [("b", 0)])
