"""The files of DFaaS of 2023-06: without power, latencies and percentages of RAM."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from peva_env.config import OverloadConfig
from peva_env.contracts import NodeMeasurement, Verdict
from peva_env.errors import ConfigError
from peva_env.memory import DuckDBMemoryStore, verify
from peva_env.memory.dfaas import import_dfaas
from peva_env.memory.importing import ImportReport
from tests.support.dfaas_files import write

WITHOUT_RAM = OverloadConfig(ram_overload_pct=None)
GIB = 2**30


@pytest.fixture
def store() -> Iterator[DuckDBMemoryStore]:
    with closing(DuckDBMemoryStore(":memory:")) as store:
        store.startup()
        yield store


def bring(store: DuckDBMemoryStore, *paths: Path, **changes: Any) -> ImportReport:
    options: dict[str, Any] = {"node": "old", "cores": 5, "duration_s": 30.0}
    return import_dfaas(store, paths, **(options | changes))


def old_row(rates: dict[str, int], **changes: str) -> dict[str, str]:
    """Return a row of that time; a function that is not loaded stands at rate 0."""
    cells: dict[str, str] = {}
    for name, rate in rates.items():
        cells |= {
            f"function_{name}": name,
            f"rate_function_{name}": str(rate),
            f"success_rate_function_{name}": "1.000",
            f"cpu_usage_function_{name}": "0.117",
            f"ram_usage_function_{name}": "8983552.000",
            f"replica_{name}": "1",
            f"overloaded_function_{name}": "0",
        }
    node = {
        "cpu_usage_idle_node": "100.000",
        "cpu_usage_node": "150.000",
        "ram_usage_idle_node": str(3 * GIB),
        "ram_usage_node": str(4 * GIB),
        "rest_seconds": "10",
        "overloaded_node": "0",
    }
    return cells | node | changes


def campaign(n_rows: int) -> Iterator[dict[str, str]]:
    """Yield rows of a made-up node, labelled by the rules of that time: success, 15 replicas, 400 % of CPU."""
    rng = np.random.default_rng(6)
    for _ in range(n_rows):
        rates = rng.integers(0, 6, 3) * 10
        strain = rates @ [1.0, 2.0, 0.5] * rng.lognormal(0, 0.2)
        success = np.where(rates == 0, 1.0, np.clip(1 - rng.exponential(max(strain - 90, 0) / 300, 3), 0, 1))
        replicas = np.where(rates > 0, rng.choice([1, 1, 1, 5, 9, 13, 17], 3), 1)
        cpu = 60 + 1.2 * strain
        functions = (success < 0.9) | (replicas >= 15)
        overloaded = bool(functions.any() or success.mean() < 0.95 or cpu > 400)
        changes = {"cpu_usage_node": f"{cpu:.3f}", "overloaded_node": str(int(overloaded))}
        for name, share, replica in zip("abc", success, replicas, strict=True):
            changes |= {f"success_rate_function_{name}": f"{share:.3f}", f"replica_{name}": str(replica)}
        yield old_row(dict(zip("abc", map(int, rates), strict=True)), **changes)


@pytest.mark.parametrize("options", [{"ram_gib": 16}, {"rules": WITHOUT_RAM}])
def test_the_verdicts_are_those_of_the_time(store: DuckDBMemoryStore, tmp_path: Path, options: dict[str, Any]) -> None:
    report = bring(store, write(tmp_path / "results-8-0.csv", *campaign(2000)), **options)
    assert (report.n_runs, report.n_compared, report.refusals) == (2000, 2000, ())
    assert report.agreement >= 0.9995
    verdicts = store.database.connection.execute(
        "SELECT verdict, count(*) FROM execution_events GROUP BY ALL ORDER BY ALL"
    ).fetchall()
    assert [verdict for verdict, n in verdicts if n > 250] == ["OK", "OVERLOADED"]
    assert list(verify(store.database.connection)) == []


def test_the_percentage_of_ram_is_computed_from_the_bytes(store: DuckDBMemoryStore, tmp_path: Path) -> None:
    full = old_row({"a": 20, "b": 0}, ram_usage_node=str(31 * GIB // 2))
    bring(store, write(tmp_path / "results-8-0.csv", old_row({"a": 10, "b": 0}), full), ram_gib=16)
    (context,) = (
        store.database.connection.execute("SELECT DISTINCT context_hash FROM execution_events").fetchone() or ()
    )
    calm, loaded = sorted(store.events(context), key=lambda event: event.config_key)
    assert calm.config_key == (("a", "b"), (10, 0))
    assert calm.node == NodeMeasurement(30.0, 4 * GIB, 25.0, None, 20.0, 3 * GIB, 18.75, None)
    assert [function.mean_ms for function in calm.functions] == [None, None]
    assert (loaded.verdict, loaded.reasons[0]) == (Verdict.OVERLOADED, "node RAM 96.9 % > 90 %")


def test_without_ram_or_its_size_every_line_says_what_to_do(store: DuckDBMemoryStore, tmp_path: Path) -> None:
    report = bring(store, write(tmp_path / "results-8-0.csv", old_row({"a": 10})))
    reason = (
        "column ram_usage_node_percentage is missing; "
        "--ram-gib N computes it from ram_usage_node, --without ram needs none"
    )
    assert [(line, said) for _, line, said in report.refusals] == [(1, reason), (2, reason)]


def test_a_node_with_less_ram_than_was_used_is_refused(store: DuckDBMemoryStore, tmp_path: Path) -> None:
    report = bring(store, write(tmp_path / "results-8-0.csv", old_row({"a": 10})), ram_gib=2)
    assert [said for *_, said in report.refusals] == [f"ram_usage_node is {4 * GIB}, more than the node's 2 GiB"]


def test_a_percentage_that_was_recorded_is_kept(store: DuckDBMemoryStore, tmp_path: Path) -> None:
    row = old_row({"a": 10}, ram_usage_node_percentage="33")
    assert bring(store, write(tmp_path / "results-8-0.csv", row), ram_gib=16).n_runs == 1
    assert store.database.connection.execute("SELECT ram_pct FROM execution_events").fetchall() == [(33.0,)]


def test_a_file_with_latencies_needs_their_unit(store: DuckDBMemoryStore, tmp_path: Path) -> None:
    path = write(tmp_path / "results.csv", old_row({"a": 10}, medium_latency_function_a="5"))
    with pytest.raises(ConfigError, match="has latencies: give --latency-unit ns"):
        bring(store, path, ram_gib=16)


@pytest.mark.parametrize("ram_gib", [0, -1, float("nan"), float("inf"), 1e308])
def test_a_node_has_ram(store: DuckDBMemoryStore, tmp_path: Path, ram_gib: float) -> None:
    with pytest.raises(ConfigError, match=r"ram_gib = .*: must be above 0 and at most 1,000,000"):
        bring(store, write(tmp_path / "results.csv", old_row({"a": 10})), ram_gib=ram_gib)
