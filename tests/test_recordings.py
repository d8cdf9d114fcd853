"""The rules and the importer on 47,000 real measurements of an OpenFaaS node, where they are at hand."""

import os
import time
from collections import Counter
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from peva_env.memory.dfaas_csv import ImportReport, import_dfaas
from peva_env.memory.dfaas_rows import PIECE
from peva_env.memory.store import DuckDBMemoryStore
from peva_env.memory.verify import verify

CORES = {"LIGHT": 2, "MID": 4}


@pytest.fixture
def files() -> dict[str, list[Path]]:
    """The recordings of each node, which are not this project's to publish."""
    beside = Path(__file__).parents[2] / "shared" / "data"
    folder = Path(os.environ.get("PEVA_SHARED_DATA") or beside) / "dfaas-2023-24"
    if not folder.is_dir():
        pytest.skip("the DFaaS recordings are not here; set PEVA_SHARED_DATA to the folder that holds dfaas-2023-24")
    return {node: sorted((folder / node).glob("*.csv")) for node in CORES}


def bring(store: DuckDBMemoryStore, node: str, paths: list[Path], cores: int) -> ImportReport:
    return import_dfaas(store, paths, node=node, cores=cores, latency_unit="ns", duration_s=30.0)


def contents(store: DuckDBMemoryStore) -> list[Any]:
    tables = ("run_sessions", "config_catalog", "execution_events")
    query = "SELECT count(*), bit_xor(hash(one)) FROM {} one"
    return [store.database.connection.execute(query.format(table)).fetchall() for table in tables]


def test_they_import_whole_agree_and_import_once(files: dict[str, list[Path]], tmp_path: Path) -> None:
    n_lines = sum(len(path.read_bytes().splitlines()) - 1 for paths in files.values() for path in paths)
    with closing(DuckDBMemoryStore(tmp_path / "m.duckdb")) as store:
        store.startup()
        began = time.perf_counter()
        reports = [bring(store, node, files[node], cores) for node, cores in CORES.items()]
        took_s = time.perf_counter() - began
        reasons = Counter(refusal.reason for report in reports for refusal in report.refusals)
        n_runs, n_skipped = sum(report.n_runs for report in reports), sum(report.n_skipped for report in reports)
        n_disagreeing = sum(report.n_disagreeing for report in reports)
        print(f"{n_runs} runs, {n_skipped} skipped, {reasons} in {took_s:.1f} s; {n_disagreeing} differ")  # noqa: T201
        assert n_runs + n_skipped + reasons.total() == n_lines
        assert set(reasons) <= {PIECE, "1 cells instead of 37"}
        assert 1 - n_disagreeing / sum(report.n_compared for report in reports) >= 0.9999

        before = contents(store)
        for node, cores in CORES.items():
            bring(store, node, files[node], cores)
        assert contents(store) == before
        assert list(verify(store.database.connection)) == []


@pytest.mark.parametrize(("node", "flagged"), [("LIGHT", 0.97), ("MID", 0.999)])
def test_cpu_summed_over_cores_would_call_nearly_every_run_overloaded(
    files: dict[str, list[Path]], node: str, flagged: float
) -> None:
    # The older rule compared the sum with 80: as if every node had one core.
    results = [path for path in files[node] if path.name.startswith("results")]
    shares = {}
    for cores in (1, CORES[node]):
        with closing(DuckDBMemoryStore(":memory:")) as store:
            store.startup()
            bring(store, node, results, cores)
            ((shares[cores],),) = store.database.connection.execute(
                "SELECT avg((verdict = 'OVERLOADED')::INTEGER) FROM execution_events"
            ).fetchall()
    assert shares[1] > flagged
    assert shares[CORES[node]] < 0.3
