"""Bringing old data: recordings of DFaaS and PEVA-FAAS."""

import os
import re
import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from peva_env.campaign.artifacts import ArtifactWriter
from peva_env.config import OverloadConfig
from peva_env.contracts import EventKind, ExecutionEvent, NodeMeasurement, Verdict
from peva_env.errors import ConfigError, MemoryStoreError
from peva_env.memory.contexts import context_hash, show_as_read
from peva_env.memory.dfaas import import_dfaas
from peva_env.memory.dfaas.rows import PIECE, REPEATED
from peva_env.memory.importing import ImportReport
from peva_env.memory.parquet import merge_memories
from peva_env.memory.schema import IMPORTED
from peva_env.memory.snapshot import reading
from peva_env.memory.store import DuckDBMemoryStore
from peva_env.memory.verify import verify
from peva_env.rules import judge
from peva_env.space import MAX_RATE_RPS
from tests.support.builders import event, function
from tests.support.dfaas_files import STAMPED, STARTED_AT, row, write
from tests.support.earlier_release import store_as_earlier_release


def skip(**rates: str) -> dict[str, str]:
    """Return a row of skipped configurations, likewise."""
    return {
        column: value
        for name, rate in rates.items()
        for column, value in ((f"function_{name}", name if rate else ""), (f"rate_function_{name}", rate))
    }


@pytest.fixture
def store() -> Iterator[DuckDBMemoryStore]:
    store = DuckDBMemoryStore(":memory:")
    store.startup()
    yield store
    store.close()


def bring(store: DuckDBMemoryStore, *paths: Path, **changes: Any) -> ImportReport:
    options: dict[str, Any] = {"node": "light", "cores": 2, "latency_unit": "ns", "duration_s": 30.0}
    return import_dfaas(store, paths, **(options | changes))


def events(store: DuckDBMemoryStore) -> list[ExecutionEvent]:
    contexts = store.database.connection.execute("SELECT DISTINCT context_hash FROM execution_events").fetchall()
    return [event for (context,) in contexts for event in store.events(context)]


def contents(store: DuckDBMemoryStore) -> list[Any]:
    tables = ("run_sessions", "config_catalog", "execution_events")
    return [store.database.connection.execute(f"SELECT * FROM {table} ORDER BY ALL").fetchall() for table in tables]  # noqa: S608


# --- what a row becomes ---------------------------------------------------------------------------------------------


def test_a_run_is_in_the_units_of_this_package(store: DuckDBMemoryStore, tmp_path: Path) -> None:
    changes = {"success_rate_function_a": "0.920"}
    bring(store, write(tmp_path / STAMPED, row({"b": "20", "a": "10"}, **changes)))
    (run,) = events(store)
    a, b = run.functions
    assert run.config_key == (("a", "b"), (10, 20))
    assert (a.offered, a.sent, a.dropped, a.succeeded, a.failed) == (300, 300, 0, 276, {"other": 24})
    assert (b.offered, b.succeeded, b.failed, b.success_rate) == (600, 600, {}, 1.0)
    assert (a.success_rate, a.mean_ms, a.p95_ms) == (0.92, 10.5, None)
    assert (a.cpu_pct, a.ram_bytes, a.power_uw, a.replicas) == (4.0, 3403093, 7637.695, 1)
    assert run.node == NodeMeasurement(50.0, 4627554816, 27.967, 1102047.875, 30.0, 4564531200, 27.579, 332407.0)
    assert (run.duration_s, run.cooldown_s, run.cost_s) == (30.0, 10.0, 40.0)
    assert run.margin == pytest.approx((0.96 - 0.95) / 0.95)


def test_the_columns_may_stand_in_any_order_and_unknown_ones_are_passed_over(
    store: DuckDBMemoryStore, tmp_path: Path
) -> None:
    cells = row({"a": "10", "b": "20"})
    bring(store, write(tmp_path / STAMPED, cells))
    before = contents(store)
    shuffled = dict(sorted((cells | {"note": "hot day"}).items(), key=lambda item: item[0][::-1]))
    path = write(tmp_path / STAMPED, shuffled)
    path.write_text(path.read_text().replace("\n", ",twice\n").replace("twice", "note", 1))
    report = bring(store, path)
    assert report.refusals == ()
    assert contents(store) == before


def test_latencies_in_milliseconds_stay_and_without_a_success_there_is_none(
    store: DuckDBMemoryStore, tmp_path: Path
) -> None:
    slow = {"medium_latency_function_a": "12", "medium_latency_function_b": "99", "success_rate_function_b": "0"}
    bring(store, write(tmp_path / STAMPED, row({"a": "10", "b": "20"}, **slow)), latency_unit="ms")
    assert [measured.mean_ms for measured in events(store)[0].functions] == [12.0, None]


def test_an_empty_function_is_absent_and_one_at_rate_0_is_there(store: DuckDBMemoryStore, tmp_path: Path) -> None:
    idle = row({"a": "", "b": "0", "c": "30"}, success_rate_function_b="0.000")
    bring(store, write(tmp_path / STAMPED, idle))
    (run,) = events(store)
    assert run.config_key == (("b", "c"), (0, 30))
    assert (run.functions[0].success_rate, run.functions[0].offered) == (1.0, 0)
    assert run.verdict is Verdict.OK


def test_what_was_not_measured_is_missing_and_without_the_nodes_cpu_a_run_is_invalid(
    store: DuckDBMemoryStore, tmp_path: Path
) -> None:
    missing = dict.fromkeys(("power_usage_node", "cpu_usage_function_a", "replica_a"), "nan")
    bring(store, write(tmp_path / STAMPED, row({"a": "1"}, **missing), row({"a": "1"}, cpu_usage_node="nan")))
    healthy, invalid = sorted(events(store), key=lambda run: run.iteration)
    assert (healthy.node.power_uw, healthy.functions[0].cpu_pct, healthy.functions[0].replicas) == (None, None, None)
    assert (invalid.verdict, invalid.reasons) == (Verdict.INVALID, ("CPU of the node not measured",))


def test_iterations_are_the_repetitions_of_a_configuration_and_follow_each_other(
    store: DuckDBMemoryStore, tmp_path: Path
) -> None:
    rows = [row({"a": rate}, rest_seconds=rest) for rate, rest in (("1", "5"), ("1", "10"), ("2", "0"), ("1", "20"))]
    bring(store, write(tmp_path / STAMPED, *rows))
    runs = sorted(events(store), key=lambda run: run.started_at)
    assert [(run.config_key[1][0], run.iteration) for run in runs] == [(1, 0), (1, 1), (2, 0), (1, 2)]
    assert [run.started_at - STARTED_AT for run in runs] == [0, 35, 75, 105]
    assert [run.ended_at - STARTED_AT for run in runs] == [35, 75, 105, 155]


def test_without_a_time_in_the_name_the_last_run_ended_when_the_file_was_last_changed(
    store: DuckDBMemoryStore, tmp_path: Path
) -> None:
    path = write(tmp_path / "results.csv", row({"a": "1"}), row({"a": "1"}))
    os.utime(path, (5000, 5000))
    bring(store, path)
    assert [run.started_at for run in events(store)] == [4920, 4960]
    assert {run.run_id for run in events(store)} == {f"light-{tmp_path.name}"}


@pytest.mark.parametrize(
    ("name", "changed_at"), [("results-x.csv", 0), ("results-x.csv", -1e9), ("results-1969-12-31_23-00-00.csv", 5000)]
)
def test_no_run_began_before_1970(store: DuckDBMemoryStore, tmp_path: Path, name: str, changed_at: float) -> None:
    path = write(tmp_path / name, row({"a": "1"}), row({"a": "1"}))
    skipped = write(tmp_path / name.replace("results", "skipped"), skip(a="9"))
    for file in (path, skipped):
        os.utime(file, (changed_at, changed_at))
    bring(store, path, skipped)
    assert sorted(event.started_at for event in events(store)) == [0, 0, 40]
    assert list(verify(store.database.connection)) == []


def test_the_verdict_is_that_of_the_rules_and_what_the_recording_says_instead_is_a_reason(
    store: DuckDBMemoryStore, tmp_path: Path
) -> None:
    agrees = row({"a": "1"}, cpu_usage_node="170", overloaded_node="1")
    rounded = row({"a": "2"}, cpu_usage_node="160.000", overloaded_node="1")
    idle = row({"a": "3", "b": "0"}, success_rate_function_a="0.920")
    silent = row({"a": "4"}, overloaded_node="")
    rows = [agrees | {"function_b": "", "rate_function_b": ""}, rounded, silent]
    report = bring(store, write(tmp_path / STAMPED, *[idle, *(row({"b": ""}) | cells for cells in rows)]))
    runs = {run.config_key[1][0]: run for run in events(store)}
    assert report.refusals == ()
    assert runs[1].reasons == ("node CPU 85.0 % > 80 %",)
    assert (runs[2].verdict, runs[2].reasons) == (Verdict.OK, ("recorded as OVERLOADED",))
    assert (runs[3].verdict, runs[3].reasons) == (Verdict.OK, ())
    assert runs[4].reasons == ()
    assert (report.n_compared, report.n_disagreeing) == (3, 1)
    assert report.agreement == pytest.approx(2 / 3)


def test_every_run_is_judged_as_any_other(store: DuckDBMemoryStore, tmp_path: Path) -> None:
    rows = [
        row({"a": "5"}, success_rate_function_a=f"{n / 40:.3f}", replica_a=str(n % 20), cpu_usage_node=str(5 * n))
        for n in range(41)
    ]
    rules = OverloadConfig(replicas_overload_threshold=10)
    bring(store, write(tmp_path / STAMPED, *rows), rules=rules)
    assert len(events(store)) == 41
    for run in events(store):
        judged = judge(run.functions, run.node, rules)
        assert (run.verdict, run.margin, run.overloaded_functions) == (
            judged.verdict, judged.margin, judged.overloaded_functions
        )  # fmt: skip


def test_a_file_is_a_campaign_with_its_session_context_and_catalogue(store: DuckDBMemoryStore, tmp_path: Path) -> None:
    skipped = write(tmp_path / STAMPED.replace("results", "skipped"), skip(a="50", b=""), skip(a="50", b="60"))
    bring(store, write(tmp_path / STAMPED, row({"a": "10", "b": ""})), skipped)
    (session,) = store.database.connection.execute(
        "SELECT run_id, status, agent, repetition, started_at, ended_at, context_hash FROM run_sessions"
    ).fetchall()
    context = {
        "node": {"name": "light", "cores": 2},
        "functions": {"a": {}, "b": {}},
        "duration_s": 30.0,
        "overload": OverloadConfig().as_context(),
        "generator": "imported",
    }
    run_id = "light-2023-12-06_10-05-33-0-30s"
    assert session == (run_id, "complete", IMPORTED, 1, STARTED_AT, STARTED_AT + 40, context_hash(context))
    assert list(verify(store.database.connection)) == []


# --- skipped configurations -----------------------------------------------------------------------------------------


def keys(store: DuckDBMemoryStore) -> list[dict[str, int]]:
    return sorted((dict(event.config_pairs) for event in events(store)), key=str)


def test_skipped_rows_are_events_of_their_own_kind(store: DuckDBMemoryStore, tmp_path: Path) -> None:
    path = write(tmp_path / "skipped-2024.csv", skip(a="20", b=""), skip(a="10", b="20"), skip(a="10", b="20"))
    report = bring(store, path)
    assert keys(store) == [{"a": 10, "b": 20}, {"a": 20}]
    for skipped in events(store):
        assert (skipped.kind, skipped.verdict, skipped.iteration) == (EventKind.SKIPPED, Verdict.OVERLOADED, -1)
        assert skipped.reasons == ("recorded as skipped",)
    assert (report.n_runs, report.n_skipped) == (0, 2)
    assert [(refusal.line, refusal.reason) for refusal in report.refusals] == [(4, REPEATED)]


@pytest.mark.parametrize("name", ["results-2024.csv", "results.csv.gz"])
def test_results_that_lack_their_columns_are_no_skipped_configurations(
    store: DuckDBMemoryStore, tmp_path: Path, name: str
) -> None:
    path = write(tmp_path / name, skip(a="10"), skip(a="20"))
    report = bring(store, path)
    reason = "column success_rate_function_a is missing"
    assert report.refusals == tuple((path, line, reason) for line in (1, 2, 3))
    assert keys(store) == []
    assert bring(store, path.rename(tmp_path / "2024.csv")).n_skipped == 2


@pytest.mark.parametrize(
    ("renamed", "written", "right"),
    [
        (str.upper, "FUNCTION_B", "function_B"),
        (str.capitalize, "Function_b", "function_b"),
        (lambda column: column.replace("_", " "), "function b", "function_b"),
        (lambda column: column.replace("_", "-"), "function-b", "function_b"),
    ],
)
def test_a_functions_columns_that_are_written_otherwise_are_no_other_columns(
    store: DuckDBMemoryStore, tmp_path: Path, renamed: Callable[[str], str], written: str, right: str
) -> None:
    both = row({"a": "10", "b": "20"})
    cells = {renamed(column) if column.endswith("_b") else column: cell for column, cell in both.items()}
    skipped = skip(a="10") | {written: "b", renamed("rate_function_b"): "20"}
    paths = write(tmp_path / STAMPED, cells), write(tmp_path / "skipped.csv", skipped)
    report = bring(store, *paths)
    reason = f"column {written!r} is one of a function, but not written so: write {right!r}"
    assert report.refusals == tuple((path, line, reason) for path in sorted(paths) for line in (1, 2))


@pytest.mark.parametrize("blank", ["\u00a0", "\u2009", "  ", ".", "/", ":", "\u2013", "\uff3f", "", "__"])
def test_a_functions_columns_are_found_by_their_letters_and_digits(
    store: DuckDBMemoryStore, tmp_path: Path, blank: str
) -> None:
    both = row({"a": "10", "b": "20"})
    cells = {column.replace("_", blank) if column.endswith("_b") else column: cell for column, cell in both.items()}
    report = bring(store, write(tmp_path / STAMPED, cells))
    assert (report.n_runs, len(report.refusals)) == (0, 2)
    said = f"{'rate_function' if blank == '__' else 'function'}_b".replace("_", blank)
    assert report.refusals[0].reason.startswith(f"column {said!r} is one of a function, but not written so: write ")


@pytest.mark.parametrize("around", ["'{}'", "`{}`", "[{}]", "\ufeff{}", "x.{}", "PEVA {}"])
@pytest.mark.parametrize("names", ["ab", "b"])
def test_a_functions_columns_are_found_within_quotes_and_behind_a_prefix(
    store: DuckDBMemoryStore, tmp_path: Path, around: str, names: str
) -> None:
    both = row(dict.fromkeys(names, "20"))
    cells = {around.format(column) if column.endswith("function_b") else column: both[column] for column in both}
    path = write(tmp_path / STAMPED, {"number": "1"} | cells)
    reason = f"column {around.format('function_b')!r} is one of a function, but not written so: write 'function_b'"
    assert {refusal.reason for refusal in bring(store, path).refusals} == {reason}


@pytest.mark.parametrize(
    "others",
    [
        ("max_function_a", "max_rate_function_a", "max_success_rate_function_a"),
        ("success_function_a", "Success total function a"),
        ("max rate function", "max function"),
        ("min_rate_function_c", "min_success_rate_function_c"),
        ("my_function", "my_functions"),
    ],
)
def test_columns_that_are_derived_from_those_of_a_function_are_passed_over(
    store: DuckDBMemoryStore, tmp_path: Path, others: tuple[str, ...]
) -> None:
    report = bring(store, write(tmp_path / STAMPED, row({"a": "10"}) | dict.fromkeys(others, "1")))
    assert (report.n_runs, report.refusals) == (1, ())


@pytest.mark.parametrize(
    ("column", "right"),
    [
        ("replica_A", "replica_a"),
        ("Replica a", "replica_a"),
        ("Medium_latency_function_a", "medium_latency_function_a"),
    ],
)
def test_a_column_that_a_function_need_not_have_is_written_as_the_function(
    store: DuckDBMemoryStore, tmp_path: Path, column: str, right: str
) -> None:
    path = write(tmp_path / STAMPED, row({"a": "10"}) | {column: "1"})
    assert {refusal.reason for refusal in bring(store, path).refusals} == {
        f"column {column!r} is one of a function, but not written so: write {right!r}"
    }


def test_columns_that_are_like_those_of_no_function_are_passed_over(store: DuckDBMemoryStore, tmp_path: Path) -> None:
    others = {"Replica set": "x", "Overloaded_Function_a": "1", "CPU_usage_node": "1", "my function_a": "1"}
    report = bring(store, write(tmp_path / STAMPED, row({"a": "10", "A": "20", "a-1": "5", "a_1": "5"}) | others))
    assert (report.n_runs, report.refusals) == (1, ())


@pytest.mark.parametrize("other", ["Function name", "function-id", "Rate function used", "Success rate function"])
def test_a_single_column_that_is_like_one_of_a_function_is_none(
    store: DuckDBMemoryStore, tmp_path: Path, other: str
) -> None:
    report = bring(store, write(tmp_path / STAMPED, row({"a": "10"}) | {other: "x"}))
    assert (report.n_runs, report.refusals) == (1, ())


@pytest.mark.parametrize("pair", [("Function b", "Rate function b"), ("rate-function-b", "success-rate-function-b")])
def test_two_columns_that_are_like_those_of_a_function_are_of_one(
    store: DuckDBMemoryStore, tmp_path: Path, pair: tuple[str, str]
) -> None:
    path = write(tmp_path / STAMPED, row({"a": "10"}) | dict.fromkeys(pair, "x"))
    reasons = [refusal.reason for refusal in bring(store, path).refusals]
    assert [reason.startswith(f"column {pair[0]!r} is one of a function") for reason in reasons] == [True, True]


def test_a_missing_column_of_the_node_is_told_with_the_one_that_is_like_it(
    store: DuckDBMemoryStore, tmp_path: Path
) -> None:
    cells = row({"a": "10"})
    for missing, there, rest in (
        ("cpu_usage_node", "CPU usage node", ""),
        ("cpu_usage_node", "cpu.usage (node)", ""),
        ("ram_usage_node_percentage", "RAM_usage_node_percentage", "; --ram-gib N computes it"),
    ):
        path = write(tmp_path / STAMPED, {there if column == missing else column: cells[column] for column in cells})
        for refusal in bring(store, path).refusals:
            assert refusal.reason.startswith(f"column {missing} is missing, but {there!r} is there: rename it{rest}")


@pytest.mark.parametrize("column", ["", "note", "time"])
def test_a_list_of_skipped_configurations_may_have_any_further_column(
    store: DuckDBMemoryStore, tmp_path: Path, column: str
) -> None:
    rows = [{column: "1"} | skip(a="10"), {column: "2"} | skip(a="20")]
    report = bring(store, write(tmp_path / "skipped-p.csv", *rows))
    assert (report.refusals, report.n_skipped) == ((), 2)


@pytest.mark.parametrize("column", ["success_rate_function_a", "replica_a", "cpu_usage_node", "overloaded_node"])
def test_a_file_with_a_column_of_results_is_no_list_of_skipped_configurations(
    store: DuckDBMemoryStore, tmp_path: Path, column: str
) -> None:
    assert bring(store, write(tmp_path / "skipped-p.csv", skip(a="10") | {column: "1"})).n_skipped == 0


def test_the_pieces_in_which_dfaas_wrote_a_configuration_are_none(store: DuckDBMemoryStore, tmp_path: Path) -> None:
    pieces = [skip(c="5", b="", a=""), skip(c="5", b="0", a=""), skip(c="5", b="0", a="7")]
    more = [skip(c="5", b="", a=""), skip(c="5", b="0", a=""), skip(c="5", b="0", a="8")]
    damaged = [skip(c="5", b="", a="") | {"function_c": "?"}, skip(c="5", b="0", a=""), skip(c="5", b="0", a="9")]
    report = bring(store, write(tmp_path / "skipped.csv", *pieces, *more, *damaged))
    assert keys(store) == [{"a": rate, "b": 0, "c": 5} for rate in (7, 8, 9)]
    assert Counter(refusal.reason for refusal in report.refusals)[PIECE] == 5


def test_whole_configurations_of_fewer_functions_are_no_pieces(store: DuckDBMemoryStore, tmp_path: Path) -> None:
    rows = [skip(a="10", b=""), skip(a="20", b=""), skip(a="", b="20"), skip(a="10", b="20"), skip(a="20", b="20")]
    assert bring(store, write(tmp_path / "skipped.csv", *rows)).n_skipped == 5


# --- refusals -------------------------------------------------------------------------------------------------------


def test_a_negative_zero_is_zero(store: DuckDBMemoryStore, tmp_path: Path) -> None:
    zeros = dict.fromkeys(("success_rate_function_a", "cpu_usage_node", "power_usage_node", "rest_seconds"), "-0.0")
    bring(store, write(tmp_path / STAMPED, row({"a": "10"}, **zeros)))
    (run,) = events(store)
    stored = (run.functions[0].success_rate, run.node.cpu_pct, run.node.power_uw, run.cooldown_s)
    assert str(stored) == "(0.0, 0.0, 0.0, 0.0)"


def test_a_recording_may_have_a_rate_that_k6_cannot_send(store: DuckDBMemoryStore, tmp_path: Path) -> None:
    report = bring(store, write(tmp_path / STAMPED, row({"a": "100001"}), row({"a": str(MAX_RATE_RPS)})))
    assert report.refusals == ()
    assert [run.config_key for run in events(store)] == [(("a",), (100_001,)), (("a",), (MAX_RATE_RPS,))]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"rate_function_a": "ten"}, "rate_function_a is 'ten', not a number"),
        ({"rate_function_a": "-10"}, "rate_function_a is -10, negative"),
        ({"rate_function_a": "1.5"}, "rate_function_a is 1.5, not a whole number up to 2147483647"),
        ({"rate_function_a": "99999999999"}, "rate_function_a is 99999999999, not a whole number up to 2147483647"),
        ({"rate_function_a": ""}, "function_a is 'a', but rate_function_a is missing"),
        ({"function_a": ""}, "rate_function_a is '10', but function_a is missing"),
        ({"function_a": "z"}, "function_a is 'z', an unknown function"),
        ({"function_a": "", "rate_function_a": ""}, "there is no function in it"),
        ({"success_rate_function_a": "N/A"}, "success_rate_function_a is missing"),
        ({"success_rate_function_a": "1.2"}, "success_rate_function_a is '1.2', not within 0 and 1"),
        ({"success_rate_function_a": "nan"}, "success_rate_function_a is missing"),
        ({"success_rate_function_a": "-0.1"}, "success_rate_function_a is -0.1, negative"),
        ({"cpu_usage_node": "x"}, "cpu_usage_node is 'x', not a number"),
        ({"cpu_usage_node": "inf"}, "cpu_usage_node is inf, not finite"),
        ({"ram_usage_node": "1e19"}, "ram_usage_node is 1e19, more than 9007199254740991"),
        ({"medium_latency_function_a": "5"}, "medium_latency_function_a is 5, no latency in ns"),
        ({"overloaded_node": "2"}, "overloaded_node is 2, neither 0 nor 1"),
        ({"rest_seconds": "1e12"}, "the rest before the run is 1e+12 s, more than a year"),
    ],
)
def test_a_row_that_cannot_be_right_is_refused_with_its_reason(
    store: DuckDBMemoryStore, tmp_path: Path, change: dict[str, str], reason: str
) -> None:
    path = write(tmp_path / STAMPED, row({"a": "10"}), row({"a": "10"}, **change), row({"a": "20"}))
    report = bring(store, path)
    assert report.refusals == ((path, 3, reason),)
    assert report.n_runs == 2


@pytest.mark.parametrize("success_rate", ["0.2", "1"])
def test_a_run_without_a_single_request_at_a_rate_is_refused(
    store: DuckDBMemoryStore, tmp_path: Path, success_rate: str
) -> None:
    rows = (row({"a": rate}, success_rate_function_a=success_rate) for rate in ("1", "0", "2"))
    path = write(tmp_path / STAMPED, *rows)
    report = bring(store, path, duration_s=0.4, rules=OverloadConfig(cpu_overload_pct_of_capacity=None))
    reason = "1 rps in 0.4 s are 0.4 requests, which rounds to none; is --duration right?"
    assert report.refusals == ((path, 2, reason),)
    found = [(run.functions[0].offered, run.functions[0].success_rate) for run in events(store)]
    assert found == [(0, 1.0), (1, float(success_rate))]
    assert [*verify(store.database.connection)] == []


@pytest.mark.parametrize("options", [{}, {"ram_gib": 16}])
@pytest.mark.parametrize(
    ("column", "cell", "rest"),
    [
        ("cpu_usage_node", "221", "110.5 percent of the node's capacity; is --cores right?"),
        ("cpu_usage_idle_node", "900.0", "450 percent of the node's capacity; is --cores right?"),
        ("ram_usage_node_percentage", "8589934592", "8.58993e+09 percent of the node's capacity; is it in percent?"),
        ("ram_usage_idle_node_percentage", "111", "111 percent of the node's capacity; is it in percent?"),
    ],
)
def test_more_than_all_of_a_node_is_refused(
    store: DuckDBMemoryStore, tmp_path: Path, column: str, cell: str, rest: str, options: dict[str, Any]
) -> None:
    path = write(tmp_path / STAMPED, row({"a": "10"}, cpu_usage_node="220"), row({"a": "10"}, **{column: cell}))
    report = bring(store, path, **options)
    assert (report.n_runs, report.refusals) == (1, ((path, 3, f"{column} is {cell}, {rest}"),))


@pytest.mark.parametrize("separator", [";", "\t"])
def test_a_line_of_separators_is_refused(store: DuckDBMemoryStore, tmp_path: Path, separator: str) -> None:
    path = write(tmp_path / STAMPED, row({"a": "10"}))
    path.write_text(f"{path.read_text()}{18 * ','}\n".replace(",", separator))
    assert bring(store, path).refusals == ((path, 3, "there is no function in it"),)


def test_milliseconds_are_not_taken_for_nanoseconds_nor_the_other_way_round(
    store: DuckDBMemoryStore, tmp_path: Path
) -> None:
    report = bring(store, write(tmp_path / STAMPED, row({"a": "10"})), latency_unit="ms")
    assert [refusal.reason for refusal in report.refusals] == [
        "medium_latency_function_a is 10500000, no latency in ms"
    ]


def german(path: Path) -> Path:
    """Change a file into one with semicolons and decimal commas."""
    path.write_text(path.read_text().replace(",", ";").replace(".", ","))
    return path


@pytest.mark.parametrize(
    "column",
    ["rate_function_a", "replica_a", "ram_usage_function_a", "ram_usage_node", "ram_usage_idle_node"],
)
def test_a_whole_number_that_may_be_thousands_is_refused(store: DuckDBMemoryStore, tmp_path: Path, column: str) -> None:
    path = german(write(tmp_path / STAMPED, row({"a": "10"}), row({"a": "10"}, **{column: "2.000"}), row({"a": "20"})))
    report = bring(store, path)
    assert report.found[path] == ("UTF-8", "semicolons", "decimal commas")
    assert report.refusals == ((path, 3, f"{column} is '2,000', which could be 2000 or 2: write 2000 or 2,0000"),)
    assert report.n_runs == 2


@pytest.mark.parametrize(
    "column",
    ["medium_latency_function_a", "cpu_usage_function_a", "cpu_usage_node", "power_usage_idle_node", "rest_seconds"],
)
def test_any_number_that_may_be_thousands_is_refused_where_there_are_decimal_commas_and_points(
    store: DuckDBMemoryStore, tmp_path: Path, column: str
) -> None:
    changes: list[dict[str, str]] = [{}, {column: "1.234"}, {"power_usage_node": "12!5"}]
    path = write(tmp_path / STAMPED, *(row({"a": "10"}, **change) for change in changes))
    shortened = re.sub(r"(\.\d)\d\d\b", r"\1", path.read_text())  # no other number may have thousands
    path.write_text(shortened.replace(",", ";").replace("!", ",").replace(";1.2;", ";1.234;"))
    report = bring(store, path)
    assert report.n_runs == 1
    assert [refusal.line for refusal in report.refusals] == [3, 4]
    assert report.refusals[0].reason == (f"{column} is '1.234', which could be 1234 or 1.234: write 1234 or 1.2340")


@pytest.mark.parametrize("shown", ["1,234.5", "1,234,567.8"])
def test_a_number_with_thousands_is_no_small_one_where_another_shows_the_decimal_point(
    store: DuckDBMemoryStore, tmp_path: Path, shown: str
) -> None:
    changes = [{"power_usage_node": "12"}, {"power_usage_node": "8!9"}, {"power_usage_node": "7!8"}]
    path = write(tmp_path / STAMPED, *(row({"a": "10"}, **change) for change in changes))
    whole = re.sub(r"\.\d+", "", path.read_text())  # no other number has a mark
    path.write_text(whole.replace(",", ";").replace("8!9", shown).replace("7!8", "2,345"))
    report = bring(store, path)
    assert (report.n_runs, [refusal.line for refusal in report.refusals]) == (1, [3, 4])
    assert report.refusals[1].reason.startswith("power_usage_node is '2,345', not a number")


def test_a_skipped_rate_that_may_be_thousands_is_refused(store: DuckDBMemoryStore, tmp_path: Path) -> None:
    path = german(write(tmp_path / "skipped-x.csv", skip(a="1.000"), skip(a="20")))
    report = bring(store, path)
    assert [refusal.reason.partition(",")[0] for refusal in report.refusals] == ["rate_function_a is '1"]
    assert keys(store) == [{"a": 20}]


def test_decimal_commas_stay_where_a_number_may_have_decimals(store: DuckDBMemoryStore, tmp_path: Path) -> None:
    rows = [
        row(
            {"a": "10"}, success_rate_function_a=ok, cpu_usage_node=cpu, power_usage_node="99.125", rest_seconds="5.500"
        )
        for ok, cpu in (("0.125", "27.967"), ("1.000", "100.000"))
    ]
    bring(store, write(tmp_path / "results-x.csv", *rows))
    report = bring(store, german(write(tmp_path / "results-y.csv", *rows)))
    assert (report.refusals, [copy.original for copy in report.copies]) == ((), ["campaign light-x"])


def test_half_a_line_is_refused(store: DuckDBMemoryStore, tmp_path: Path) -> None:
    path = write(tmp_path / STAMPED, row({"a": "10"}), row({"a": "10"}))
    path.write_bytes(path.read_bytes()[:-90] + "é".encode()[:1])
    report = bring(store, path)
    assert report.n_runs == 1
    assert [(refusal.line, refusal.reason.split(" ", 1)[1]) for refusal in report.refusals] == [
        (3, "cells instead of 19")
    ]


@pytest.mark.parametrize(
    ("header", "reason"),
    [
        ("rate_function_a,function_a,cpu_usage_node", "column success_rate_function_a is missing"),
        ("function_a", "column rate_function_a is missing"),
        ("function_a,rate_function_a,success_rate_function_a,rate_function_b", "column function_b is missing"),
        ("function_a,rate_function_a,success_rate_function_b", "column success_rate_function_a is missing"),
        ("function_a,rate_function_a,function_a", "column function_a is there twice"),
        ("a,b,c", "there is no column function_X in the header, which is 'a, b, c'"),
        (
            "function_a:1,rate_function_a:1,success_rate_function_a:1",
            "column function_a:1 names no function: a name must start with a letter or digit and hold only letters, "
            "digits, '-', '_' or single dots",
        ),
    ],
)
def test_a_file_without_its_columns_is_refused_line_by_line(
    store: DuckDBMemoryStore, tmp_path: Path, header: str, reason: str
) -> None:
    path = tmp_path / "results.csv"
    path.write_text(f"{header}\n1,2,3\n\n4,5,6\n")
    report = bring(store, path)
    assert report.refusals == tuple((path, line, reason) for line in (1, 2, 4))
    assert contents(store) == [[], [], []]


# --- all or nothing, and once ---------------------------------------------------------------------------------------


def test_importing_twice_changes_nothing_and_a_file_that_has_grown_adds_what_is_new(
    store: DuckDBMemoryStore, tmp_path: Path
) -> None:
    rows = [row({"a": "10"}), row({"a": "10"}), row({"a": "20"})]
    bring(store, write(tmp_path / STAMPED, *rows[:2]))
    before = contents(store)
    again = bring(store, tmp_path / STAMPED, tmp_path / "." / STAMPED)
    assert contents(store) == before
    assert (again.n_runs, again.merged["execution_events"].kept) == (2, 2)
    grown = bring(store, write(tmp_path / STAMPED, *rows))
    assert (grown.merged["execution_events"].inserted, grown.merged["execution_events"].kept) == (1, 2)
    assert set(map(str, before[2])) < set(map(str, contents(store)[2]))


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"cores": 4}, "is there already, of other functions, cores, duration or rules"),
        ({"latency_unit": "ms"}, "campaign .* has latencies in ns, not ms; give the same unit"),
    ],
)
def test_the_same_file_with_other_options_is_an_error_not_a_silent_mixture(
    store: DuckDBMemoryStore, tmp_path: Path, change: dict[str, Any], complaint: str
) -> None:
    path = write(tmp_path / STAMPED, row({"a": "10"}, medium_latency_function_a="2000"))
    bring(store, path)
    before = contents(store)
    with pytest.raises(MemoryStoreError, match=complaint):
        bring(store, path, **change)
    assert contents(store) == before


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ([("10", "1"), ("25", "1"), ("40", "0.5")], "1 of the 3 runs .*, first a 20 rps, iteration 0;"),
        ([("11", "1"), ("21", "1"), ("41", "0.5")], "3 of the 3 runs .*, first a 10 rps, iteration 0;"),
        ([("10", "1"), ("20", "1")], "1 of the 3 runs .*, first a 40 rps, iteration 0;"),
        ([("40", "0.5"), ("40", "0.4"), ("20", "1")], "1 of the 3 runs .*, first a 10 rps, iteration 0;"),
    ],
    ids=["one rate is another", "all rates are", "a line is lost", "another file of that name"],
)
def test_the_runs_of_two_files_are_never_one_campaign(
    store: DuckDBMemoryStore, tmp_path: Path, lines: list[tuple[str, str]], said: str
) -> None:
    first = [row({"a": rate}, success_rate_function_a=ok) for rate, ok in (("10", "1"), ("20", "1"), ("40", "0.5"))]
    bring(store, write(tmp_path / STAMPED, *first))
    before = contents(store)
    (tmp_path / "other").mkdir()
    second = write(tmp_path / "other" / STAMPED, *(row({"a": rate}, success_rate_function_a=ok) for rate, ok in lines))
    unlike = write(tmp_path / "results-new.csv", row({"a": "70"}))
    with pytest.raises(MemoryStoreError, match=said) as caught:
        bring(store, unlike, second)
    assert str(caught.value).startswith(f"{second}: gives ")
    assert contents(store) == before


def test_skipped_configurations_of_two_files_are_never_one_campaign(store: DuckDBMemoryStore, tmp_path: Path) -> None:
    path = tmp_path / "skipped-x.csv"
    bring(store, write(path, skip(a="70", b="")), write(tmp_path / "results-x.csv", row({"a": "10", "b": ""})))
    assert bring(store, write(path, skip(a="", b="90"), skip(a="70", b=""))).merged["execution_events"].inserted == 1
    before = contents(store)
    said = "1 of the 2 skipped configurations of campaign 'light-x' .* not at all, first b 90 rps;"
    with pytest.raises(MemoryStoreError, match=said):
        bring(store, write(path, skip(a="70", b=""), skip(a="80", b="")))
    assert contents(store) == before


FILES = st.lists(st.tuples(st.sampled_from("12"), st.sampled_from(("1", "0.5"))), min_size=1, max_size=4)
"""The lines of a small file: rates and success rates."""


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(first=FILES, second=FILES)
@example(first=[("1", "1")], second=[("1", "1"), ("2", "1"), ("1", "0.5")])
def test_a_campaign_has_the_runs_of_its_file_as_it_was_read_last_and_no_others(
    store: DuckDBMemoryStore, tmp_path: Path, first: list[tuple[str, str]], second: list[tuple[str, str]]
) -> None:
    def bring_lines(lines: list[tuple[str, str]]) -> None:
        rows = (row({"a": rate}, success_rate_function_a=ok) for rate, ok in lines)
        bring(store, write(tmp_path / "results-x.csv", *rows))

    def runs(lines: list[tuple[str, str]]) -> dict[str, list[float]]:
        return {rate: [float(ok) for other, ok in lines if other == rate] for rate, _ in lines}

    for table in ("run_sessions", "execution_events"):
        store.database.connection.execute(f"DELETE FROM {table}")  # noqa: S608
    bring_lines(first)
    before, wanted = contents(store), runs(second)
    if all(wanted.get(rate, [])[: len(oks)] == oks for rate, oks in runs(first).items()):
        bring_lines(second)
        stored = sorted(events(store), key=lambda run: run.iteration)
        assert runs([(str(run.config_key[1][0]), str(run.functions[0].success_rate)) for run in stored]) == wanted
    else:
        with pytest.raises(MemoryStoreError, match="with other values or not at all"):
            bring_lines(second)
        assert contents(store) == before


def test_files_that_would_be_one_campaign_are_told_apart_or_refused(store: DuckDBMemoryStore, tmp_path: Path) -> None:
    for folder in ("x", "y"):
        (tmp_path / folder).mkdir()
    paths = [write(tmp_path / folder / STAMPED, row({"a": rate})) for folder, rate in (("x", "10"), ("y", "20"))]
    with pytest.raises(ConfigError, match="would both be campaign 'light-2023-12-06_10-05-33-0-30s'"):
        bring(store, *paths)
    plain = [write(tmp_path / folder / "results.csv", row({"a": rate})) for folder, rate in (("x", "10"), ("y", "20"))]
    assert bring(store, *plain).n_runs == 2
    other = write(tmp_path / "x" / "skipped.csv", skip(z="10"))
    with pytest.raises(ConfigError, match="have the name of one campaign, but different functions"):
        bring(store, plain[0], other)


def test_nodes_whose_names_differ_in_any_character_have_campaigns_of_their_own(
    store: DuckDBMemoryStore, tmp_path: Path
) -> None:
    path = write(tmp_path / "results-x.csv", row({"a": "10"}))
    for node in ("light", "a/b", "a'b", "nœud", "узел", "节点", "\udce9"):
        assert bring(store, path, node=node).merged["run_sessions"].inserted == 1
    run_ids = {event.run_id for event in events(store)}
    assert len(run_ids) == 7
    assert "light-x" in run_ids
    assert all(re.fullmatch(r"[A-Za-z0-9._-]+", run_id) for run_id in run_ids)


@pytest.mark.parametrize(
    "change", [{"cores": 0}, {"cores": 10**400}, {"duration_s": 0.0}, {"duration_s": 1e12}, {"node": " "}]
)
def test_a_node_needs_a_name_and_a_core(store: DuckDBMemoryStore, tmp_path: Path, change: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="a node needs"):
        bring(store, write(tmp_path / STAMPED, row({"a": "10"})), **change)


def test_a_file_that_is_not_there_stops_the_import(store: DuckDBMemoryStore, tmp_path: Path) -> None:
    with pytest.raises(MemoryStoreError, match=r"nope\.csv: cannot be read"):
        bring(store, write(tmp_path / STAMPED, row({"a": "10"})), tmp_path / "nope.csv")
    assert contents(store) == [[], [], []]


# --- recordings of this package, and real ones ----------------------------------------------------------------------


def test_a_campaigns_own_files_come_back_as_the_same_runs(store: DuckDBMemoryStore, tmp_path: Path) -> None:
    overloaded = function("b", 40, succeeded=20, success_rate=0.25, failed={"timeout": 60}, mean_ms=812.0)
    runs = [
        event([("a", 10)]),
        event([("a", 10)], 1),
        event([("a", 10), ("b", 20)]),
        event(
            [("a", 10), ("b", 40)],
            verdict=Verdict.OVERLOADED,
            functions=(function("a", 10, mean_ms=3.0, replicas=2), overloaded),
            overloaded_functions=("b",),
        ),
    ]
    writer = ArtifactWriter(tmp_path / "mine", ["a", "b"])
    for run in runs:
        writer.record_run(run)
    writer.record_skips([(("b",), (50,)), (("a", "b"), (20, 40))])
    files = [path for path in writer.paths if path.name in ("results.csv", "skipped.csv")]
    report = bring(store, *files, cores=1, latency_unit="ms", duration_s=2.0)
    back = {(run.config_key, run.iteration): run for run in events(store)}
    assert report.refusals == ()
    assert report.agreement == 1.0
    for run in runs:
        found = back.pop((run.config_key, run.iteration))
        assert (found.verdict, found.overloaded_functions) == (run.verdict, run.overloaded_functions)
        assert [(f.offered, f.succeeded, f.mean_ms) for f in found.functions] == [
            (f.offered, f.succeeded, f.mean_ms) for f in run.functions
        ]
    assert sorted(back) == [((("a", "b"), (20, 40)), -1), ((("b",), (50,)), -1)]


# --- the same content under another name ----------------------------------------------------------------------------


def test_of_two_files_with_the_same_content_one_is_imported(store: DuckDBMemoryStore, tmp_path: Path) -> None:
    path = write(tmp_path / STAMPED, row({"a": "10"}), row({"a": "20"}))
    copy = tmp_path / "results-other.csv"
    copy.write_text(path.read_text().replace(",", ";"))
    (tmp_path / "z").mkdir()
    of_its_name = Path(shutil.copy(path, tmp_path / "z"))
    report = bring(store, path, copy, of_its_name)
    assert set(report.copies) == {(copy, str(path)), (of_its_name, str(path))}
    assert report.merged["execution_events"].inserted == 2


def test_a_file_that_is_read_where_another_way_to_write_it_is_refused_is_no_copy(
    store: DuckDBMemoryStore, tmp_path: Path
) -> None:
    # With decimal commas, a rate of 40,000 could be thousands.
    second = write(tmp_path / "results-b.csv", row({"a": "10"}), row({"a": "40.000"}))
    first = tmp_path / "results-a.csv"
    first.write_text(second.read_text().translate(str.maketrans(",.", ";,")))
    report = bring(store, first, second)
    assert (len(report.refusals), report.copies) == (1, ())
    assert Counter(run.run_id for run in events(store)) == {"light-a": 1, "light-b": 2}


def test_skipped_configurations_of_two_campaigns_are_of_both_though_equal(
    store: DuckDBMemoryStore, tmp_path: Path
) -> None:
    skips = [write(tmp_path / f"skipped-{name}.csv", skip(a="50", b="")) for name in "xy"]
    results = [
        write(tmp_path / f"results-{name}.csv", row({"a": rate, "b": ""})) for name, rate in (("x", "10"), ("y", "20"))
    ]
    report = bring(store, *skips, *results)
    assert (report.copies, report.merged["execution_events"].inserted) == ((), 4)
    assert Counter(run.run_id for run in events(store)) == {"light-x": 2, "light-y": 2}


def test_a_copy_of_a_whole_campaign_is_found_beside_it(store: DuckDBMemoryStore, tmp_path: Path) -> None:
    skips = [write(tmp_path / f"skipped-{name}.csv", skip(a="50", b="")) for name in "xy"]
    results = [write(tmp_path / f"results-{name}.csv", row({"a": "10", "b": ""})) for name in "xy"]
    report = bring(store, *skips, *results)
    assert set(report.copies) == {(results[1], str(results[0])), (skips[1], str(skips[0]))}
    assert {run.run_id for run in events(store)} == {"light-x"}


def test_of_two_files_with_the_same_runs_in_another_order_one_is_imported(
    store: DuckDBMemoryStore, tmp_path: Path
) -> None:
    rows = [row({"a": "10"}), row({"a": "20"})]
    first, second, third = (
        write(tmp_path / f"results-{name}.csv", *its) for name, its in (("x", rows), ("y", rows[::-1]), ("z", rows[:1]))
    )
    report = bring(store, first, second, third)
    assert report.copies == ((second, str(first)),)
    assert report.merged["execution_events"].inserted == 3
    before = contents(store)
    assert bring(store, first, second, third).copies == ((second, "campaign light-x"),)
    assert contents(store) == before


def test_what_the_memory_has_under_another_name_is_not_imported_again(store: DuckDBMemoryStore, tmp_path: Path) -> None:
    rows = [row({"a": "10", "b": ""}), row({"a": "20", "b": ""})]
    skips = [skip(a="50", b="")]
    bring(store, write(tmp_path / "results-x.csv", *rows), write(tmp_path / "skipped-x.csv", *skips))
    before = contents(store)
    both = [write(tmp_path / "results-y.csv", *rows[::-1]), write(tmp_path / "skipped-y.csv", *skips)]
    for _ in range(2):
        for files in (both[:1], both):
            report = bring(store, *files)
            assert report.copies == tuple((file, "campaign light-x") for file in files)
            assert report.merged["execution_events"].kept == len(files) + 1
    assert contents(store) == before


@pytest.mark.parametrize(
    "change",
    [
        {"ram_usage_node": "4627554817"},
        {"power_usage_node": "1"},
        {"cpu_usage_idle_node": "61"},
        {"ram_usage_function_a": "5"},
        {"replica_a": "2"},
        {"overloaded_node": "1"},
        {"medium_latency_function_a": "10500001"},
    ],
)
def test_runs_of_which_one_measured_value_differs_are_no_copy_and_under_one_name_an_error(
    store: DuckDBMemoryStore, tmp_path: Path, change: dict[str, str]
) -> None:
    rows = [row({"a": "10"}), row({"a": "20"})]
    changed = [row({"a": "10"}), row({"a": "20"}, **change)]
    first = write(tmp_path / "results-x.csv", *rows)
    bring(store, first)
    before = contents(store)
    complaint = (
        f"{first}: gives 1 of the 2 runs of campaign 'light-x' of memory :memory: with other values or not at all, "
        "first a 20 rps, iteration 0; give the file and the options of that import, another node name, or another "
        "memory"
    )
    with pytest.raises(MemoryStoreError, match=f"^{re.escape(complaint)}$"):
        bring(store, write(first, *changed))
    assert contents(store) == before
    report = bring(store, write(tmp_path / "results-y.csv", *changed))
    assert (report.copies, report.merged["execution_events"].inserted) == ((), 2)


def test_a_file_whose_campaign_a_merge_renamed_is_not_imported_again(store: DuckDBMemoryStore, tmp_path: Path) -> None:
    # Two nodes of one name, each with a file of one name: the second campaign enters under its longer name.
    theirs, their_skips = [row({"a": "10", "b": ""}), row({"a": "20", "b": ""})], skip(a="50", b="")
    other = DuckDBMemoryStore(str(tmp_path / "other.duckdb"))
    other.startup()
    bring(store, write(tmp_path / "results-x.csv", row({"a": "30", "b": ""})))
    files = [write(tmp_path / "results-x.csv", *theirs), write(tmp_path / "skipped-x.csv", their_skips)]
    bring(other, *files)
    other.close()
    merge_memories(store, [tmp_path / "other.duckdb"], rename=True)
    before = contents(store)
    report = bring(store, *files)
    assert [copy.path for copy in report.copies] == files
    assert {copy.original[:-8] for copy in report.copies} == {"campaign light-x-"}
    assert contents(store) == before
    with pytest.raises(MemoryStoreError, match=r"gives 1 of the 1 runs of campaign 'light-x'"):
        bring(store, write(tmp_path / "results-x.csv", *theirs, row({"a": "40", "b": ""})))


def test_a_part_of_a_campaign_is_no_copy_of_it_nor_are_skipped_configurations_alone(
    store: DuckDBMemoryStore, tmp_path: Path
) -> None:
    rows = [row({"a": "10", "b": ""}), row({"a": "20", "b": ""}), row({"a": "30", "b": ""})]
    skips = write(tmp_path / "skipped-x.csv", skip(a="50", b=""))
    bring(store, write(tmp_path / "results-x.csv", *rows[:2]), skips)
    for name, lines in (("results-part.csv", rows[:1]), ("results-grown.csv", rows)):
        report = bring(store, write(tmp_path / name, *lines))
        assert (report.copies, report.merged["execution_events"].inserted) == ((), len(lines))
    report = bring(store, skips.rename(tmp_path / "skipped-y.csv"))
    assert (report.copies, report.merged["execution_events"].inserted) == ((), 1)
    copy = write(tmp_path / "results-y.csv", *rows[:2])
    assert bring(store, copy).copies == ((copy, "campaign light-x"),)


@pytest.mark.parametrize("is_merged", [False, True], ids=["imported here", "merged with a memory of today"])
def test_what_an_earlier_release_imported_is_known_again(tmp_path: Path, *, is_merged: bool) -> None:
    path, other = tmp_path / "m.duckdb", tmp_path / "other.duckdb"
    first, second = (
        write(tmp_path / f"results-{name}.csv", row({"a": rate})) for name, rate in (("x", "10"), ("y", "20"))
    )
    with closing(DuckDBMemoryStore(path)) as store:
        store.startup()
        bring(store, first)
    store_as_earlier_release(path)
    with closing(DuckDBMemoryStore(path)) as store:
        store.startup()
        if is_merged:
            with closing(DuckDBMemoryStore(other)) as of_today:
                of_today.startup()
                bring(of_today, second)
            merge_memories(store, [other])
        else:
            bring(store, second)
        before = contents(store)
        for file, name in ((first, "light-x"), (second, "light-y")):
            copy = Path(shutil.copy(file, tmp_path / "results-z.csv"))
            assert bring(store, file, copy).copies == ((copy, f"campaign {name}"),)
            with pytest.raises(MemoryStoreError, match="in another unit of latencies"):
                bring(store, copy, latency_unit="us")
        assert contents(store) == before
        write(first, row({"a": "10"}), row({"a": "30"}))
        assert bring(store, first).merged["execution_events"].inserted == 1
        assert list(verify(store.database.connection)) == []
    with reading(path, "peva_faas_mem_v1") as connection:
        show_as_read(connection)
        assert len(connection.execute("SELECT DISTINCT context_hash FROM execution_events").fetchall()) == 1


@pytest.mark.parametrize("has_grown", [False, True], ids=["alike", "grown since"])
@pytest.mark.parametrize("into", ["earlier", "today"])
def test_a_file_that_two_releases_imported_is_one_campaign_where_their_memories_are_merged(
    tmp_path: Path, into: str, *, has_grown: bool
) -> None:
    rows = [row({"a": "10"}), row({"a": "20"})]
    file = write(tmp_path / "results-x.csv", *(rows[:1] if has_grown else rows))
    paths = {name: tmp_path / f"{name}.duckdb" for name in ("earlier", "today")}
    for name, path in paths.items():
        with closing(DuckDBMemoryStore(path)) as store:
            store.startup()
            bring(store, file)
            store.database.connection.execute("UPDATE run_sessions SET package_version = ?", [name])
        write(file, *rows)
    store_as_earlier_release(paths["earlier"])
    other = paths.pop(into)
    with closing(DuckDBMemoryStore(other)) as store:
        store.startup()
        for _ in ("once", "twice"):
            merge_memories(store, paths.values())
            assert [event.run_id for event in events(store)] == ["light-x"] * 2
            assert list(verify(store.database.connection)) == []
        assert bring(store, file).merged["execution_events"].inserted == 0


def test_a_copy_with_another_unit_is_an_error(store: DuckDBMemoryStore, tmp_path: Path) -> None:
    rows = [row({"a": "10"}, medium_latency_function_a="2000")]
    bring(store, write(tmp_path / "results-x.csv", *rows))
    with pytest.raises(MemoryStoreError, match=r"are those of campaign 'light-x' .* in another unit of latencies"):
        bring(store, write(tmp_path / "results-y.csv", *rows), latency_unit="ms")


def test_another_unit_is_an_error_where_it_would_refuse_every_line(store: DuckDBMemoryStore, tmp_path: Path) -> None:
    path = write(tmp_path / STAMPED, row({"a": "10"}))
    bring(store, path)
    with pytest.raises(MemoryStoreError, match="has latencies in ns, not ms"):
        bring(store, path, latency_unit="ms")


def test_a_link_to_a_file_is_called_as_the_link(store: DuckDBMemoryStore, tmp_path: Path) -> None:
    link = tmp_path / STAMPED
    link.symlink_to(write(tmp_path / "download-17", row({"a": "10"})))
    report = bring(store, link)
    (run,) = events(store)
    assert ([*report.found], run.run_id, run.started_at) == ([link], f"light-{STAMPED[8:-4]}", STARTED_AT)


def test_a_file_that_was_touched_changes_nothing(store: DuckDBMemoryStore, tmp_path: Path) -> None:
    path = write(tmp_path / "results.csv", row({"a": "10"}))
    bring(store, path)
    before = contents(store)
    os.utime(path, (5000, 5000))
    bring(store, path)
    assert contents(store) == before
