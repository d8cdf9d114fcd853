"""The Parquet folder of a memory that nobody measured: any number of events of two functions, made by DuckDB itself."""

from contextlib import closing
from pathlib import Path

from peva_env.memory import TABLES, DuckDBMemoryStore
from peva_env.memory.parquet import ParquetCheckpoint

_EVENTS = {
    "iteration": "0",
    "repetition": "1",
    "run_id": "'run' || (i // 100000)",
    "kind": "'measured'",
    "verdict": "if(a_rps + b_rps > 900, 'OVERLOADED', 'OK')",
    "reasons": "if(a_rps + b_rps > 900, ['mean success 0.81 < 0.95'], [])",
    "margin": "(900 - a_rps - b_rps) / 900.0",
    "function_names": "['checkout', 'fetch']",
    "rates_rps": "[a_rps, b_rps]",
    "failed": "[map([]::VARCHAR[], []::BIGINT[]), map(['status_503'], [i % 90])]",
    "success_rate": "[1.0, 1 - random() / 10]",
    "overloaded_functions": "if(a_rps + b_rps > 900, ['fetch'], [])",
    "started_at": "1.7e9 + 5 * i",
    "ended_at": "1.7e9 + 5 * i + 4",
    "context_hash": "'context'",
}
_BY_TYPE = {
    "DOUBLE": "100 * random()",
    "BIGINT": "(1e9 * random())",
    "DOUBLE[]": "[50 + 10 * random(), 80 * random()]",
    "BIGINT[]": "[30 * a_rps, 30 * b_rps]",
    "INTEGER[]": "[1, 1 + i % 4]",
}
"""What stands in a column that is not named above."""


def write_folder(folder: Path, n_events: int) -> None:
    """Write the core tables of a memory with ``n_events`` events, each of another configuration."""
    with closing(DuckDBMemoryStore(":memory:")) as store:
        store.startup()
        connection = store.database.connection
        connection.execute(
            "CREATE TEMP VIEW configs AS SELECT i, (i // 1000)::INT AS a_rps, (i % 1000)::INT AS b_rps, "
            "sha256('checkout:' || a_rps || '|fetch:' || b_rps)[:12] AS config_id "
            f"FROM range({n_events}) t(i)"
        )
        connection.execute(
            "INSERT INTO config_catalog SELECT config_id, ['checkout', 'fetch'], [a_rps, b_rps], 2, a_rps + b_rps "
            "FROM configs"
        )
        values = ", ".join(_value(name, kind) for name, kind in TABLES["execution_events"].columns.items())
        connection.execute(f"INSERT INTO execution_events SELECT {values} FROM configs")
        connection.execute("DROP VIEW configs")
        ParquetCheckpoint(store, core_dir=folder).export_core()


def _value(name: str, kind: str) -> str:
    return "config_id" if name == "config_id" else f"({_EVENTS.get(name) or _BY_TYPE[kind]})::{kind}"
