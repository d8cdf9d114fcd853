"""What an earlier map says of a plan, also of one with other rates or functions."""

import pytest

from peva_env.contracts import Verdict
from peva_env.errors import ConfigError
from peva_env.inference import EarlierMap
from peva_env.space import Config, ConfigKey, ConfigSpace, config_key

OK, OVERLOADED = Verdict.OK, Verdict.OVERLOADED
PLAN = ConfigSpace({"a": [10, 20, 30], "b": [10, 20, 30]}, min_functions=2, max_functions=3)


def pair(a: int, b: int) -> Config:
    return [("a", a), ("b", b)]


def keys(*configs: tuple[Config, Verdict]) -> dict[ConfigKey, Verdict]:
    return {config_key(config): verdict for config, verdict in configs}


def test_the_certificate_of_a_whole_map_is_its_frontier() -> None:
    whole = keys(*((config, OVERLOADED if sum(dict(config).values()) > 40 else OK) for config in PLAN))
    earlier = EarlierMap(whole, PLAN, "within_sets")
    assert earlier.ok == [pair(10, 30), pair(20, 20), pair(30, 10)]
    assert earlier.overloaded == [pair(20, 30), pair(30, 20)]
    assert earlier.n_certificate == 5
    assert (earlier.labels != 0).all()


def test_a_plan_with_other_rates_has_the_verdicts_that_follow() -> None:
    earlier = EarlierMap(keys((pair(25, 25), OK), (pair(28, 28), OVERLOADED)), PLAN, "within_sets")
    assert (earlier.ok, earlier.overloaded) == ([pair(20, 20)], [pair(30, 30)])
    assert earlier.verdict(pair(10, 20)) is OK
    assert earlier.verdict(pair(30, 20)) is None
    assert earlier.basis(pair(10, 20)) == pair(25, 25)
    assert earlier.basis(pair(30, 20)) is None


def test_contradicted_measurements_say_nothing() -> None:
    measured = keys((pair(10, 10), OVERLOADED), (pair(20, 20), OK), (pair(30, 30), OVERLOADED), (pair(10, 30), OK))
    earlier = EarlierMap(measured, PLAN, "within_sets")
    assert (earlier.ok, earlier.overloaded) == ([], [pair(30, 30)])


def test_configurations_with_functions_that_are_gone_are_left_out() -> None:
    three: Config = [*pair(10, 10), ("c", 10)]
    assert EarlierMap(keys((pair(20, 20), OK), (three, OVERLOADED)), PLAN, "within_sets").overloaded == []
    with pytest.raises(ConfigError, match="no configuration of a, b alone; its functions: a, b, c"):
        EarlierMap(keys((three, OK)), PLAN, "within_sets")
    with pytest.raises(ConfigError, match="no configuration of a, b alone; its functions: none"):
        EarlierMap({}, PLAN, "within_sets")


def test_measurements_that_say_nothing_of_the_plan_are_named_as_such() -> None:
    with pytest.raises(ConfigError, match="nothing that was measured earlier says anything of this plan"):
        EarlierMap(keys((pair(5, 5), OK)), PLAN, "within_sets")
