"""Verifying a memory: nothing is found in a sound one, and each kind of damage in its place. And its summary."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from peva_env.config import OverloadConfig
from peva_env.contracts import EndStatus, EventKind, ExecutionEvent, NodeMeasurement, Verdict
from peva_env.memory.contexts import context_hash
from peva_env.memory.event_writer import PolicyUpdate
from peva_env.memory.store import DuckDBMemoryStore
from peva_env.memory.summary import summarize_memory
from peva_env.memory.verify import Discrepancy, verify
from peva_env.rules import apply_rules, judge, judge_aborted
from tests.support.builders import event, function, session

CONTEXT: dict[str, Any] = {
    "node": {"hostname": "big"},
    "functions": {"a": {}, "b": {}},
    "overload": OverloadConfig().model_dump(),
    "duration_s": 4.0,
}
HASH = context_hash(CONTEXT)


def run(config: list[tuple[str, int]], iteration: int = 0, success: float = 1.0, **values: Any) -> ExecutionEvent:
    """Return a run with the verdict that its measurements have."""
    functions = tuple(
        function(
            name,
            rate,
            succeeded=round(2 * rate * success),
            success_rate=round(2 * rate * success) / (2 * rate),
            failed={"timeout": lost} if (lost := 2 * rate - round(2 * rate * success)) else {},
        )
        for name, rate in config
    )
    node = NodeMeasurement(cpu_pct=12.5, ram_pct=30.0)
    judged = judge(functions, node, OverloadConfig())
    plain: dict[str, Any] = {
        "functions": functions,
        "node": node,
        "reasons": judged.reasons,
        "margin": judged.margin,
        "overloaded_functions": judged.overloaded_functions,
        "context_hash": HASH,
    }
    made: ExecutionEvent = event(config, iteration, judged.verdict, **(plain | values))
    return made


@pytest.fixture
def store() -> Iterator[DuckDBMemoryStore]:
    """Return a sound memory: runs, an INVALID one among them, a skip, a raw summary and a policy update."""
    store = DuckDBMemoryStore(":memory:")
    store.startup()
    store.open_session(replace(session(context_hash=HASH), context=CONTEXT))
    failed = replace(run([("b", 50)], 1), verdict=Verdict.INVALID, functions=(), margin=None, reasons=("k6 failed",))
    skipped = event([("b", 60)], -1, Verdict.OVERLOADED, kind=EventKind.SKIPPED, functions=(), context_hash=HASH)
    inferred = event([("b", 5)], -2, Verdict.OK, kind=EventKind.INFERRED, functions=(), context_hash=HASH)
    early = run([("b", 40)], success=0.5, duration_s=1.0)
    bound = judge_aborted(early.functions, early.node, OverloadConfig(), duration_s=4, ran_s=1)
    early = replace(early, reasons=bound.reasons, margin=bound.margin)
    doubted = run([("b", 50)], success=0.5)
    events = [
        run([("a", 10)], raw_summary={"k": 1}),
        run([("a", 10)], 1),
        run([("a", 10), ("b", 20)], success=0.9),
        replace(doubted, reasons=(*doubted.reasons, "in doubt: the machine was busy")),
        failed,
        skipped,
        inferred,
        early,
    ]
    store.insert_events(events, [PolicyUpdate("run", 0, 1.0, "P", "online", 1)])
    store.close_session("run", EndStatus.COMPLETE)
    yield store
    store.close()


def found(store: DuckDBMemoryStore) -> list[Discrepancy]:
    return list(verify(store.database.connection))


def test_a_sound_memory_has_no_differences(store: DuckDBMemoryStore) -> None:
    assert found(store) == []


SUMMARY = """k6_raw_summaries SET summary_json = '{{
    "functions": {{"f0": "a"}}, "metrics": {{"iterations{{scenario:f0}}": {{"values": {{"count": {}}}}}}}
}}'"""
DAMAGE = [
    ("config_catalog SET n_functions = 7 WHERE total_rate_rps = 10", "n_functions", "7", "1"),
    ("config_catalog SET total_rate_rps = 7 WHERE total_rate_rps = 10", "total_rate_rps", "7", "10"),
    ("config_catalog SET rates_rps = [11], total_rate_rps = 11 WHERE total_rate_rps = 10", "config_id", None, None),
    ("execution_events SET rates_rps = [51] WHERE verdict = 'INVALID'", "config_id", None, None),
    ("execution_events SET verdict = 'OK' WHERE verdict = 'OVERLOADED' AND kind = 'measured' AND len(rates_rps) = 1",
     "verdict", "OK", "OVERLOADED"),
    ("execution_events SET margin = 0.5 WHERE raw", "margin", "0.5", "0.052631578947368474"),
    ("execution_events SET margin = NULL WHERE raw", "margin", "None", "0.052631578947368474"),
    ("execution_events SET duration_s = 2 WHERE duration_s = 1", "reasons", None, None),
    ("execution_events SET margin = -0.4 WHERE duration_s = 1", "margin", "-0.4", None),
    ("execution_events SET reasons = ['tired'] WHERE raw", "reasons", "tired", ""),
    ("execution_events SET overloaded_functions = ['a'] WHERE raw", "overloaded_functions", "a", ""),
    ("execution_events SET succeeded = [19] WHERE raw", "success_rate", "a 1.0", "0.95"),
    ("execution_events SET sent = [19] WHERE raw", "offered", "a 20", "19"),
    ("execution_events SET p95_ms = [1, 2] WHERE raw", "p95_ms", "2 values", "1 values"),
    ("execution_events SET succeeded = [21], success_rate = [1.05] WHERE raw", "sent", "a 20", "21"),
    ("execution_events SET failed = [map {'timeout': 1}] WHERE raw", "sent", "a 20", "21"),
    ("execution_events SET failed = [map {'x': NULL::BIGINT}] WHERE raw", "failed", "[{x=NULL}]", "a value for each"),
    ("execution_events SET dropped = [9223372036854775807] WHERE raw", "offered", "a 20", "9223372036854775827"),
    ("execution_events SET offered = [NULL] WHERE raw", "offered", "[NULL]", "a value for each"),
    ("execution_events SET success_rate = [NULL] WHERE raw", "success_rate", "[NULL]", "a value for each"),
    ("execution_events SET reasons = [NULL]", "reasons", "[NULL]", "a value for each"),
    ("execution_events SET cost_s = NULL WHERE raw", "cost_s", "missing", "a value"),
    ("execution_events SET cpu_pct = '-inf' WHERE raw", "cpu_pct", "-inf", "a finite number"),
    ("execution_events SET p95_ms = ['nan'] WHERE raw", "p95_ms", "[nan]", "a finite number"),
    ("execution_events SET p95_ms = [-0.5] WHERE raw", "p95_ms", "[-0.5]", "at least 0"),
    ("execution_events SET ram_bytes = -1 WHERE raw", "ram_bytes", "-1", "at least 0"),
    ("execution_events SET margin = 1 WHERE verdict = 'INVALID'", "margin", "1.0", "None"),
    ("execution_events SET overloaded_functions = ['a'] WHERE iteration = -1", "overloaded_functions", "['a']", "[]"),
    ("execution_events SET cpu_pct = NULL WHERE raw", "verdict", "OK", "INVALID"),
    ("execution_events SET iteration = 2147483647 WHERE raw", "iteration", "up to 2147483647", "2 runs"),
    ("run_sessions SET started_at = 'nan'", "started_at", "nan", "a finite number"),
    ("run_sessions SET status = 'asleep'", "status", "asleep", None),
    ("policy_updates SET updated_at = 'inf'", "updated_at", "inf", "a finite number"),
    ("execution_events SET kind = 'measured' WHERE iteration = -1", "kind", "measured", "skipped"),
    ("execution_events SET verdict = 'OK' WHERE iteration = -1", "verdict", "OK", "OVERLOADED"),
    ("execution_events SET kind = 'measured' WHERE iteration = -2", "kind", "measured", "inferred"),
    ("execution_events SET verdict = 'OVERLOADED' WHERE kind = 'inferred'", "verdict", "OVERLOADED", "OK"),
    ("execution_events SET iteration = -3 WHERE kind = 'inferred'", "iteration", "-3", "-2"),
    ("execution_events SET iteration = 5 WHERE raw", "iteration", "up to 5", "2 runs"),
    ("execution_events SET context_hash = 'other' WHERE raw", "context_hash", "other", HASH),
    ("execution_events SET repetition = 2 WHERE verdict = 'INVALID'", "repetition", "2", "1"),
    ("execution_events SET run_id = 'lost' WHERE verdict = 'INVALID'", "run_id", "lost", "a row of run_sessions"),
    ("policy_updates SET run_id = 'lost'", "run_id", "lost", "a row of run_sessions"),
    ("k6_raw_summaries SET run_id = 'lost'", "run_id", "lost", "a row of execution_events"),
    ("k6_raw_summaries SET summary_json = '{'", "summary_json", "no JSON", "a: sent 20, dropped 0, mean_ms -"),
    (SUMMARY.format('"many"'), "summary_json", "a: sent 0, dropped 0, mean_ms -", "a: sent 20, dropped 0, mean_ms -"),
    (SUMMARY.format("1e300"), "summary_json", "a: sent 0, dropped 0, mean_ms -", "a: sent 20, dropped 0, mean_ms -"),
    (SUMMARY.format("21"), "summary_json", "a: sent 21, dropped 0, mean_ms -", "a: sent 20, dropped 0, mean_ms -"),
    ("run_sessions SET context_hash = 'other'", "context_hash", "other", HASH),
    ("run_sessions SET context_json = '{'", "context_json", "{", "JSON"),
    ("run_sessions SET context_json = repeat('[', 100000)", "context_json", "[" * 100_000, "JSON"),
]  # fmt: skip
RAW = "config_id = (SELECT config_id FROM k6_raw_summaries) AND iteration = 0"


@pytest.mark.parametrize(("change", "column", "stored", "recomputed"), DAMAGE, ids=lambda value: str(value)[:40])
def test_each_kind_of_damage_is_found(
    store: DuckDBMemoryStore, change: str, column: str, stored: str | None, recomputed: str | None
) -> None:
    store.database.connection.execute(f"UPDATE {change.replace('WHERE raw', f'WHERE {RAW}')}")
    table = change.split()[0]
    differences = [
        difference for difference in found(store) if (difference.table, difference.column) == (table, column)
    ]
    assert differences
    if stored is not None:
        assert differences[0].stored == stored
    if recomputed is not None:
        assert differences[0].recomputed == recomputed


@pytest.mark.parametrize(
    ("table", "reported"), [("config_catalog", "execution_events"), ("execution_events", "config_catalog")]
)
def test_rows_that_lost_theirs_are_found(store: DuckDBMemoryStore, table: str, reported: str) -> None:
    store.database.connection.execute(f"DELETE FROM {table}")  # noqa: S608
    assert any(difference.table == reported and difference.column == "config_id" for difference in found(store))


def test_a_context_that_tells_no_rules_leaves_verdicts_alone(store: DuckDBMemoryStore) -> None:
    store.database.connection.execute("""UPDATE run_sessions SET context_json = '{"overload": {"x": 1}}'""")
    store.database.connection.execute(
        "UPDATE execution_events SET margin = 7 WHERE verdict = 'OVERLOADED' AND margin < 0"
    )
    assert {(difference.table, difference.column) for difference in found(store)} == {("run_sessions", "context_hash")}


def test_the_summary_counts_what_is_there(store: DuckDBMemoryStore) -> None:
    summary = summarize_memory(store.database.connection)
    assert (summary.schema_version, summary.n_configs) == ("peva_faas_mem_v1", 6)
    assert [(count.kind, count.verdict, count.n) for count in summary.events] == [
        ("inferred", "OK", 1),
        ("measured", "INVALID", 1),
        ("measured", "OK", 2),
        ("measured", "OVERLOADED", 3),
        ("skipped", "OVERLOADED", 1),
    ]
    (campaign,) = summary.campaigns
    assert (campaign.run_id, campaign.status, campaign.n_runs) == ("run", "complete", 6)
    (context,) = summary.contexts
    assert (context.context_hash, context.node, context.functions) == (HASH, "big", ["a", "b"])
    assert (context.n_configs, context.n_runs, context.n_skipped, context.n_inferred) == (6, 6, 1, 1)


def test_the_summary_of_an_empty_memory_is_empty() -> None:
    store = DuckDBMemoryStore(":memory:")
    store.startup()
    summary = summarize_memory(store.database.connection)
    assert (summary.n_configs, summary.campaigns, summary.contexts, summary.events) == (0, [], [], [])
    store.close()


def test_overload_by_a_restart_is_sound_as_an_earlier_release_judged_it(store: DuckDBMemoryStore) -> None:
    refused = function("a", 30, succeeded=30, success_rate=0.5, failed={"connection_refused": 30})
    judged = apply_rules([refused], NodeMeasurement(cpu_pct=12.5, ram_pct=30.0), OverloadConfig())
    store.insert_events(
        [
            replace(
                run([("a", 30)], 1),
                functions=(refused,),
                verdict=judged.verdict,
                reasons=tuple(reason.partition(" (")[0] for reason in judged.reasons),
                margin=judged.margin,
                overloaded_functions=judged.overloaded_functions,
            )
        ]
    )

    assert judge([refused], NodeMeasurement(cpu_pct=12.5, ram_pct=30.0), OverloadConfig()).verdict is Verdict.INVALID
    assert [
        found for found in verify(store.database.connection) if found.column in ("verdict", "reasons", "margin")
    ] == []
