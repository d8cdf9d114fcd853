"""What is known of the map after each verdict, checked against dominance itself."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from peva_env.contracts import Verdict
from peva_env.inference.monotone_map import MonotoneMap
from peva_env.space import Config, ConfigSpace, config_key, dominates
from tests.support.spaces import sparse

SPACE = ConfigSpace({"a": [1, 2, 3], "b": [1, 2], "c": [5]}, max_functions=4)

measurements = st.lists(
    st.tuples(st.integers(0, SPACE.n_configs - 1), st.sampled_from([Verdict.OK, Verdict.OVERLOADED])), max_size=12
)


def loads(config: Config) -> list[int]:
    """Return the rates of all functions, 0 where absent."""
    return [dict(config).get(name, 0) for name in SPACE.functions]


def implied(config: Config, measured: dict[str, Verdict]) -> set[Verdict]:
    """Return what measured configurations say of another one, by the definition of two-sided dominance."""
    said: set[Verdict] = set()
    for base in SPACE:
        verdict = measured.get(str(base))
        more = [mine - other for mine, other in zip(loads(config), loads(base), strict=True)]
        if (verdict is Verdict.OVERLOADED and min(more) >= 0) or (verdict is Verdict.OK and max(more) <= 0):
            said.add(verdict)
    return said


def expected_label(config: Config, measured: dict[str, Verdict]) -> int:
    if str(config) in measured:
        return -1 if measured[str(config)] is Verdict.OK else 1
    overloaded = [base for base in SPACE if measured.get(str(base)) is Verdict.OVERLOADED]
    return int(any(dominates(base, config) for base in overloaded))


@given(measurements)
def test_labels_are_what_dominance_says(found: list[tuple[int, Verdict]]) -> None:
    measured = {str(SPACE.config(index)): verdict for index, verdict in dict(found).items()}
    known = MonotoneMap(SPACE)
    for index, verdict in found:  # the last measurement of a configuration counts
        was_unknown = np.array([known.verdict(config) is None for config in SPACE])
        resolved = known.update(SPACE.config(index), verdict)
        is_known = [known.verdict(config) is not None for config in SPACE]
        assert resolved.tolist() == np.flatnonzero(was_unknown & is_known).tolist()
    assert known.labels is not None
    assert known.labels.tolist() == [expected_label(config, measured) for config in SPACE]
    assert known.n_unknown == int(np.count_nonzero(known.labels == 0))


@given(measurements)
def test_a_space_without_an_array_knows_the_same(found: list[tuple[int, Verdict]]) -> None:
    large, dense = MonotoneMap(sparse(SPACE)), MonotoneMap(SPACE)
    for index, verdict in dict(found).items():
        large.update(SPACE.config(index), verdict)
        dense.update(SPACE.config(index), verdict)
    assert large.labels is None
    assert [large.verdict(config) for config in SPACE] == [dense.verdict(config) for config in SPACE]
    assert large.n_unknown >= dense.n_unknown


@given(measurements)
def test_two_sided_labels_are_what_all_functions_rates_say(found: list[tuple[int, Verdict]]) -> None:
    large = MonotoneMap(sparse(SPACE), dominance="two_sided")
    known = MonotoneMap(SPACE, dominance="two_sided")
    measured: dict[str, Verdict] = {}
    for index, verdict in found:
        if implied(SPACE.config(index), measured) - {verdict}:
            continue  # what contradicting measurements mean is not said here
        measured[str(SPACE.config(index))] = verdict
        before = known.n_unknown
        resolved = known.update(SPACE.config(index), verdict)
        assert len(resolved) == before - known.n_unknown
        large.update(SPACE.config(index), verdict)
    for config in SPACE:
        said = implied(config, measured)
        if len(said) < 2:
            assert known.verdict(config) is next(iter(said), None)
            assert large.verdict(config) is known.verdict(config)
            evidence = known.evidence(config)
            if said and str(config) not in measured:
                assert evidence is not None
                assert measured[str(evidence[0])] is evidence[1]
                assert {evidence[1]} == said


def test_only_what_can_be_measured_counts_as_unknown() -> None:
    recorded = np.arange(SPACE.n_configs) % 2 == 0
    known = MonotoneMap(SPACE, dominance="two_sided", recorded=recorded)
    assert known.n_unknown == known.n_configs == int(recorded.sum())
    resolved = known.update(SPACE.config(0), Verdict.OVERLOADED)
    assert recorded[resolved].all()
    assert known.n_unknown == known.n_configs - len(resolved)


def test_an_overloaded_configuration_resolves_all_above_it_in_its_set_of_functions() -> None:
    known = MonotoneMap(SPACE)
    resolved = known.update([("a", 2), ("b", 1)], Verdict.OVERLOADED)
    assert [SPACE.config(int(index)) for index in resolved] == [
        [("a", 2), ("b", 1)],
        [("a", 2), ("b", 2)],
        [("a", 3), ("b", 1)],
        [("a", 3), ("b", 2)],
    ]
    assert known.evidence([("a", 3), ("b", 2)]) == ([("a", 2), ("b", 1)], Verdict.OVERLOADED)
    assert known.evidence([("a", 2), ("b", 1)]) is None
    assert known.verdict([("a", 1), ("b", 2)]) is None
    assert known.verdict([("a", 3)]) is None


def test_an_ok_configuration_resolves_itself_only() -> None:
    known = MonotoneMap(SPACE)
    assert known.update([("a", 3)], Verdict.OK).tolist() == [SPACE.index([("a", 3)])]
    assert known.n_unknown == SPACE.n_configs - 1
    assert known.measured == {config_key([("a", 3)]): Verdict.OK}


def test_invalid_is_never_a_label() -> None:
    with pytest.raises(ValueError, match="not a label"):
        MonotoneMap(SPACE).update([("a", 1)], Verdict.INVALID)
