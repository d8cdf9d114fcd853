"""How often a re-check measures a configuration, and when it believes that a verdict has changed."""

from collections.abc import Sequence
from typing import Any

from peva_env.contracts import Verdict
from peva_env.inference import EarlierMap
from peva_env.memory import RecheckLedger
from peva_env.space import Config, ConfigSpace, config_key
from tests.support.builders import event

OK, OVERLOADED = Verdict.OK, Verdict.OVERLOADED
PLAN = ConfigSpace({"a": [10, 20, 30, 40], "b": [10, 20]}, max_functions=2)
LIMIT, ABOVE, FREE = [("a", 20)], [("a", 30)], [("b", 10)]


def ledger(scattered: Sequence[float] = (-0.20, -0.22, -0.21), **settings: Any) -> RecheckLedger:
    """The ledger of an earlier map: ``a`` was OK at 20, and overloaded at 30 with these margins."""
    verdicts = {config_key(LIMIT): OK, config_key(ABOVE): OVERLOADED}
    margins = {config_key(LIMIT): [0.05, 0.04, 0.05], config_key(ABOVE): scattered}
    return RecheckLedger(EarlierMap(verdicts, PLAN, "within_sets"), margins, **settings)


def measure(of: RecheckLedger, config: Config, *margins: float) -> int:
    """Record runs while the ledger asks for them, and return how many it took."""
    taken = 0
    for margin in margins:
        if of.missing_runs(config_key(config)):
            verdict = OK if margin >= 0 else OVERLOADED
            of.record(event(config, of.next_iteration(config_key(config)), verdict, margin=margin))
            taken += 1
    return taken


def test_a_run_that_agrees_is_enough_and_so_is_any_run_where_nothing_was_known() -> None:
    one = ledger()
    assert measure(one, LIMIT, 0.01, 0.01) == measure(one, ABOVE, -0.3, -0.3) == measure(one, FREE, -0.3, -0.3) == 1
    assert (one.certain, one.unsure) == ({}, [])


def test_a_run_that_differs_as_much_as_runs_scatter_is_not_made_again() -> None:
    one = ledger()
    assert measure(one, LIMIT, -0.001, -0.001) == 1
    assert (one.certain, one.unsure) == ({}, [config_key(LIMIT)])


def test_a_run_that_may_show_a_change_is_made_again_until_the_majority_agrees() -> None:
    one = ledger()
    assert measure(one, LIMIT, -0.3, 0.02, 0.02) == 2  # a tie is OK
    assert measure(one, ABOVE, 0.05, -0.2, -0.2, -0.2) == 3  # a tie is not overloaded
    assert (one.certain, one.unsure) == ({}, [])


def test_a_change_is_certain_after_three_runs_if_it_exceeds_the_scatter() -> None:
    one = ledger()
    assert measure(one, LIMIT, -0.3, -0.31, -0.29, -0.3) == 3
    assert one.certain == {config_key(LIMIT): OVERLOADED}


def test_a_change_that_does_not_become_certain_is_left_at_that() -> None:
    one = ledger(scattered=(-0.1, -0.2, -0.3), most_runs=3)
    assert measure(one, LIMIT, -0.13, -0.13, -0.13, -0.13) == 3
    assert (one.certain, one.unsure) == ({}, [config_key(LIMIT)])


def test_on_a_node_that_has_changed_two_runs_are_enough_for_a_change_in_the_same_direction() -> None:
    one = ledger()
    lower, inferred_overloaded = [("a", 10)], [("a", 40)]
    measure(one, LIMIT, -0.3, -0.31, -0.29)
    assert measure(one, lower, -0.3, -0.3, -0.3) == 2
    assert measure(one, inferred_overloaded, 0.05, 0.05, 0.05, 0.05) == 3
    assert list(one.certain) == [config_key(LIMIT), config_key(lower), config_key(inferred_overloaded)]


def test_without_stored_margins_the_threshold_stands_for_them() -> None:
    one = RecheckLedger(EarlierMap({config_key(LIMIT): OK}, PLAN, "within_sets"), {})
    assert measure(one, LIMIT, *[-0.3] * 9) < 9
    assert one.certain == {config_key(LIMIT): OVERLOADED}


def test_a_campaign_that_begins_anew_forgets_what_was_certain() -> None:
    one = ledger()
    measure(one, LIMIT, -0.3, -0.31, -0.29)
    one.begin(())
    assert (one.certain, one.unsure) == ({}, [])
    assert measure(one, LIMIT, 0.05) == 1
