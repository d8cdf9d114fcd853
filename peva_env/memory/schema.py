"""The six tables of the memory, column by column. Any difference from this is another schema."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class TableSchema:
    """A table: its columns in order with their DuckDB types, and its primary key."""

    columns: dict[str, str]
    key: tuple[str, ...]

    def ddl(self, name: str) -> str:
        """Return the statement that creates the table."""
        columns = ", ".join(f"{column} {kind}" for column, kind in self.columns.items())
        return f"CREATE TABLE {name} ({columns}, PRIMARY KEY ({', '.join(self.key)}))"


ENDED_AT = "if(s.status IN ('running', 'crashed'), NULL, s.ended_at)"
"""SQL expression of when a session ``s`` ended; NULL while it runs, or if it was killed.

``ended_at`` is then that of its last end before it went on, if there was one.
"""

MAX_REPETITION = 2**31 - 1
"""The highest number of a repetition: what an INTEGER column of DuckDB holds."""

_EVENT_KEY = {"config_id": "VARCHAR", "iteration": "INTEGER", "repetition": "INTEGER", "run_id": "VARCHAR"}

TABLES: dict[str, TableSchema] = {
    "memory_schema_meta": TableSchema(
        {"schema_version": "VARCHAR", "created_at": "DOUBLE", "package_version": "VARCHAR"}, ("schema_version",)
    ),
    "run_sessions": TableSchema(
        {
            "run_id": "VARCHAR",
            "repetition": "INTEGER",
            "started_at": "DOUBLE",
            "ended_at": "DOUBLE",
            "status": "VARCHAR",
            "detail": "VARCHAR",
            "selection_mode": "VARCHAR",
            "agent": "VARCHAR",
            "seed": "BIGINT",
            "context_hash": "VARCHAR",
            "context_json": "VARCHAR",
            "k6_version": "VARCHAR",
            "package_version": "VARCHAR",
        },
        ("run_id",),
    ),
    "config_catalog": TableSchema(
        {
            "config_id": "VARCHAR",
            "function_names": "VARCHAR[]",
            "rates_rps": "INTEGER[]",
            "n_functions": "INTEGER",
            "total_rate_rps": "BIGINT",
        },
        ("config_id",),
    ),
    "execution_events": TableSchema(
        _EVENT_KEY
        | {
            "kind": "VARCHAR",
            "verdict": "VARCHAR",
            "reasons": "VARCHAR[]",
            "margin": "DOUBLE",
            "function_names": "VARCHAR[]",
            "rates_rps": "INTEGER[]",
            "offered": "BIGINT[]",
            "sent": "BIGINT[]",
            "dropped": "BIGINT[]",
            "succeeded": "BIGINT[]",
            "failed": "MAP(VARCHAR, BIGINT)[]",
            "success_rate": "DOUBLE[]",
            "mean_ms": "DOUBLE[]",
            "p50_ms": "DOUBLE[]",
            "p90_ms": "DOUBLE[]",
            "p95_ms": "DOUBLE[]",
            "p99_ms": "DOUBLE[]",
            "function_cpu_pct": "DOUBLE[]",
            "function_ram_bytes": "BIGINT[]",
            "function_power_uw": "DOUBLE[]",
            "replicas": "INTEGER[]",
            "overloaded_functions": "VARCHAR[]",
            "cpu_pct": "DOUBLE",
            "ram_bytes": "BIGINT",
            "ram_pct": "DOUBLE",
            "power_uw": "DOUBLE",
            "idle_cpu_pct": "DOUBLE",
            "idle_ram_bytes": "BIGINT",
            "idle_ram_pct": "DOUBLE",
            "idle_power_uw": "DOUBLE",
            "started_at": "DOUBLE",
            "ended_at": "DOUBLE",
            "duration_s": "DOUBLE",
            "cooldown_s": "DOUBLE",
            "cost_s": "DOUBLE",
            "generator_cpu_pct": "DOUBLE",
            "context_hash": "VARCHAR",
        },
        tuple(_EVENT_KEY),
    ),
    "policy_updates": TableSchema(
        {
            "run_id": "VARCHAR",
            "update_index": "INTEGER",
            "updated_at": "DOUBLE",
            "policy": "VARCHAR",
            "mode": "VARCHAR",
            "n_events": "INTEGER",
            "score": "DOUBLE",
        },
        ("run_id", "update_index"),
    ),
    "k6_raw_summaries": TableSchema(_EVENT_KEY | {"summary_json": "VARCHAR"}, tuple(_EVENT_KEY)),
}

DEBUG_TABLES: tuple[str, ...] = ("k6_raw_summaries",)
CORE_TABLES: tuple[str, ...] = tuple(name for name in TABLES if name not in DEBUG_TABLES)

IMPORTED = "imported"
"""The agent of campaigns that were imported from files of other tools."""

RECHECK_AGENT = "recheck"
"""The agent of campaigns that re-check an earlier map."""
