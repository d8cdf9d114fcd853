"""What measurements prove, what contradicts what, and what is left to measure."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from peva_env.contracts import Verdict
from peva_env.inference.grid import RateGrid
from peva_env.inference.monotone_map import MonotoneMap
from peva_env.inference.records import Dispute, Status
from peva_env.space import Config, ConfigSpace, Dominance, config_key
from tests.support.spaces import sparse

OK, OVERLOADED = Verdict.OK, Verdict.OVERLOADED
GRID = ConfigSpace({"a": [10, 20, 30, 40], "b": [10, 20, 30]}, min_functions=2, max_functions=3)
MIXED = ConfigSpace({"a": [0, 1, 2], "b": [1, 2], "c": [5]}, max_functions=4)


def mix(a: int, b: int) -> Config:
    return [("a", a), ("b", b)]


def two_sided(space: ConfigSpace = GRID) -> MonotoneMap:
    return MonotoneMap(space, dominance="two_sided")


def drawn(known: MonotoneMap) -> str:
    """Return the statuses of GRID, a row for each rate of ``a``."""
    letters = np.array(list(".imx"))[known.status()].reshape(4, 3)
    return " ".join("".join(row) for row in letters)


def test_an_ok_above_an_overloaded_contradicts_it_and_neither_tells_of_anything() -> None:
    known = two_sided()
    known.update(mix(20, 20), OVERLOADED)
    assert drawn(known) == "... .mi .ii .ii"
    assert known.n_unknown == 6
    resolved = known.update(mix(30, 20), OK)
    assert resolved.size == 0
    assert known.contradictions() == [(mix(20, 20), mix(30, 20))]
    assert drawn(known) == "... .x. .x. ..."
    assert known.n_unknown == 12
    assert known.verdict(mix(20, 20)) is known.verdict(mix(40, 30)) is None


def test_what_is_measured_beside_a_contradiction_is_believed_unless_it_contradicts_too() -> None:
    known = two_sided()
    known.update(mix(20, 20), OVERLOADED)
    known.update(mix(30, 20), OK)
    known.update(mix(40, 10), OVERLOADED)
    assert drawn(known) == "... .x. .x. mii"
    known.update(mix(10, 10), OVERLOADED)
    assert drawn(known) == "xx. xx. xx. mii"
    assert known.n_unknown == 9


def test_measured_again_and_found_otherwise_a_contradiction_is_gone() -> None:
    known = two_sided()
    known.update(mix(20, 20), OVERLOADED)
    known.update(mix(30, 20), OK)
    resolved = known.update(mix(30, 20), OVERLOADED)
    assert known.contradictions() == []
    assert drawn(known) == "... .mi .mi .ii"
    assert len(resolved) == 6
    assert known.n_unknown == 6
    assert known.measured == {(("a", "b"), (20, 20)): OVERLOADED, (("a", "b"), (30, 20)): OVERLOADED}


@given(
    st.lists(st.tuples(st.integers(0, GRID.n_configs - 1), st.sampled_from([OK, OVERLOADED])), max_size=8),
    st.sets(st.integers(0, GRID.n_configs - 1), max_size=4),
    st.sampled_from(["one_sided", "within_sets", "two_sided"]),
    st.booleans(),
)
def test_a_map_that_forgets_is_one_that_never_knew(
    found: list[tuple[int, Verdict]], gone: set[int], dominance: Dominance, is_sparse: bool
) -> None:
    space = sparse(GRID) if is_sparse else GRID
    known, never_knew = (MonotoneMap(space, dominance=dominance) for _ in range(2))
    for index, verdict in found:
        known.update(space.config(index), verdict)
    kept = dict(found)
    for index in gone:
        kept.pop(index, None)
    never_knew.update_all({config_key(space.config(index)): verdict for index, verdict in kept.items()})
    known.forget(*map(space.config, sorted(gone)))
    assert known.measured == never_knew.measured
    assert known.disputed() == never_knew.disputed()
    assert [known.verdict(config) for config in space] == [never_knew.verdict(config) for config in space]
    assert known.n_unknown == never_knew.n_unknown


def test_what_is_forgotten_leaves_quarantine() -> None:
    known = two_sided()
    known.update(mix(20, 20), OVERLOADED)
    known.update(mix(30, 20), OK)
    known.quarantine(mix(20, 20), mix(30, 20))
    known.forget(mix(20, 20))
    known.update(mix(20, 20), OVERLOADED)
    assert known.disputed() == [mix(20, 20)]


def test_in_quarantine_a_measurement_keeps_its_label_and_tells_of_nothing() -> None:
    known = two_sided()
    known.update(mix(20, 20), OVERLOADED)
    known.update(mix(30, 20), OK)
    assert known.disputed() == [mix(20, 20), mix(30, 20)]
    assert known.quarantine(mix(20, 20)).tolist() == [GRID.index(mix(20, 20))]
    assert drawn(known) == "... .m. .x. ..."
    assert known.verdict(mix(20, 20)) is OVERLOADED
    assert known.disputed() == [mix(30, 20)]
    assert [dispute.state for dispute in known.disputes()] == ["open"]
    known.quarantine(mix(30, 20))
    assert drawn(known) == "... .m. .m. ..."
    assert known.n_unknown == 10
    assert known.evidence(mix(10, 10)) is None
    assert [dispute.state for dispute in known.disputes()] == ["quarantine"]
    with pytest.raises(ValueError, match="was not measured"):
        known.quarantine(mix(40, 30))


def test_a_doubting_map_searches_for_contradictions_where_nothing_is_inferred_ok() -> None:
    known = MonotoneMap(GRID, dominance="one_sided", doubts=True)
    known.update(mix(20, 20), OVERLOADED)
    known.update(mix(40, 20), OK)
    known.update(mix(10, 20), OK)
    assert known.disputes() == [Dispute(mix(20, 20), mix(40, 20), "open")]
    assert [known.verdict(mix(a, 20)) for a in (10, 20, 30, 40)] == [OK, None, None, None]
    assert known.verdict(mix(40, 30)) is None
    assert known.verdict(mix(10, 10)) is None
    known.update(mix(40, 20), OVERLOADED)
    assert [known.verdict(mix(a, 30)) for a in (10, 20, 40)] == [None, OVERLOADED, OVERLOADED]
    assert known.n_unknown == 12 - 1 - 6


@given(entries=st.lists(st.tuples(st.integers(0, 11), st.booleans()), max_size=8))
def test_a_doubting_map_is_the_same_however_it_was_entered_and_without_contradictions_as_any(
    entries: list[tuple[int, bool]],
) -> None:
    by_update, at_once = (MonotoneMap(GRID, dominance="one_sided", doubts=True) for _ in range(2))
    trusting = MonotoneMap(GRID, dominance="one_sided")
    for index, is_ok in entries:
        for known in (by_update, trusting):
            known.update(GRID.config(index), OK if is_ok else OVERLOADED)
    at_once.update_all({config_key(GRID.config(index)): OK if is_ok else OVERLOADED for index, is_ok in entries})
    assert [by_update.verdict(one) for one in GRID] == [at_once.verdict(one) for one in GRID]
    assert by_update.n_unknown == at_once.n_unknown == sum(at_once.verdict(one) is None for one in GRID)
    if not at_once.contradictions():
        assert [at_once.verdict(one) for one in GRID] == [trusting.verdict(one) for one in GRID]


def test_a_quarantine_ends_with_its_contradiction() -> None:
    known = two_sided()
    known.update(mix(20, 20), OVERLOADED)
    known.update(mix(30, 20), OK)
    known.quarantine(mix(20, 20))
    known.update(mix(30, 20), OVERLOADED)
    assert drawn(known) == "... .mi .mi .ii"
    assert known.disputes() == [Dispute(mix(20, 20), mix(30, 20), "settled")]


def test_a_certificate_is_the_extremes_of_what_was_measured() -> None:
    known = two_sided()
    for config, verdict in ((mix(30, 10), OK), (mix(10, 10), OK), (mix(40, 10), OVERLOADED), (mix(40, 30), OVERLOADED)):
        known.update(config, verdict)
    certificate = known.certificate()
    assert (certificate.overloaded, certificate.ok) == known.frontier() == ([mix(40, 10)], [mix(30, 10)])
    assert len(certificate) == 2
    assert certificate.least_runs_left == 1
    known.update(mix(10, 20), OVERLOADED)
    assert known.n_unknown == known.certificate().least_runs_left == 0


def test_what_no_run_can_reach_together_needs_a_run_each() -> None:
    known = two_sided()
    known.update(mix(20, 20), OVERLOADED)
    known.update(mix(10, 10), OK)
    assert drawn(known) == "m.. .mi .ii .ii"
    assert known.certificate().least_runs_left == 2


def test_older_rules_know_no_contradictions() -> None:
    known = MonotoneMap(GRID)
    known.update(mix(20, 20), OVERLOADED)
    known.update(mix(30, 20), OK)
    assert known.contradictions() == []
    assert (known.verdict(mix(30, 20)), known.verdict(mix(40, 20))) == (OK, OVERLOADED)
    assert drawn(known) == "... .mi .mi .ii"


def test_within_sets_nothing_crosses_from_one_set_of_functions_to_another() -> None:
    modes: tuple[tuple[Dominance, Verdict | None], ...] = (("two_sided", OK), ("within_sets", None))
    for dominance, crossed in modes:
        known = MonotoneMap(MIXED, dominance=dominance)
        known.update([("a", 1), ("b", 2)], OK)
        assert known.verdict([("a", 0), ("b", 1)]) is OK
        assert known.verdict([("b", 2)]) is crossed
        known.update([("a", 2)], OVERLOADED)
        assert known.verdict([("a", 2), ("c", 5)]) is (OVERLOADED if crossed else None)


def test_a_space_without_arrays_has_no_status() -> None:
    large = two_sided(sparse(GRID))
    for ask in (large.status, large.frontier, large.certificate, large.contradictions):
        with pytest.raises(ValueError, match="too many for an array of labels"):
            ask()


# --- against the definitions, one by one ------------------------------------------------------------------------------


def leq(low: Config, high: Config, dominance: Dominance) -> bool:
    same = [name for name, _ in low] == [name for name, _ in high]
    rates = all(dict(low).get(name, 0) <= dict(high).get(name, 0) for name in MIXED.functions)
    return rates and (same or dominance == "two_sided")


findings = st.lists(st.tuples(st.integers(0, len(MIXED) - 1), st.sampled_from([OK, OVERLOADED])), max_size=14)


@given(findings, st.sampled_from(["two_sided", "within_sets"]))
def test_labels_are_what_believed_measurements_say(found: list[tuple[int, Verdict]], dominance: Dominance) -> None:
    known = MonotoneMap(MIXED, dominance=dominance)
    latest: dict[int, Verdict] = {}
    for index, verdict in found:
        before = known.n_unknown
        resolved = known.enter(index, 1 if verdict is OVERLOADED else -1)
        latest[index] = verdict
        labels = known.labels
        assert labels is not None
        assert known.n_unknown == int((labels == 0).sum())
        assert before - known.n_unknown <= len(resolved)
        assert (labels[resolved] != 0).all()
    overloaded = [MIXED.config(i) for i, verdict in latest.items() if verdict is OVERLOADED]
    ok = [MIXED.config(i) for i, verdict in latest.items() if verdict is OK]
    wrong = [(low, high) for low, high in product(overloaded, ok) if leq(low, high, dominance)]
    doubted = [config for pair in wrong for config in pair]
    status = known.status()
    assert sorted(known.contradictions()) == sorted(wrong)
    for index, config in enumerate(MIXED):
        between = any(leq(low, config, dominance) and leq(config, high, dominance) for low, high in wrong)
        above = any(leq(low, config, dominance) for low in overloaded if low not in doubted)
        below = any(leq(config, high, dominance) for high in ok if high not in doubted)
        if between:
            assert (known.verdict(config), status[index]) == (None, Status.CONTRADICTED)
        elif index in latest:
            assert (known.verdict(config), status[index]) == (latest[index], Status.MEASURED)
        else:
            assert known.verdict(config) is (OVERLOADED if above else OK if below else None)
            assert status[index] == (Status.INFERRED if above or below else Status.UNKNOWN)


@given(findings)
def test_a_certificate_alone_proves_as_much(found: list[tuple[int, Verdict]]) -> None:
    known, again = two_sided(MIXED), two_sided(MIXED)
    for index, verdict in found:
        if known.labels is not None and known.labels[index] == 0:  # so that nothing is contradicted
            known.enter(index, 1 if verdict is OVERLOADED else -1)
    certificate = known.certificate()
    for config in certificate.overloaded:
        again.update(config, OVERLOADED)
    for config in certificate.ok:
        again.update(config, OK)
    assert known.labels is not None
    assert again.labels is not None
    assert known.labels.tolist() == again.labels.tolist()
    assert (certificate.least_runs_left == 0) is (known.n_unknown == 0)


def test_rows_of_a_grid_are_its_configurations() -> None:
    grid = RateGrid(MIXED)
    for index, config in enumerate(MIXED):
        assert grid.rates_rps[:, index].tolist() == [dict(config).get(name, 0) for name in MIXED.functions]
        shares = [level / len(rates) for level, rates in zip(MIXED.levels(config), MIXED.rates_rps, strict=True)]
        assert grid.level_shares[index].tolist() == pytest.approx(shares)
