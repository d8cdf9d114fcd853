"""The rules and the importer on 47,000 real measurements of an OpenFaaS node, where they are at hand."""

import os
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from peva_env.config import OverloadConfig
from peva_env.memory.dfaas import import_dfaas
from peva_env.memory.dfaas.rows import PIECE
from peva_env.memory.importing import ImportReport
from peva_env.memory.parquet import ParquetCheckpoint
from peva_env.memory.store import DuckDBMemoryStore
from peva_env.memory.verify import verify
from peva_env.sources.replay import ReplayWorld

pytestmark = pytest.mark.timeout(900)

CORES = {"LIGHT": 2, "MID": 4}


@pytest.fixture(scope="module")
def files() -> dict[str, list[Path]]:
    """The recordings of each node, which are not this project's to publish."""
    beside = Path(__file__).parents[4] / "shared" / "data"
    folder = Path(os.environ.get("PEVA_SHARED_DATA") or beside) / "dfaas-2023-24"
    if not folder.is_dir():
        pytest.skip("the DFaaS recordings are not here; set PEVA_SHARED_DATA to the folder that holds dfaas-2023-24")
    return {node: sorted((folder / node).glob("*.csv")) for node in CORES}


MAJORITIES = """
    SELECT function_names, rates_rps, count(*) FILTER (verdict = 'OVERLOADED') * 2 > count(*) FROM execution_events
    WHERE kind = 'measured' AND verdict <> 'INVALID' AND context_hash = ? GROUP BY ALL
"""


@dataclass(frozen=True)
class Imported:
    """A memory of all recordings, what the import said of each node, and how long all of it took."""

    store: DuckDBMemoryStore
    reports: list[ImportReport]
    took_s: float


@pytest.fixture(scope="module")
def imported(files: dict[str, list[Path]], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Imported]:
    with closing(DuckDBMemoryStore(tmp_path_factory.mktemp("imported") / "m.duckdb")) as store:
        store.startup()
        began = time.perf_counter()
        reports = [bring(store, node, files[node], cores) for node, cores in CORES.items()]
        yield Imported(store, reports, time.perf_counter() - began)


@pytest.fixture(scope="module")
def exported(imported: Imported, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("exported")
    ParquetCheckpoint(imported.store, core_dir=folder).export_core()
    return folder


def bring(
    store: DuckDBMemoryStore, node: str, paths: list[Path], cores: int, rules: OverloadConfig | None = None
) -> ImportReport:
    return import_dfaas(store, paths, node=node, cores=cores, latency_unit="ns", duration_s=30.0, rules=rules)


def contents(store: DuckDBMemoryStore) -> list[Any]:
    tables = ("run_sessions", "config_catalog", "execution_events")
    query = "SELECT count(*), bit_xor(hash(one)) FROM {} one"
    return [store.database.connection.execute(query.format(table)).fetchall() for table in tables]


def test_they_import_whole_agree_and_import_once(files: dict[str, list[Path]], imported: Imported) -> None:
    n_lines = sum(len(path.read_bytes().splitlines()) - 1 for paths in files.values() for path in paths)
    store, reports = imported.store, imported.reports
    reasons = Counter(refusal.reason for report in reports for refusal in report.refusals)
    n_runs, n_skipped = sum(report.n_runs for report in reports), sum(report.n_skipped for report in reports)
    n_disagreeing = sum(report.n_disagreeing for report in reports)
    print(f"{n_runs} runs, {n_skipped} skipped, {reasons} in {imported.took_s:.1f} s; {n_disagreeing} differ")  # noqa: T201
    assert n_runs + n_skipped + reasons.total() == n_lines
    assert set(reasons) <= {PIECE, "holds NUL characters, which no text has: the file is damaged"}
    assert 1 - n_disagreeing / sum(report.n_compared for report in reports) >= 0.9999

    before = contents(store)
    again = bring(store, "MID", files["MID"][:3], CORES["MID"])
    assert again.n_runs > 1000
    assert contents(store) == before
    assert list(verify(store.database.connection)) == []


def test_replayed_they_say_of_each_configuration_what_most_of_its_runs_said(imported: Imported, exported: Path) -> None:
    world = ReplayWorld(exported)
    assert Counter(name.partition(":")[0] for name in world.scenarios) == {"LIGHT": 8, "MID": 4}
    assert {space.rates_rps for space in map(world.space, range(12))} == {(tuple(range(0, 201, 10)),) * 3}
    n_runs = 0
    for scenario, name in enumerate(world.scenarios):
        space, labels = world.space(scenario), world.majority_labels(scenario)
        majorities = imported.store.database.connection.execute(
            MAJORITIES, [world._maps[scenario].context_hash]
        ).fetchall()
        expected = np.zeros(21**3, np.int8)
        for names, rates, overloaded in majorities:
            expected[space.index(zip(names, rates, strict=True))] = 1 if overloaded else -1
        assert np.array_equal(labels, expected)
        assert np.array_equal(world.recorded(np.array([scenario]))[0], expected != 0)
        n_recorded = int(np.count_nonzero(labels))
        share = np.count_nonzero(labels == 1) / n_recorded
        print(f"{name}: {n_recorded} of 9261 recorded, {share:.1%} overloaded")  # noqa: T201
        n_runs += n_recorded
    assert n_runs == 15_834


def test_replayed_they_give_the_runs_of_the_recording_in_full(imported: Imported, exported: Path) -> None:
    world = ReplayWorld(exported, scenarios=["MID:curl+eat-memory+nmap"])
    stored = {event.event_key: event for event in imported.store.events(world._maps[0].context_hash)}
    source, rng = world.source(9, 0), np.random.default_rng(0)
    for index in np.flatnonzero(world.recorded(np.array([0]))[0]):
        event = source.measure(world.space(0).config(int(index)), iteration=0, rng=rng)
        same = [replace(event, iteration=iteration) for iteration in range(3)]
        assert any(stored[one.event_key] == one for one in same if one.event_key in stored)


@pytest.mark.parametrize(("node", "flagged", "every"), [("LIGHT", 0.95, 3), ("MID", 0.999, 12)])
def test_cpu_summed_over_cores_would_call_nearly_every_run_overloaded(
    files: dict[str, list[Path]], node: str, flagged: float, every: int
) -> None:
    # The older rule compared the sum with 80: as if every node had one core. Some of the files are enough to see it.
    results = [path for path in files[node] if path.name.startswith("results")][::every]
    shares = {}
    for divisor in (1, CORES[node]):
        rules = OverloadConfig(cpu_overload_pct_of_capacity=80 * divisor / CORES[node])
        with closing(DuckDBMemoryStore(":memory:")) as store:
            store.startup()
            bring(store, node, results, CORES[node], rules)
            ((shares[divisor],),) = store.database.connection.execute(
                "SELECT avg((verdict = 'OVERLOADED')::INTEGER) FROM execution_events"
            ).fetchall()
    assert shares[1] > flagged
    assert shares[CORES[node]] < 0.3


@pytest.mark.parametrize(("node", "refused", "every"), [("LIGHT", 0.7, 3), ("MID", 0.999, 12)])
def test_too_few_cores_are_told_by_most_lines(
    files: dict[str, list[Path]], node: str, refused: float, every: int
) -> None:
    results = [path for path in files[node] if path.name.startswith("results")][::every]
    with closing(DuckDBMemoryStore(":memory:")) as store:
        store.startup()
        report = bring(store, node, results, cores=1)
    n_told = sum(refusal.reason.endswith("is --cores right?") for refusal in report.refusals)
    assert n_told > refused * (report.n_runs + len(report.refusals))
