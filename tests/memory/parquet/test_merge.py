"""Merges: every event of every memory is in the result, bit for bit, or the merge is refused and changes nothing."""

from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass, replace
from itertools import permutations
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from peva_env.contracts import EndStatus, EventKind, ExecutionEvent, Verdict
from peva_env.errors import MemoryStoreError
from peva_env.memory import CORE_TABLES, DEBUG_TABLES, DuckDBMemoryStore, Session, verify
from peva_env.memory.event_writer import PolicyUpdate
from peva_env.memory.parquet import ParquetCheckpoint, campaign_names, load_recording, merge_memories
from peva_env.memory.schema import IMPORTED
from tests.support.builders import event, rewrite_table, session

STARTED_AT = 1_790_000_000.0


@contextmanager
def memory(path: Path | str = ":memory:") -> Iterator[DuckDBMemoryStore]:
    with closing(DuckDBMemoryStore(path)) as store:
        store.startup()
        yield store


def add_campaign(
    store: DuckDBMemoryStore, begun: Session, *events: ExecutionEvent, started_at: float = STARTED_AT
) -> None:
    """Store a campaign that began at a given time."""
    store.open_session(begun)
    store.database.connection.execute(
        "UPDATE run_sessions SET started_at = ? WHERE run_id = ?", [started_at, begun.run_id]
    )
    store.insert_events(events, [PolicyUpdate(begun.run_id, 0, started_at, "Greedy", "online", 1)])
    store.close_session(begun.run_id, EndStatus.COMPLETE)


def content(store: DuckDBMemoryStore) -> dict[str, list[Any]]:
    rows = store.database.connection.execute
    return {table: rows(f"FROM {table} ORDER BY ALL").fetchall() for table in (*CORE_TABLES, *DEBUG_TABLES)}


def exported(store: DuckDBMemoryStore, folder: Path) -> Path:
    ParquetCheckpoint(store, core_dir=folder / "core", debug_dir=folder / "debug").export_all()
    return folder


def preload(store: DuckDBMemoryStore, folder: Path, *, rename: bool = False) -> None:
    ParquetCheckpoint(store, core_dir=folder / "core", debug_dir=folder / "debug").preload_all(rename=rename)


# The law


@dataclass(frozen=True)
class Drawn:
    """A campaign as it was drawn: whoever has the same name, node and start is the same campaign."""

    run_id: str
    node: str
    started_at: float
    runs: tuple[tuple[int, int, float], ...]  # rate, iteration, margin

    @property
    def identity(self) -> tuple[str, str, float]:
        return self.run_id, self.node, self.started_at

    def events(self) -> list[ExecutionEvent]:
        return [
            event([("a", rate)], iteration, run_id=self.run_id, context_hash=self.node, margin=margin,
                  raw_summary={"margin": margin})
            for rate, iteration, margin in self.runs
        ]  # fmt: skip

    def add_to(self, store: DuckDBMemoryStore) -> None:
        begun = session(self.run_id, context_hash=self.node)
        add_campaign(store, begun, *self.events(), started_at=self.started_at)


runs = st.lists(
    st.tuples(st.sampled_from([10, 20]), st.integers(0, 1), st.sampled_from([0.5, 0.5, 0.5, -0.5])),
    max_size=3,
    unique_by=lambda run: run[:2],
).map(tuple)
campaigns = st.builds(
    Drawn, st.sampled_from(["nightly", "x"]), st.sampled_from(["A", "B"]), st.sampled_from([1.5, 2.5]), runs
)
memories = st.lists(st.lists(campaigns, max_size=2, unique_by=lambda one: one.run_id), min_size=2, max_size=3)


def conflict(merged: list[Drawn], incoming: list[Drawn], *, rename: bool) -> bool:
    """Tell whether a campaign is in the way: another one of its name, or the same one with another measurement."""
    for one in incoming:
        for other in merged:
            if one.run_id == other.run_id and one.identity != other.identity and not rename:
                return True
            if one.identity == other.identity:
                theirs = {run[:2]: run for run in other.runs}
                if any(theirs.get(run[:2], run) != run for run in one.runs):
                    return True
    return False


def stored(store: DuckDBMemoryStore) -> set[tuple[Any, ...]]:
    """Return every event with the identity of its campaign, the name that it was drawn with, and its raw summary."""
    rows = store.database.connection.execute(
        "SELECT split_part(run_id, '-', 1), s.context_hash, s.started_at, e.* EXCLUDE run_id, summary_json "
        "FROM execution_events e "
        "JOIN k6_raw_summaries USING (config_id, iteration, repetition, run_id) JOIN run_sessions s USING (run_id)"
    ).fetchall()
    assert len(rows) == store.database.connection.execute("SELECT count(*) FROM execution_events").fetchall()[0][0]
    return {tuple(map(repr, row)) for row in rows}


@settings(max_examples=8, deadline=None)
@given(drawn=memories, rename=st.booleans())
def test_every_event_of_every_memory_is_there_or_the_whole_is_refused(
    tmp_path_factory: pytest.TempPathFactory, drawn: list[list[Drawn]], rename: bool
) -> None:
    with ExitStack() as stack:
        merged, *others = (stack.enter_context(memory()) for _ in drawn)
        for store, given_campaigns in zip((merged, *others), drawn, strict=True):
            for one in given_campaigns:
                one.add_to(store)
        expected, there = stored(merged), list(drawn[0])
        for store, given_campaigns in zip(others, drawn[1:], strict=True):
            folder = exported(store, tmp_path_factory.mktemp("exported"))
            before = content(merged)
            if conflict(there, given_campaigns, rename=rename):
                with pytest.raises(MemoryStoreError, match=r"differ|is not the campaign of that name"):
                    preload(merged, folder, rename=rename)
                assert content(merged) == before
                continue
            for _ in ("once", "twice"):
                preload(merged, folder, rename=rename)
                expected |= stored(store)
                assert stored(merged) == expected
                assert len(merged.database.connection.execute("FROM execution_events").fetchall()) == len(expected)
            there += given_campaigns


# Two campaigns of one name

NODES = {"ctx A": {"node": {"name": "alpha"}}, "ctx B": {"node": {"name": "beta"}}}


def on_node(context_hash: str) -> Session:
    return Session("nightly", 1, context_hash, NODES[context_hash])


@pytest.fixture
def alpha(tmp_path: Path) -> Path:
    with memory(tmp_path / "alpha.duckdb") as store:
        add_campaign(store, on_node("ctx A"), event(run_id="nightly", context_hash="ctx A", raw_summary={"n": 1}))
    return tmp_path / "alpha.duckdb"


@pytest.fixture
def beta(tmp_path: Path) -> Path:
    with memory(tmp_path / "beta.duckdb") as store:
        measured = event(
            run_id="nightly", context_hash="ctx B", verdict=Verdict.OVERLOADED, ended_at=9e9, raw_summary={"n": 2}
        )
        add_campaign(store, on_node("ctx B"), measured, started_at=STARTED_AT + 1)
    return tmp_path / "beta.duckdb"


def test_two_nodes_with_one_run_id_are_refused_naming_both(alpha: Path, beta: Path) -> None:
    with memory(alpha) as store:
        before = content(store)
        with pytest.raises(MemoryStoreError) as caught:
            merge_memories(store, [beta])
        assert content(store) == before
    said = str(caught.value)
    assert "campaign 'nightly'" in said
    assert "node beta, context ctx B" in said
    assert "node alpha, context ctx A" in said
    assert "--rename" in said
    assert "\n" not in said


def test_memories_that_conflict_with_each_other_leave_a_third_one_as_it_was(
    tmp_path: Path, alpha: Path, beta: Path
) -> None:
    with memory(tmp_path / "all.duckdb") as store:
        before = content(store)
        with pytest.raises(MemoryStoreError, match=r"cannot merge .*beta.duckdb"):
            merge_memories(store, [alpha, beta])
        assert content(store) == before


def test_events_without_their_campaign_are_not_given_to_its_namesake(tmp_path: Path, alpha: Path, beta: Path) -> None:
    with memory(alpha) as store:
        store.database.connection.execute("DELETE FROM run_sessions; DELETE FROM policy_updates")
    with memory(beta) as store:
        other = [replace(one, iteration=7) for one in store.events("ctx B")]
        store.database.connection.execute("DELETE FROM execution_events; DELETE FROM k6_raw_summaries")
        store.insert_events(other)
    for first, second in ((alpha, beta), (beta, alpha)):
        with memory() as merged:
            merge_memories(merged, [first])
            before = content(merged)
            with pytest.raises(MemoryStoreError, match="another campaign than its run_id, with context_hash"):
                merge_memories(merged, [second])
            assert content(merged) == before


def names_and_verdicts(store: DuckDBMemoryStore) -> list[tuple[str, str]]:
    return store.database.connection.execute(
        "SELECT run_id, verdict FROM execution_events JOIN k6_raw_summaries USING (config_id, iteration, repetition, "
        "run_id) JOIN policy_updates USING (run_id) SEMI JOIN run_sessions USING (run_id) ORDER BY 1"
    ).fetchall()


def test_a_renamed_campaign_is_whole_and_is_known_again(tmp_path: Path, alpha: Path, beta: Path) -> None:
    with memory(alpha) as store:
        for _ in ("once", "twice"):
            merge_memories(store, [beta], rename=True)
            (_, kept), (name, added) = names_and_verdicts(store)
            assert (kept, added) == ("OK", "OVERLOADED")
        merge_memories(store, [beta])  # known under its longer name: no need to rename it
        assert names_and_verdicts(store) == [("nightly", "OK"), (name, "OVERLOADED")]
        assert name.startswith("nightly-")
    with memory(beta) as store:  # and the way back
        merge_memories(store, [alpha], rename=True)
        assert sorted(verdict for _, verdict in names_and_verdicts(store)) == ["OK", "OVERLOADED"]


def test_copies_of_a_campaign_that_went_on_apart_are_refused_even_with_rename(tmp_path: Path, alpha: Path) -> None:
    other = tmp_path / "other.duckdb"
    other.write_bytes(alpha.read_bytes())
    for path, margin in ((alpha, 1.0), (other, -1.0)):
        with memory(path) as store:
            store.insert_events([event(iteration=1, run_id="nightly", context_hash="ctx A", margin=margin)])
    with memory(alpha) as store, pytest.raises(MemoryStoreError, match="different measurements"):
        merge_memories(store, [other], rename=True)


def test_a_campaign_that_goes_on_is_merged_again(tmp_path: Path, alpha: Path) -> None:
    with memory(tmp_path / "all.duckdb") as merged:
        merge_memories(merged, [alpha])
        with memory(alpha) as store:
            store.open_session(on_node("ctx A"))
            later = PolicyUpdate("nightly", 1, 5.0, "Greedy", "online", 1)
            store.insert_events([event(iteration=1, run_id="nightly", context_hash="ctx A")], [later])
            store.set_score(PolicyUpdate("nightly", 0, STARTED_AT, "Greedy", "online", 1), 0.75)
            store.close_session("nightly", EndStatus.BUDGET)
        counts = merge_memories(merged, [alpha])
        assert (counts["execution_events"].inserted, counts["run_sessions"].updated) == (1, 1)
        scores = merged.database.connection.execute("SELECT score FROM policy_updates ORDER BY update_index").fetchall()
        assert scores == [(0.75,), (None,)]


def test_a_killed_campaign_is_merged_once(tmp_path: Path, alpha: Path) -> None:
    with memory(alpha) as store:
        store.open_session(on_node("ctx A"))  # and the process is killed
    with memory(tmp_path / "all.duckdb") as merged:
        merge_memories(merged, [alpha])
    for _ in ("at the next start it is found crashed", "and stays so"):
        with memory(tmp_path / "all.duckdb") as merged:
            assert merge_memories(merged, [alpha])["run_sessions"].updated == 0


def test_a_copy_from_before_a_campaign_went_on_does_not_end_it(tmp_path: Path, alpha: Path) -> None:
    earlier = tmp_path / "earlier.duckdb"
    earlier.write_bytes(alpha.read_bytes())
    with memory(alpha) as store:
        store.open_session(on_node("ctx A"))  # and the process is killed
        store.insert_events([event(iteration=1, run_id="nightly", context_hash="ctx A")])
    found = []
    for order in ((earlier, alpha), (alpha, earlier)):
        with memory() as merged:
            merge_memories(merged, order)
            found += merged.database.connection.execute("SELECT status FROM run_sessions").fetchall()
    with memory(alpha) as store:
        merge_memories(store, [earlier])
        found += store.database.connection.execute("SELECT status FROM run_sessions").fetchall()
    assert found == [("running",), ("running",), ("crashed",)]


def test_a_folder_with_a_key_twice_is_refused(tmp_path: Path, alpha: Path) -> None:
    with memory(alpha) as store:
        folder = exported(store, tmp_path / "twice")
        events = folder / "core" / "execution_events.parquet"
        rewrite_table(events, "FROM rows UNION ALL SELECT * REPLACE (99 AS cpu_pct) FROM rows")
    with memory() as store:
        store.insert_events([event(run_id="other")])
        before = content(store)
        with pytest.raises(MemoryStoreError, match="keys twice"):
            ParquetCheckpoint(store, core_dir=folder / "core").preload_core()
        assert content(store) == before


# Imports, whose times are those of a file


def add_import(store: DuckDBMemoryStore, *events: ExecutionEvent, changed_at: float) -> None:
    shifted = [replace(one, run_id="n-night", started_at=changed_at, ended_at=changed_at + 1) for one in events]
    add_campaign(store, session("n-night"), *shifted, started_at=changed_at)
    store.name_agent("n-night", IMPORTED)
    store.database.connection.execute("DELETE FROM policy_updates")


def test_one_file_that_was_imported_on_two_machines_or_has_grown_is_one_campaign(tmp_path: Path) -> None:
    grown = [event(iteration=iteration) for iteration in range(3)]
    with memory(tmp_path / "a.duckdb") as a, memory(tmp_path / "b.duckdb") as b:
        add_import(a, *grown[:2], changed_at=1000.0)
        add_import(b, *grown, changed_at=5000.0)
    for into, other in (("a", "b"), ("b", "a")):
        with memory(tmp_path / f"{into}.duckdb") as store:
            merge_memories(store, [tmp_path / f"{other}.duckdb"])
            assert len(store.events("ctx")) == 3


@pytest.mark.parametrize("changed_at", [1000.0, 5000.0], ids=["of one time", "of two times"])
@pytest.mark.parametrize(
    "other", [event(verdict=Verdict.OVERLOADED, margin=-1.0), event([("f", 77)])], ids=["other values", "other runs"]
)
def test_two_files_of_one_name_are_two_campaigns(tmp_path: Path, other: ExecutionEvent, changed_at: float) -> None:
    with memory(tmp_path / "a.duckdb") as a, memory(tmp_path / "b.duckdb") as b:
        add_import(a, event(), changed_at=1000.0)
        add_import(b, other, changed_at=changed_at)
        b.close()
        with pytest.raises(MemoryStoreError, match="is not the campaign of that name"):
            merge_memories(a, [tmp_path / "b.duckdb"])
        for _ in ("once", "twice"):
            merge_memories(a, [tmp_path / "b.duckdb"], rename=True)
            assert len(a.events("ctx")) == 2


def test_files_of_one_name_and_time_are_as_many_campaigns_however_they_are_joined(tmp_path: Path) -> None:
    files = {name: event([("f", rate)]) for name, rate in (("east", 10), ("west", 20), ("north", 30))}
    for round_, order in enumerate((("east", "west", "north"), ("north", "west", "east"))):
        with memory(tmp_path / f"all{round_}.duckdb") as joined:
            for name in order:
                with memory(tmp_path / f"{name}{round_}.duckdb") as one:
                    add_import(one, files[name], changed_at=1000.0 * (1 + round_))  # all were touched meanwhile
                merge_memories(joined, [tmp_path / f"{name}{round_}.duckdb"], rename=True)
            assert len(joined.events("ctx")) == 3
    for into, other in ((0, 1), (1, 0)):
        with memory(tmp_path / f"all{into}.duckdb") as joined:
            merge_memories(joined, [tmp_path / f"all{other}.duckdb"], rename=True)
            assert len(joined.events("ctx")) == 3
            assert len(joined.run_ids()) == 3


def test_two_files_that_begin_alike_are_two_campaigns_in_any_order(tmp_path: Path) -> None:
    begin, *ends = (event([("f", rate)]) for rate in (10, 20, 30))
    for name, its in (("begin", [begin]), ("a", [begin, ends[0]]), ("b", [begin, ends[1]])):
        with memory(tmp_path / f"{name}.duckdb") as one:
            add_import(one, *its, changed_at=1000.0)
    with memory(tmp_path / "a.duckdb") as both:
        merge_memories(both, [tmp_path / "b.duckdb"], rename=True)
    for into, other in (("begin", "a"), ("a", "begin")):
        with memory(tmp_path / f"{into}.duckdb") as store:
            merge_memories(store, [tmp_path / f"{other}.duckdb"], rename=True)
            assert (len(store.events("ctx")), len(store.run_ids())) == (4, 2)


def lines_of(store: DuckDBMemoryStore) -> list[set[int]]:
    """Return the rates of each import."""
    rows = store.database.connection.execute(
        "SELECT list(rates_rps[1]) FROM execution_events GROUP BY run_id"
    ).fetchall()
    return [set(rates) for (rates,) in rows]


parts = st.sets(st.integers(1, 4), min_size=1)


@settings(max_examples=4, deadline=None)
@given(files=st.lists(st.lists(parts, min_size=1, max_size=2), min_size=2, max_size=3))
@example(files=[[{1, 2}], [{3, 4}], [{1, 2, 3, 4}]])  # each part was there for itself, and once more in the whole
@example(files=[[{1, 2, 3, 4}], [{1, 2}, {3, 4}]])
@example(files=[[{1}], [{1, 2}, {1, 3}, {1}]])
def test_no_import_is_within_another_one_in_whatever_order_parts_of_a_file_are_merged(
    tmp_path_factory: pytest.TempPathFactory, files: list[list[set[int]]]
) -> None:
    folder = tmp_path_factory.mktemp("parts")
    there: list[set[int]] = []
    with memory() as joined:
        for i, its in enumerate(files):
            for j, lines in enumerate(its):  # each memory is itself made of several
                with memory(folder / f"{i}-{j}.duckdb") as one:
                    add_import(one, *(event([("f", line)]) for line in lines), changed_at=1000.0 + i)
            with memory(folder / f"{i}-0.duckdb") as other:
                given = [its[0]]
                for j in range(1, len(its)):
                    with suppress(MemoryStoreError):
                        merge_memories(other, [folder / f"{i}-{j}.duckdb"], rename=True)
                        given.append(its[j])
            before = content(joined)
            with suppress(MemoryStoreError):
                for _ in ("once", "twice"):
                    merge_memories(joined, [folder / f"{i}-0.duckdb"], rename=True)
                there += given
            assert content(joined) == before or all(any(lines <= its for its in lines_of(joined)) for lines in given)
            found = lines_of(joined)
            assert all(lines in there for lines in found)
            assert all(any(lines <= its for its in found) for lines in there)
            assert not any(one <= other for one, other in permutations(found, 2))


def test_a_file_whose_parts_are_there_is_refused_and_the_parts_are_merged_into_it(tmp_path: Path) -> None:
    paths = {name: tmp_path / f"{name}.duckdb" for name in ("begin", "end", "whole")}
    for path, lines, changed_at in zip(
        paths.values(), ((1, 2), (3, 4), (1, 2, 3, 4)), (500.0, 3000.0, 2000.0), strict=True
    ):
        with memory(path) as one:
            add_import(one, *(event([("f", line)]) for line in lines), changed_at=changed_at)
    with memory(tmp_path / "parts.duckdb") as parts:
        merge_memories(parts, [paths["begin"], paths["end"]], rename=True)
        before = content(parts)
        said = (
            r"its import 'n-night' goes on from 2 imports of the memory, 'n-night', 'n-night-\w{8}', which would become"
        )
        with pytest.raises(MemoryStoreError, match=said):
            merge_memories(parts, [paths["whole"]], rename=True)
        assert content(parts) == before
    with memory(paths["whole"]) as whole:
        merged = merge_memories(whole, [tmp_path / "parts.duckdb"])
        assert (merged["execution_events"].inserted, merged["run_sessions"].inserted) == (0, 0)
        assert lines_of(whole) == [{1, 2, 3, 4}]
        times = whole.database.connection.execute("SELECT rates_rps[1], started_at FROM execution_events").fetchall()
        assert sorted(times) == [(1, 500.0), (2, 500.0), (3, 2000.0), (4, 2000.0)]
        assert whole.database.connection.execute("SELECT ended_at FROM run_sessions").fetchall()[0][0] > 1e9


def test_the_times_of_an_import_do_not_depend_on_the_order_of_merges(tmp_path: Path) -> None:
    found = []
    for order in ((1000.0, 5000.0, 3000.0), (5000.0, 3000.0, 1000.0)):
        with memory() as joined:
            for changed_at in order:
                path = tmp_path / f"{order[0]}-{changed_at}.duckdb"
                with memory(path) as one:
                    add_import(one, event(), changed_at=changed_at)
                merge_memories(joined, [path])
            (one_event,) = joined.events("ctx")
            found.append((one_event.started_at, one_event.ended_at))
    assert found == [(1000.0, 1001.0)] * 2


def test_a_file_that_was_renamed_is_known_again_when_it_was_touched_or_has_grown(tmp_path: Path) -> None:
    grown = [event(iteration=iteration) for iteration in range(3)]
    with memory(tmp_path / "a.duckdb") as a:
        add_import(a, event([("f", 77)]), changed_at=1000.0)
        for name, its, changed_at in (("b", grown[:2], 5000.0), ("c", grown[:2], 6000.0), ("d", grown, 7000.0)):
            with memory(tmp_path / f"{name}.duckdb") as other:
                add_import(other, *its, changed_at=changed_at)
            merge_memories(a, [tmp_path / f"{name}.duckdb"], rename=True)
            assert len(a.events("ctx")) == 1 + len(its)
        n_campaigns = a.database.connection.execute("SELECT count(*) FROM run_sessions").fetchall()
        assert n_campaigns == [(2,)]
    with memory(tmp_path / "d.duckdb") as other:  # and the way back: under its longer name, with fewer other times
        merge_memories(other, [tmp_path / "a.duckdb"], rename=True)
        assert len(other.events("ctx")) == 4


def test_a_file_with_a_date_after_the_name_of_another_one_is_no_renamed_one(tmp_path: Path) -> None:
    with memory(tmp_path / "a.duckdb") as a, memory(tmp_path / "b.duckdb") as b:
        add_import(a, event(), changed_at=1000.0)
        dated = [event(iteration=iteration, run_id="n-night-20240102") for iteration in range(2)]
        add_campaign(b, session("n-night-20240102"), *dated, started_at=1000.0)
        b.name_agent("n-night-20240102", IMPORTED)
        b.close()
        merge_memories(a, [tmp_path / "b.duckdb"])
        assert len(a.events("ctx")) == 3


def longer_name_of(store: DuckDBMemoryStore) -> str:
    (campaign,) = campaign_names.campaigns(store.database.connection, "run_sessions")
    return campaign.longer_name


@pytest.mark.parametrize("where", ["memory", "input"])
def test_a_longer_name_that_another_campaign_has_is_refused(
    tmp_path: Path, alpha: Path, beta: Path, where: str
) -> None:
    with memory(alpha) as a, memory(beta) as b:
        name = longer_name_of(b)
        add_campaign(a if where == "memory" else b, session(name), event(run_id=name), started_at=333.0)
        before = content(a)
        b.close()
        with pytest.raises(MemoryStoreError, match=f"two different campaigns would have the name '{name}'"):
            merge_memories(a, [beta], rename=True)
        assert content(a) == before


def test_runs_of_one_campaign_that_differ_in_their_times_are_different(tmp_path: Path, alpha: Path) -> None:
    other = tmp_path / "other.duckdb"
    other.write_bytes(alpha.read_bytes())
    with memory(other) as store:
        store.database.connection.execute("UPDATE execution_events SET started_at = started_at + 1")
    with memory(alpha) as store, pytest.raises(MemoryStoreError, match="different measurements"):
        merge_memories(store, [other], rename=True)


def test_the_two_files_of_one_recording_that_were_imported_apart_are_one_campaign(tmp_path: Path) -> None:
    with memory(tmp_path / "a.duckdb") as a, memory(tmp_path / "b.duckdb") as b:
        add_import(a, event(), changed_at=1000.0)
        add_import(b, event([("f", 77)], kind=EventKind.SKIPPED, verdict=Verdict.OVERLOADED), changed_at=5000.0)
        b.close()
        merge_memories(a, [tmp_path / "b.duckdb"])
        assert len(a.events("ctx")) == 2


# Raw summaries


def measured_by_k6(mean_ms: float) -> ExecutionEvent:
    """Return an event with the summary that k6 would write of it."""
    made: ExecutionEvent = event()
    (function,) = made.functions
    trend = {"count": function.succeeded, "avg": mean_ms}
    metrics = {
        "iterations{scenario:f0}": {"values": {"count": function.sent}},
        "dropped_iterations{scenario:f0}": {"values": {"count": 0}},
        "http_req_duration{scenario:f0,expected_response:true}": {"values": trend},
    }
    fitting: ExecutionEvent = event(
        functions=(replace(function, mean_ms=mean_ms),),
        raw_summary={"functions": {"f0": "a"}, "metrics": metrics},
    )
    return fitting


def test_a_raw_summary_of_another_run_is_refused_and_found(tmp_path: Path) -> None:
    folders = []
    for number, mean_ms in enumerate((20.125, 31.0)):
        with memory() as store:
            add_campaign(store, session(), measured_by_k6(mean_ms))
            assert [found for found in verify(store.database.connection) if found.table == "k6_raw_summaries"] == []
            folders.append(exported(store, tmp_path / str(number)))
    with memory() as store:
        mixed = ParquetCheckpoint(store, core_dir=folders[0] / "core", debug_dir=folders[1] / "debug")
        with pytest.raises(MemoryStoreError, match="is not of the export that wrote"):
            mixed.preload_all()
        assert content(store)["execution_events"] == []
        mixed.preload_core()
        with pytest.raises(MemoryStoreError, match=r"another run than its event, .*31.0 instead of .*20.125"):
            mixed.preload_debug()
        store.database.connection.execute(
            f"INSERT INTO k6_raw_summaries FROM '{folders[1]}/debug/k6_raw_summaries.parquet'"
        )
        (found,) = (found for found in verify(store.database.connection) if found.table == "k6_raw_summaries")
        assert (found.column, "31.0" in found.stored, "20.125" in found.recomputed) == ("summary_json", True, True)


@pytest.mark.parametrize("summary", [{}, [], {"metrics": {}}, {"functions": {}}, {"functions": {"f0": "a"}}])
def test_a_summary_of_k6_that_says_too_little_to_be_compared_fits_no_event(tmp_path: Path, summary: Any) -> None:
    measured, by_k6 = replace(measured_by_k6(1.0), raw_summary=summary), session(k6_version="k6 v1.1.0")
    with memory() as store:
        add_campaign(store, by_k6, measured)
        folder = exported(store, tmp_path)
        (found,) = (one.stored for one in verify(store.database.connection) if one.table == "k6_raw_summaries")
        assert found == "no functions" or "functions" in summary
    with memory() as store, pytest.raises(MemoryStoreError, match=r"another run than its event, .* of a: sent"):
        preload(store, folder)


def test_a_summary_of_another_source_than_k6_is_not_compared(tmp_path: Path) -> None:
    with memory() as store:
        add_campaign(store, session(), event(raw_summary={}))
        folder = exported(store, tmp_path)
        assert [one for one in verify(store.database.connection) if one.table == "k6_raw_summaries"] == []
    with memory() as store:
        preload(store, folder)


def test_raw_summaries_without_their_events_are_refused(tmp_path: Path) -> None:
    with memory() as store:
        add_campaign(store, session(), measured_by_k6(1.0))
        folder = exported(store, tmp_path)
    with memory() as store, pytest.raises(MemoryStoreError, match="has no event in the memory; merge the core tables"):
        ParquetCheckpoint(store, debug_dir=folder / "debug").preload_debug()


def test_a_raw_summary_that_is_no_json_is_found() -> None:
    with memory() as store:
        add_campaign(store, session(), measured_by_k6(1.0))
        store.database.connection.execute("UPDATE k6_raw_summaries SET summary_json = '{'")
        assert "no JSON" in [found.stored for found in verify(store.database.connection)]


# Recordings


def test_folders_with_two_campaigns_of_one_name_are_no_recording(tmp_path: Path, alpha: Path, beta: Path) -> None:
    folders = []
    for path in (alpha, beta):
        with memory(path) as store:
            folders.append(exported(store, tmp_path / path.stem) / "core")
    with pytest.raises(MemoryStoreError, match=r"run_id 'nightly' .context ctx A and ctx B.*--rename"):
        load_recording(folders)
