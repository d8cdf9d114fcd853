"""The result of a re-check: the share that was lost, of what was OK before."""

from typing import Any

from peva_env.contracts import Verdict
from peva_env.inference import EarlierMap, MonotoneMap
from peva_env.maps import Recheck, recheck_of
from peva_env.space import ConfigKey, ConfigSpace, config_key

SPACE = ConfigSpace({"a": [10, 20, 30, 40, 50]})
OK, OVERLOADED = Verdict.OK, Verdict.OVERLOADED


def at(rate: int) -> ConfigKey:
    return config_key([("a", rate)])


def found(now: dict[int, Verdict], *lost: int, **values: Any) -> Recheck:
    earlier = EarlierMap({at(40): OK, at(50): OVERLOADED}, SPACE, "within_sets")
    known = MonotoneMap(SPACE, dominance="within_sets")
    known.update_all({at(rate): verdict for rate, verdict in now.items()})
    certain = {at(rate): OVERLOADED for rate in lost}
    return recheck_of(earlier, known, certain=certain, unsure=(), n_runs=len(now), **values)


def test_the_lost_share_is_of_all_that_was_ok_also_where_the_budget_ended_before_most_is_known_again() -> None:
    assert found({40: OVERLOADED}, 40, is_finished=False).lost_share == 1 / 4
    assert found({40: OVERLOADED, 30: OK}, 40).lost_share == 1 / 4


def test_what_is_lost_for_certain_counts_as_lost_also_where_another_measurement_contradicts_it() -> None:
    contradicted = found({30: OVERLOADED, 40: OK}, 30)
    assert contradicted.n_unproved
    assert contradicted.lost_share == 1 / 4
