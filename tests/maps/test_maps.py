"""What a memory says of a node: its map, questions to it, and the difference of two."""

import time
from collections.abc import Mapping
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import duckdb
import numpy as np
import pytest

from peva_env.config import OverloadConfig
from peva_env.contracts import UNEVEN, EndStatus, ExecutionEvent, Verdict
from peva_env.errors import ConfigError, MemoryStoreError
from peva_env.inference import MonotoneMap
from peva_env.maps import NodeMap, ask, cartesian_configs, compare, predict, read_map
from peva_env.memory import CORE_TABLES, DuckDBMemoryStore, Session, context_hash
from peva_env.memory.parquet import export_tables, load_recording
from peva_env.space import ConfigSpace, Dominance, config_key
from tests.support.builders import event, function
from tests.support.maps import LATENCY_CONTEXT, RATES, clear_run, not_run, pair, remember, remember_latencies, square

OK, OVERLOADED, INVALID = Verdict.OK, Verdict.OVERLOADED, Verdict.INVALID


def loaded(a: int, b: int, *, success: float) -> ExecutionEvent:
    functions = tuple(function(name, rate, success_rate=success, mean_ms=20.0) for name, rate in pair(a, b))
    made: ExecutionEvent = event(pair(a, b), verdict=OK if success > 0.95 else OVERLOADED, functions=functions)
    return made


@pytest.fixture
def memory(tmp_path: Path) -> Path:
    return tmp_path / "memory.duckdb"


def labels(node_map: NodeMap) -> list[int]:
    assert node_map.known.labels is not None
    return list(map(int, node_map.known.labels))


def test_the_map_is_that_of_all_recorded_rates(memory: Path) -> None:
    node_map = read_map(remember(memory, square(40)))
    assert node_map.known.space.rates_rps == (RATES, RATES)
    assert labels(node_map) == [-1, -1, -1, -1, -1, 1, -1, 1, 1]
    assert (node_map.iterations, len(node_map.events), node_map.repetition, node_map.cost_s) == (1, 9, 1, 18.0)
    assert [campaign.status for campaign in node_map.campaigns] == ["complete"]
    assert node_map.notes == ()


def test_most_valid_runs_decide_and_invalid_ones_tell_nothing(memory: Path) -> None:
    runs = [event(pair(10, 10), i, verdict) for i, verdict in enumerate([OK, OVERLOADED, INVALID, OVERLOADED])]
    invalid = event(pair(20, 10), verdict=INVALID)
    node_map = read_map(remember(memory, [*runs, invalid]))
    assert node_map.known.measured == {config_key(pair(10, 10)): OVERLOADED}
    assert [run.iteration for run in node_map.runs[config_key(pair(10, 10))]] == [0, 1, 3]
    assert len(node_map.events) == 5


def test_overloads_in_doubt_are_counted(memory: Path) -> None:
    doubted = event(pair(30, 30), verdict=OVERLOADED, reasons=("in doubt: the machine was busy",))
    node_map = read_map(remember(memory, [event(pair(10, 10)), doubted]))
    (note,) = node_map.notes
    assert note == "configurations with overloaded runs that other programs may have caused (in doubt: ...): 1"


def test_sets_of_functions_that_were_never_tried_do_not_count(memory: Path) -> None:
    events = [event([("a", 10)]), event([("b", 10)]), event([("c", 20)]), event(pair(10, 10))]
    node_map = read_map(remember(memory, events))
    assert node_map.known.n_configs == 4
    assert node_map.known.space.n_configs == 6


def test_some_functions_are_a_map_of_their_own(memory: Path) -> None:
    node_map = read_map(
        remember(memory, [event([("a", 10)]), event([("c", 20)]), event(pair(10, 10))]), functions=["a"]
    )
    assert node_map.known.space.functions == ("a",)
    assert len(node_map.events) == 1
    assert node_map.notes == ()


def test_a_plan_says_what_is_still_unknown(memory: Path) -> None:
    space = ConfigSpace({"a": RATES}, max_functions=2)
    node_map = read_map(remember(memory, [event([("a", 10)]), event([("b", 10)])]), space=space)
    assert node_map.known.n_unknown == 2
    assert node_map.notes == ("runs of configurations outside this map, which are left out: 1",)


def test_the_last_context_that_has_the_functions_is_chosen_and_said(memory: Path) -> None:
    remember(memory, [event([("a", 10)], started_at=1.0)], context_hash="older", run_id="1")
    remember(memory, [event([("b", 10)], started_at=2.0)], context_hash="newer", run_id="2")
    remember(memory, [event([("b", 10)], started_at=0.0)], context_hash="oldest", run_id="3")
    assert read_map(memory, functions=["a"]).context_hash == "older"
    latest = read_map(memory)
    assert latest.context_hash == "newer"
    assert latest.notes == ("this is context newer alone; the memory has others: older, oldest",)
    assert read_map(memory, context="oldes").notes == ()
    with pytest.raises(ConfigError, match="no context has measured a \\+ b; it has: a or b"):
        read_map(memory, configs=[pair(10, 10)])
    with pytest.raises(ConfigError, match="no context hash begins with it; it has: newer, older, oldest"):
        read_map(memory, context="x")


def test_a_node_of_a_fleet_is_chosen_by_its_name(memory: Path) -> None:
    remember(memory, [event([("a", 10)], started_at=2.0)], context_hash="c1", run_id="small.20261129T100000")
    remember(memory, [event([("a", 20)], started_at=3.0)], context_hash="c2", run_id="large.20261129T100000")
    remember(memory, [event([("a", 30)], started_at=1.0)], context_hash="c0", run_id="small.20261128T100000-refined")
    small = read_map(memory, context="small")
    assert (small.node, small.context_hash) == ("small", "c1")
    assert small.notes == ("this is context c1 (small) alone; the memory has others: c0 (small)",)
    assert (read_map(memory, context="c2").node, read_map(memory, context="large").notes) == ("large", ())
    problem = r"no node is called 'smal' .* it has: c2 \(large\), c1 \(small\), c0 \(small\)"
    with pytest.raises(ConfigError, match=problem):
        read_map(memory, context="smal")


def test_the_last_repetition_is_chosen_unless_another_is_asked_for(memory: Path) -> None:
    remember(memory, [event([("a", 10)])])
    remember(memory, [event([("a", 10)], verdict=OVERLOADED)], run_id="again", repetition=2)
    assert labels(read_map(memory)) == [1]
    assert labels(read_map(memory, repetition=1)) == [-1]
    with pytest.raises(ConfigError, match="it has no repetition 3; it has: 1, 2"):
        read_map(memory, repetition=3)


def test_a_recheck_is_not_taken_for_the_map_that_is_rechecked_unless_it_is_asked_for_or_alone(memory: Path) -> None:
    remember(memory, [event([("a", 10)], verdict=OVERLOADED)], run_id="check", repetition=2, agent="recheck")
    assert read_map(memory, rechecks=False).repetition == 2
    remember(memory, [event([("a", 10)])])
    node_map = read_map(memory, rechecks=False)
    assert (node_map.repetition, node_map.notes) == (1, ("this is repetition 1 of 2",))
    assert read_map(memory, rechecks=False, repetition=2).repetition == 2
    assert read_map(memory).repetition == 2


def test_a_memory_without_events_and_a_missing_one_say_so(memory: Path) -> None:
    with pytest.raises(MemoryStoreError, match="there is no such file"):
        read_map(memory)
    with pytest.raises(ConfigError, match="it has no measured events yet; `peva-env run` measures some"):
        read_map(remember(memory, []))


@pytest.mark.parametrize("damage", ["sent = NULL", "sent = []", "cost_s = NULL", "verdict = 'odd'"])
def test_an_event_that_no_memory_writes_is_named(memory: Path, damage: str) -> None:
    remember(memory, [event([("a", 10)])])
    with duckdb.connect(str(memory)) as connection:
        connection.execute(f"UPDATE execution_events SET {damage}")  # noqa: S608
    with pytest.raises(MemoryStoreError, match=r"event \('\w+', 0, 1, 'run'\) cannot be read: it is not what a memory"):
        read_map(memory)


def test_a_running_campaign_is_read(memory: Path) -> None:
    assert read_map(remember(memory, square(40), status=EndStatus.RUNNING)).is_running
    assert not read_map(remember(memory, [])).is_running


@pytest.mark.parametrize(
    ("inferred", "rule"),
    [
        ([], "one_sided"),
        ([not_run(pair(30, 30), OVERLOADED)], "one_sided"),
        ([not_run(pair(10, 10), OK)], "within_sets"),
        ([not_run([("a", 10)], OK), not_run(pair(10, 10), OK)], "two_sided"),
        ([not_run(pair(30, 10), OVERLOADED)], "two_sided"),
    ],
)
def test_the_rule_is_the_weakest_that_explains_what_was_inferred(
    memory: Path, inferred: list[ExecutionEvent], rule: str
) -> None:
    measured = [event(pair(20, 20)), event(pair(30, 20), verdict=OVERLOADED), event([("a", 30)], verdict=OVERLOADED)]
    node_map = read_map(remember(memory, [*measured, *inferred]))
    assert node_map.known.dominance == rule
    for one in inferred:
        assert node_map.known.verdict(one.config_pairs) is one.verdict


def contradiction(n_runs: int) -> list[ExecutionEvent]:
    """Two configurations that contradict each other, and a third that was run once."""
    runs = range(n_runs)
    low = [clear_run(pair(10, 10), OVERLOADED, i) for i in runs]
    return [*low, *(event(pair(20, 20), i) for i in runs), event([("a", 10)]), not_run([("a", 5)], OK)]


def test_what_is_contradicted_is_in_quarantine_once_it_was_run_twice_as_often(memory: Path, tmp_path: Path) -> None:
    once = read_map(remember(memory, contradiction(1)))
    assert [one.state for one in once.known.disputes()] == ["open"]
    twice = read_map(remember(tmp_path / "twice.duckdb", contradiction(2), status=EndStatus.INTERRUPTED))
    assert [one.state for one in twice.known.disputes()] == ["quarantine"]
    assert twice.known.verdict(pair(20, 20)) is OK


def test_more_runs_of_some_are_not_expected_of_all(memory: Path, tmp_path: Path) -> None:
    others = [*(event([("a", 10)], i) for i in range(1, 9)), event([("b", 10)]), event([("b", 20)])]
    events = [*contradiction(2), *others]
    even = read_map(remember(memory, events))
    assert (even.iterations, [one.state for one in even.known.disputes()]) == (9, ["open"])
    uneven = read_map(remember(tmp_path / "uneven.duckdb", events, detail=f"certificate confirmed, with {UNEVEN}"))
    assert (uneven.iterations, [one.state for one in uneven.known.disputes()]) == (1, ["quarantine"])


def test_an_answer_tells_how_sure_its_verdict_is(memory: Path) -> None:
    events = [clear_run(pair(20, 20), OK, i, margin=0.02) for i in range(3)]
    node_map = read_map(remember(memory, events), configs=[pair(10, 10), pair(20, 30)], dominance="within_sets")
    inferred, predicted = ask(node_map, pair(10, 10)), ask(node_map, pair(20, 30))
    assert inferred.confidence == node_map.evidence[config_key(pair(20, 20))].confidence
    assert inferred.confidence == pytest.approx(0.876, abs=0.001)  # 0.02 / 0.03 x sqrt(3) = 1.155
    assert (predicted.basis, predicted.confidence) == ("predicted", None)


def test_a_map_in_quarantine_compares_as_it_is(memory: Path, tmp_path: Path) -> None:
    after = read_map(remember(memory, contradiction(2)))
    assert compare(after, after).n_known == after.known.n_configs - after.known.n_unknown
    before = read_map(remember(tmp_path / "before.duckdb", [clear_run(pair(10, 10), OK), event(pair(20, 20))]))
    assert [*compare(before, after).lost] == [pair(10, 10)]


def test_functions_that_were_never_alone_are_refused_with_what_there_is(memory: Path) -> None:
    remember(memory, square(40))
    with pytest.raises(ConfigError, match=r"a was not measured without other functions; it has: a \+ b"):
        read_map(memory, functions=["a"])
    with pytest.raises(ConfigError, match="at least one function"):
        read_map(memory, functions=[])
    with pytest.raises(ConfigError, match="at least one function"):
        read_map(memory, configs=[[]])


def test_an_older_repetition_is_taken_where_the_last_has_not_the_functions(memory: Path) -> None:
    remember(memory, square(40))
    remember(memory, [event([("a", 10)])], run_id="again", repetition=2)
    node_map = read_map(memory, functions=["a", "b"])
    assert (node_map.repetition, node_map.notes) == (1, ("this is repetition 1 of 2",))


def test_what_has_fewer_runs_than_the_rest_is_said(memory: Path) -> None:
    events = [*(event([("a", rate)], i) for rate in (10, 20) for i in range(3)), event([("a", 30)])]
    interrupted = read_map(remember(memory, events, status=EndStatus.INTERRUPTED))
    assert interrupted.notes == ("configurations with fewer than the usual 3 valid runs, whose verdict may change: 1",)


def test_a_question_about_a_space_too_large_for_arrays_is_answered(memory: Path) -> None:
    rates = {f"f{i}": 10 * (i + 1) for i in range(8)}
    low = [event([(name, rate + j)]) for name, rate in rates.items() for j in range(6)]
    config = list(rates.items())
    node_map = read_map(remember(memory, [*low, event(config)]), configs=[config, [("f0", 12)]], at_least="within_sets")
    assert node_map.known.labels is None
    assert (ask(node_map, config).basis, ask(node_map, [("f0", 12)]).verdict) == ("measured", OK)


def test_a_plan_beyond_all_arrays_is_taken(memory: Path) -> None:
    space = ConfigSpace({name: range(1, 2000) for name in "abcdef"}, max_functions=7)
    assert read_map(remember(memory, [event([("a", 10)])]), space=space).known.labels is None


def test_skipped_configurations_alone_are_no_map_where_they_are_too_many(memory: Path) -> None:
    skipped = [not_run([(name, rate) for name in "abc"], OVERLOADED) for rate in range(1000, 1200)]
    with pytest.raises(ConfigError, match="8,000,000 configurations, too many to list, and none was measured"):
        read_map(remember(memory, skipped))


def test_without_a_valid_run_nothing_is_told(memory: Path) -> None:
    remember(memory, [event([("a", 10)], verdict=INVALID)])
    with pytest.raises(ConfigError, match="no run in it is valid, so it has no answer"):
        ask(read_map(memory), [("a", 10)])


def test_without_a_valid_run_the_reason_is_told(tmp_path: Path) -> None:
    slow = read_map(remember_latencies(tmp_path / "a.duckdb"), rules={"p90_ms_max": 5})
    with pytest.raises(ConfigError, match=r"no run in it is valid \(.*p90.*\), so it has no answer"):
        ask(slow, pair(10, 10))
    skipped = read_map(remember(tmp_path / "b.duckdb", [not_run(pair(10, 10), OVERLOADED)]))
    with pytest.raises(ConfigError, match="holds no run of these functions, only skipped configurations, so it has"):
        ask(skipped, pair(10, 10))


def test_too_many_rates_are_thinned_to_the_measured_ones_and_that_is_said(memory: Path) -> None:
    skipped = [not_run([(name, rate) for name in "abc"], OVERLOADED) for rate in range(1000, 1200)]
    triple = [(name, 10) for name in "abc"]
    node_map = read_map(remember(memory, [event(triple), event([("a", 20), ("b", 10), ("c", 30)]), *skipped]))
    assert node_map.known.space.n_configs == 2 * 1 * 2
    assert node_map.notes == (
        "the recorded rates span 8,201,604 configurations, too many to list: this is the map of the 4 at "
        "measured rates",
    )


def test_too_many_functions_are_left_out_and_that_is_said(memory: Path) -> None:
    names = [f"f{i:02d}" for i in range(30)]
    events = [event([(name, 10 + i) for name in names[j : j + 10]]) for j in (0, 20) for i in range(2)]
    node_map = read_map(remember(memory, [*events, event([(name, 12) for name in names[:10]])]))
    assert node_map.known.space.functions == tuple(names[:10])
    assert "too many to list: this is the map of f00 + f01" in node_map.notes[0]
    assert "outside this map, which are left out: 2" in node_map.notes[1]


@pytest.mark.parametrize("limit", [15, 40, 45, 100])
def test_the_cartesian_agent_measures_what_is_known_but_what_is_above_an_overloaded_one(
    memory: Path, limit: int
) -> None:
    node_map = read_map(remember(memory, [*square(limit), event([("a", 10)]), event([("b", 20)], verdict=OVERLOADED)]))
    known = MonotoneMap(node_map.known.space)
    measured = 0
    for config in known.space:
        if known.verdict(config) is None and config_key(config) in node_map.known.measured:
            known.update(config, node_map.known.measured[config_key(config)])
            measured += 1
    assert node_map.known.n_unknown == 3  # of a alone, and of b alone: these do not count
    assert cartesian_configs(node_map.known) == measured


@pytest.mark.parametrize("n_done", range(1, 10))
def test_a_part_of_what_the_cartesian_agent_runs_is_what_it_runs(memory: Path, n_done: int) -> None:
    done = [event(one.config_pairs, verdict=one.verdict) for one in square(100)[:n_done]]
    space = ConfigSpace({"a": [10, 20, 30], "b": [10, 20, 30]}, max_functions=3)
    node_map = read_map(remember(memory, done, status=EndStatus.INTERRUPTED), space=space)
    assert cartesian_configs(node_map.known) == n_done


def test_how_often_each_was_to_be_run_is_what_nothing_contradicted_had_at_most(memory: Path) -> None:
    adaptive = [event([("a", rate)], i) for rate, n in ((10, 1), (20, 1), (30, 3)) for i in range(n)]
    disputed = [event(pair(10, 10), i, OVERLOADED) for i in range(6)] + [event(pair(20, 20), i) for i in range(6)]
    node_map = read_map(remember(memory, [*adaptive, *disputed]), dominance="within_sets")
    assert {one.state for one in node_map.known.disputes()} == {"quarantine"}
    assert node_map.iterations == 3
    assert replace(node_map, events=()).iterations == 0


def test_what_is_unknown_is_predicted(memory: Path) -> None:
    events = [event(pair(10, 10)), event(pair(30, 30), verdict=OVERLOADED, functions=()), not_run(pair(20, 20), OK)]
    node_map = read_map(remember(memory, events, status=EndStatus.BUDGET))
    likely = predict(node_map, list(node_map.known.space))
    assert likely.shape == (9,)
    assert ((likely >= 0) & (likely <= 1)).all()
    assert likely[0] < likely[-1]
    with pytest.raises(ConfigError, match="agent 'cartesian' makes no predictions; 'learnt' does"):
        predict(node_map, [pair(10, 10)], agent="cartesian")


def test_of_many_measured_ones_the_nearest_are_taken_into_account(memory: Path) -> None:
    rates = range(1, 23)
    events = [loaded(a, b, success=min(1.0, 30 / (a + b))) for a in rates for b in rates if a != b]
    node_map = read_map(remember(memory, events), configs=[pair(3, 3), pair(21, 21)])
    assert len(node_map.runs) > 400
    assert predict(node_map, [pair(3, 3), pair(21, 21)]).round().tolist() == [0, 1]


@pytest.fixture
def asked(memory: Path) -> NodeMap:
    events = [event(pair(10, 20), i) for i in range(3)]
    events += [event(pair(30, 10), i, OVERLOADED if i else OK) for i in range(3)]
    return read_map(remember(memory, events, status=EndStatus.BUDGET), configs=[pair(15, 10)], dominance="within_sets")


def test_a_measured_configuration_is_answered_by_its_own_runs(asked: NodeMap) -> None:
    answer = ask(asked, [("b", 10), ("a", 30)])
    assert (answer.verdict, answer.basis, answer.overloaded) == (OVERLOADED, "measured", 1.0)
    (own,) = answer.because
    assert (own.config, own.n_runs, own.n_overloaded) == (pair(30, 10), 3, 2)
    assert [one.config for one in answer.nearest] == [pair(10, 20)]


def test_an_inferred_one_by_what_it_follows_from(asked: NodeMap) -> None:
    answer = ask(asked, pair(10, 10))
    assert (answer.verdict, answer.basis, answer.overloaded) == (OK, "inferred", 0.0)
    assert [one.config for one in answer.because] == [pair(10, 20)]


def test_an_unknown_one_by_a_probability_and_what_is_near(asked: NodeMap) -> None:
    answer = ask(asked, pair(15, 10))
    assert answer.basis == "predicted"
    assert answer.overloaded is not None
    assert 0 < answer.overloaded < 1
    assert answer.verdict is (OVERLOADED if answer.overloaded > 0.5 else OK)
    assert answer.because == ()
    assert [(one.config, one.verdict) for one in answer.nearest] == [(pair(10, 20), OK), (pair(30, 10), OVERLOADED)]


def test_nothing_is_predicted_ok_below_overloaded_measurements_alone(memory: Path) -> None:
    events = [event([("a", rate)], verdict=OVERLOADED) for rate in (20, 30, 40)] + [event([("b", 10)])]
    remember(memory, events, status=EndStatus.BUDGET)
    for config in ([("a", 1)], [("a", 19)], [("a", 1), ("b", 0)]):
        answer = ask(read_map(memory, configs=[config]), config)
        assert (answer.verdict, answer.basis, answer.overloaded) == (None, "unknown", None)
        assert answer.never_ok == ("a",)
        assert [one.verdict for one in answer.nearest] == [OVERLOADED]
        (room,) = answer.headroom
        assert (room.ok_rps, room.likely_ok_rps, room.overloaded_rps) == (None, None, 20)


def test_nothing_is_predicted_overloaded_above_ok_measurements_alone(memory: Path) -> None:
    remember(memory, [event([("a", 10)])], status=EndStatus.BUDGET)
    for rate in (100, 2**31 - 1):
        answer = ask(read_map(memory, configs=[[("a", rate)]]), [("a", rate)])
        assert (answer.verdict, answer.basis, answer.never_overloaded) == (None, "unknown", ("a",))


@pytest.mark.parametrize("dominance", ["one_sided", "within_sets"])
def test_nothing_is_predicted_overloaded_without_load(memory: Path, dominance: Dominance) -> None:
    remember(memory, [event(pair(40, 40))], status=EndStatus.BUDGET)
    node_map = read_map(memory, configs=[[("a", 0)]], dominance=dominance)
    assert np.isnan(predict(node_map, [[("a", 0)]])).all()
    answer = ask(node_map, [("a", 0)])
    assert (answer.verdict, answer.basis, answer.overloaded) == (None, "unknown", None)
    assert (answer.never_ok, answer.never_overloaded) == ((), ("a",))


def test_an_overload_without_load_supports_the_prediction_of_another(memory: Path) -> None:
    remember(memory, [event([("a", 0)], verdict=OVERLOADED), event([("b", 10)])], status=EndStatus.BUDGET)
    answer = ask(read_map(memory, configs=[[("b", 0)]], dominance="one_sided"), [("b", 0)])
    assert (answer.basis, answer.never_overloaded) == ("predicted", ())


def test_an_overloaded_function_supports_the_prediction_of_a_mix(memory: Path) -> None:
    remember(memory, [event([("a", 10)]), event([("b", 10)], verdict=OVERLOADED)], status=EndStatus.BUDGET)
    answer = ask(read_map(memory, configs=[pair(10, 10)], dominance="within_sets"), pair(10, 10))
    assert (answer.never_ok, answer.never_overloaded) == (("b",), ())


def test_the_room_that_is_left_is_told_of_each_function(asked: NodeMap) -> None:
    room = {one.function: one for one in ask(asked, pair(10, 10)).headroom}
    assert (room["b"].rate_rps, room["b"].ok_rps, room["b"].overloaded_rps, room["b"].highest_rps) == (10, 20, None, 20)
    assert (room["a"].ok_rps, room["a"].overloaded_rps, room["a"].highest_rps) == (10, 30, 30)
    assert room["b"].likely_ok_rps == 20
    (b,) = ask(asked, pair(30, 10)).headroom  # which is overloaded as it is
    assert (b.ok_rps, b.likely_ok_rps, b.overloaded_rps) == (None, None, 10)
    assert ask(asked, pair(30, 20)).headroom == ()


def test_no_room_is_promised_above_what_is_overloaded(memory: Path) -> None:
    verdicts = {10: OK, 20: OVERLOADED, 30: OK}
    node_map = read_map(remember(memory, [event([("a", rate)], verdict=one) for rate, one in verdicts.items()]))
    (room,) = ask(node_map, [("a", 10)]).headroom
    assert (room.ok_rps, room.likely_ok_rps, room.overloaded_rps) == (10, 10, 20)


def test_a_contradicted_one_names_what_contradicts(memory: Path) -> None:
    events = [event(pair(10, 10), verdict=OVERLOADED), event(pair(30, 30))]
    remember(memory, events, status=EndStatus.BUDGET)
    node_map = read_map(memory, configs=[pair(20, 20)], dominance="within_sets")
    answer = ask(node_map, pair(20, 20))
    assert (answer.verdict, answer.basis) == (None, "contradicted")
    assert answer.overloaded is not None
    assert [one.config for one in answer.because] == [pair(10, 10), pair(30, 30)]


def test_a_question_without_load_is_about_the_functions_that_campaigns_have_at_rate_0(memory: Path) -> None:
    remember(memory, [event([("a", 0)]), event([("b", 10)])])
    nothing = [("a", 0), ("b", 0)]
    answer = ask(read_map(memory, configs=[nothing]), nothing)
    assert (answer.config, answer.verdict) == ([("a", 0)], OK)


def test_a_question_off_the_map_says_how_to_ask_it(asked: NodeMap) -> None:
    with pytest.raises(ConfigError, match="not on this map; read_map"):
        ask(asked, pair(11, 10))


def maps(tmp_path: Path, before: int, after: int) -> tuple[NodeMap, NodeMap]:
    paths = (remember(tmp_path / f"{limit}.duckdb", square(limit)) for limit in (before, after))
    first, second = map(read_map, paths)
    return first, second


def test_a_node_that_bears_less_has_lost(tmp_path: Path) -> None:
    difference = compare(*maps(tmp_path, 50, 40))
    assert [*difference.lost] == [*difference.lowest_lost] == [pair(20, 30), pair(30, 20)]
    assert (len(difference.gained), difference.n_ok, difference.n_overloaded, difference.n_unknown) == (0, 6, 1, 0)
    assert difference.lost_share == 2 / 8
    assert difference.changes == ()


def test_a_node_that_bears_more_has_gained(tmp_path: Path) -> None:
    difference = compare(*maps(tmp_path, 30, 50))
    assert not len(difference.lost)
    assert len(difference.gained) == 5
    assert [*difference.highest_gained] == [pair(20, 30), pair(30, 20)]


def test_other_rates_are_compared_by_what_follows(tmp_path: Path) -> None:
    one = remember(tmp_path / "a.duckdb", [event([("a", 10)]), event([("a", 30)], verdict=OVERLOADED)])
    other = remember(tmp_path / "b.duckdb", [event([("a", 20)]), event([("a", 40)], verdict=OVERLOADED)])
    difference = compare(*(read_map(path, dominance="within_sets") for path in (one, other)))
    assert (difference.n_ok, difference.n_overloaded, difference.n_unknown) == (1, 1, 2)


def test_what_one_map_has_alone_is_counted(tmp_path: Path) -> None:
    one = read_map(remember(tmp_path / "a.duckdb", [event([("a", 10)]), event(pair(10, 10))]))
    other = read_map(remember(tmp_path / "b.duckdb", [event([("a", 10)]), event([("b", 20)])]))
    assert compare(one, other).n_unknown == 2


def test_maps_of_which_nothing_is_known_in_both_cannot_be_compared(tmp_path: Path) -> None:
    one = read_map(remember(tmp_path / "a.duckdb", [event([("a", 10)])]))
    other = read_map(remember(tmp_path / "b.duckdb", [event([("a", 20)], verdict=OVERLOADED)]))
    with pytest.raises(ConfigError, match="no configuration of a is known in both"):
        compare(one, other)


def test_only_shared_functions_are_compared(tmp_path: Path) -> None:
    one = read_map(remember(tmp_path / "a.duckdb", [event([("a", 10)]), clear_run([("b", 10)], OK)]))
    other = read_map(remember(tmp_path / "b.duckdb", [clear_run([("b", 10)], OVERLOADED), event([("c", 10)])]))
    difference = compare(one, other)
    assert (difference.functions, difference.left_out) == (("b",), ("a", "c"))
    assert [*difference.lost] == [[("b", 10)]]
    with pytest.raises(ConfigError, match="have no function in common: a; c"):
        compare(read_map(one.memory, functions=["a"]), read_map(other.memory, functions=["c"]))


def test_what_changed_about_the_node_is_told(tmp_path: Path) -> None:
    first, second = maps(tmp_path, 40, 40)
    was: Mapping[str, object] = {"node": {"cpus": 2, "name": "n"}, "timeout_s": 5}
    became: Mapping[str, object] = {"node": {"cpus": 4, "name": "n"}, "generator": "k6 v2"}
    difference = compare(replace(first, context=was), replace(second, context=became))
    assert difference.changes == (("generator", None, "k6 v2"), ("node.cpus", 2, 4), ("timeout_s", 5, None))


def test_many_verdicts_at_once_are_the_same_as_one_after_the_other() -> None:
    rng = np.random.default_rng(0)
    space = ConfigSpace({"a": range(8), "b": range(8)}, max_functions=3)
    rules: tuple[Dominance, ...] = ("one_sided", "within_sets", "two_sided")
    for rule in rules:
        verdicts = {config_key(space.config(int(i))): [OK, OVERLOADED][int(i) % 2] for i in rng.permutation(80)[:12]}
        at_once, in_turn = MonotoneMap(space, dominance=rule), MonotoneMap(space, dominance=rule)
        at_once.update_all(verdicts)
        for key, verdict in verdicts.items():
            in_turn.update(list(zip(*key, strict=True)), verdict)
        assert np.array_equal(at_once.labels, in_turn.labels)  # type: ignore[arg-type]
        assert (at_once.n_unknown, at_once.measured) == (in_turn.n_unknown, in_turn.measured)
        assert (at_once.status() == in_turn.status()).all()


def test_runs_that_the_rules_cannot_judge_are_unknown_and_counted(tmp_path: Path) -> None:
    node_map = read_map(remember_latencies(tmp_path / "m.duckdb"), rules={"p99_ms_max": 200})

    assert not node_map.known.measured
    assert "runs that these rules cannot judge, because what they need was not measured: 9" in node_map.notes


def test_the_rules_of_the_last_campaign_judge_the_runs_of_all(tmp_path: Path) -> None:
    path = remember_latencies(tmp_path / "m.duckdb")
    context = LATENCY_CONTEXT | {"overload": OverloadConfig(p95_ms_max=70).as_context()}
    store = DuckDBMemoryStore(path)
    store.startup()
    store.open_session(Session("strict", 1, context_hash(context), context))
    store.close_session("strict", EndStatus.COMPLETE)
    store.close()

    node_map = read_map(path)

    n_overloaded = list(node_map.known.measured.values()).count(OVERLOADED)
    assert (len(node_map.known.measured), n_overloaded) == (9, 6)
    assert node_map.context["overload"]["p95_ms_max"] == 70
    assert "judged anew by the rules of the last campaign: 9 runs of campaigns with other rules" in node_map.notes
    assert read_map(path, rules=OverloadConfig()).known.verdict(pair(30, 30)) is OK


@pytest.mark.parametrize("ends", [True, False], ids=["complete", "killed"])
def test_a_campaign_of_a_name_that_goes_on_is_the_last_one_again(tmp_path: Path, ends: bool) -> None:
    """Rules that were changed and changed back, under one name: the first campaign goes on."""
    path = remember_latencies(tmp_path / "m.duckdb")
    strict = LATENCY_CONTEXT | {"overload": OverloadConfig(p95_ms_max=70).as_context()}
    of = context_hash(LATENCY_CONTEXT)
    with closing(DuckDBMemoryStore(path)) as store:
        store.startup()
        store.open_session(Session("strict", 1, of, strict))
        store.close_session("strict", EndStatus.COMPLETE)
        store.open_session(Session(f"run-{of}", 1, of, LATENCY_CONTEXT))
        if ends:
            store.close_session(f"run-{of}", EndStatus.COMPLETE)
        else:
            run = event(pair(10, 10), 9, run_id=f"run-{of}", context_hash=of)
            store.insert_events([store.clock.ordered(run)])
        folder = tmp_path / "core"
        export_tables(store.database.connection, CORE_TABLES, folder)
    assert read_map(path).context["overload"] == LATENCY_CONTEXT["overload"]
    assert load_recording(folder).contexts[of]["overload"] == LATENCY_CONTEXT["overload"]


def test_the_last_campaign_is_the_one_that_began_last_though_the_clock_was_set_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, read = tmp_path / "m.duckdb", time.time
    with monkeypatch.context() as ahead:
        ahead.setattr(time, "time", lambda: read() + 86400)
        remember_latencies(path)
    strict = LATENCY_CONTEXT | {"overload": OverloadConfig(p95_ms_max=70).as_context()}
    moved = LATENCY_CONTEXT | {"node": {"name": "moved"}}
    with closing(DuckDBMemoryStore(path)) as store:
        store.startup()
        ran_at = time.time() + 86400
        store.database.connection.execute("UPDATE execution_events SET started_at = $1, ended_at = $1", [ran_at])
        store.open_session(Session("strict", 1, context_hash(strict), strict))
        assert read_map(path).context["overload"]["p95_ms_max"] == 70
        store.close_session("strict", EndStatus.COMPLETE)
        of = context_hash(moved)
        store.open_session(Session("moved", 1, of, moved))
        now = time.time()
        run = event(pair(10, 10), run_id="moved", context_hash=of, started_at=now, ended_at=now + 1)
        store.insert_events([store.clock.ordered(run)])
    assert read_map(path).context["node"] == {"name": "moved"}


@pytest.mark.parametrize("status", [EndStatus.BUDGET, EndStatus.INTERRUPTED, EndStatus.RUNNING])
def test_a_recheck_that_was_cut_off_does_not_hide_the_map_that_it_checked(tmp_path: Path, status: EndStatus) -> None:
    whole, again = square(40), [clear_run(pair(10, 20), OK)]
    path = remember(tmp_path / "m.duckdb", whole)
    remember(path, again, run_id="again", repetition=2, agent="recheck", status=status)
    assert (read_map(path).repetition, read_map(path, repetition=2).repetition) == (1, 2)
    assert "this is repetition 1 of 2; the last is a re-check that was cut off" in read_map(path).notes


def test_a_recheck_that_ended_is_the_last_map(tmp_path: Path) -> None:
    path = remember(tmp_path / "m.duckdb", square(40))
    remember(path, square(30), run_id="again", repetition=2, agent="recheck", status=EndStatus.STOPPED)
    assert read_map(path).repetition == 2
