"""The campaigns of one context and repetition, as a memory holds them."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

import duckdb

from peva_env.contracts import ExecutionEvent, Verdict
from peva_env.errors import ConfigError, MemoryStoreError
from peva_env.maps.node_map import CampaignRecord
from peva_env.maps.recorded_space import Recorded, read_recorded
from peva_env.memory.rows import read_events
from peva_env.space import ConfigKey

_MANY = 5
_OWN = "context_hash = ? AND repetition = ?"


@dataclass(frozen=True, slots=True)
class RecordedCampaigns:
    """What ``connection``'s memory holds of a context and repetition; ``notes`` name what was not chosen."""

    connection: duckdb.DuckDBPyConnection
    memory: str
    context_hash: str
    repetition: int
    notes: tuple[str, ...]

    @classmethod
    def find(
        cls,
        connection: duckdb.DuckDBPyConnection,
        memory: str,
        context: str | None,
        repetition: int | None,
        functions: frozenset[str],
    ) -> "RecordedCampaigns":
        """Return the campaigns of a context that has these functions: the last one, where several have.

        Raises:
            ConfigError: there are none.
        """
        contexts = _functions_by_context(connection)
        if not contexts:
            raise ConfigError(f"memory {memory}: no event is in it yet; `peva-env run` measures some")
        fitting = [name for name in contexts if name.startswith(context or "")]
        if not fitting:
            raise ConfigError(f"memory {memory}: no context begins with {context!r}; there are: {', '.join(contexts)}")
        of_functions = [name for name in fitting if functions <= contexts[name]]
        if not of_functions:
            there = " or ".join(sorted({", ".join(sorted(contexts[name])) for name in fitting}))
            raise ConfigError(
                f"memory {memory}: nothing was measured of {' + '.join(sorted(functions))} in one context; "
                f"there are: {there}"
            )
        chosen, *others = of_functions
        notes = []
        if others:
            named = ", ".join(others[:_MANY]) + (", ..." if len(others) > _MANY else "")
            notes.append(f"this is the context that was measured last, {chosen}; others of the memory: {named}")
        return cls(connection, memory, chosen, _repetition(connection, memory, chosen, repetition), tuple(notes))

    def context(self) -> Mapping[str, Any]:
        """Return the context as plain data; empty where no session tells.

        Raises:
            MemoryStoreError: it is no JSON object.
        """
        query = "SELECT any_value(context_json) FROM run_sessions WHERE context_hash = ?"
        row = self.connection.execute(query, [self.context_hash]).fetchone()
        try:
            context = json.loads((row and row[0]) or "{}")
        except ValueError as error:
            raise MemoryStoreError(f"memory {self.memory}: context {self.context_hash} is no JSON") from error
        return context if isinstance(context, dict) else {}

    def campaigns(self) -> tuple[CampaignRecord, ...]:
        """Return the campaigns, in the order in which they began."""
        columns = ", ".join(field.name for field in fields(CampaignRecord))
        query = f"SELECT {columns} FROM run_sessions WHERE {_OWN} ORDER BY started_at, run_id"  # noqa: S608
        return tuple(CampaignRecord(*row) for row in self.connection.execute(query, self._parameters).fetchall())

    def runs(self) -> list[ExecutionEvent]:
        """Return all that was measured, in the order of measurement."""
        return read_events(self.connection, f"{_OWN} AND kind = 'measured'", self._parameters)

    def recorded(self) -> Recorded:
        """Return the rates and sets of functions that occur."""
        return read_recorded(self.connection, self.context_hash, self.repetition)

    def inferred(self) -> dict[ConfigKey, Verdict]:
        """Return what was known without a run, if a rule told it that infers what is OK; nothing otherwise."""
        own = f"FROM execution_events WHERE {_OWN} AND"
        infers_ok = self.connection.execute(f"SELECT 1 {own} kind = 'inferred' LIMIT 1", self._parameters).fetchone()
        if infers_ok is None:
            return {}
        query = f"SELECT function_names, rates_rps, verdict {own} kind <> 'measured'"
        rows = self.connection.execute(query, self._parameters).fetchall()
        return {(tuple(names), tuple(rates)): Verdict(verdict) for names, rates, verdict in rows}

    @property
    def _parameters(self) -> list[Any]:
        return [self.context_hash, self.repetition]


def _functions_by_context(connection: duckdb.DuckDBPyConnection) -> dict[str, frozenset[str]]:
    """Return the functions of each context, the one that was measured last first."""
    rows = connection.execute(
        "SELECT context_hash, list(DISTINCT name) FROM "
        "(SELECT context_hash, started_at, unnest(function_names) AS name FROM execution_events) "
        "GROUP BY 1 ORDER BY max(started_at) DESC, 1"
    ).fetchall()
    return {context_hash: frozenset(names) for context_hash, names in rows}


def _repetition(connection: duckdb.DuckDBPyConnection, memory: str, context_hash: str, repetition: int | None) -> int:
    query = "SELECT DISTINCT repetition FROM execution_events WHERE context_hash = ? ORDER BY 1"
    there = [int(number) for (number,) in connection.execute(query, [context_hash]).fetchall()]
    if repetition is None:
        return there[-1]
    if repetition not in there:
        raise ConfigError(
            f"memory {memory}: context {context_hash} has no repetition {repetition}; there are: "
            f"{', '.join(map(str, there))}"
        )
    return repetition
