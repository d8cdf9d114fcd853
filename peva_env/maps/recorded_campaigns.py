"""The campaigns of one context and repetition, as a memory holds them."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, NamedTuple

import duckdb

from peva_env.contracts import EndStatus, ExecutionEvent, Verdict
from peva_env.errors import ConfigError, MemoryStoreError
from peva_env.maps.node_map import CampaignRecord
from peva_env.maps.recorded_space import RecordedRates, read_recorded
from peva_env.memory import ENDED_AT, LAST_S, RECHECK_AGENT, REFINED, fleet_node, node_name, parsed_context, read_events
from peva_env.space import ConfigKey

_MANY = 5

_ENOUGH = 5000
"""Largest number of inferred verdicts from which the dominance of a campaign is recognised."""

_CONTEXT = "context_hash = ? AND repetition = ?"


@dataclass(frozen=True, slots=True)
class RecordedCampaigns:
    """The campaigns of one context and repetition in a memory; ``notes`` name the others that were not chosen."""

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
        *,
        rechecks: bool = True,
    ) -> "RecordedCampaigns":
        """Return the campaigns of a context and repetition that have these functions; of several, the last.

        ``context`` is the name of a node, or a context hash or a prefix of one; a name goes before a prefix.

        A re-check that was cut off, and without ``rechecks`` any, is chosen only if it is asked for, or there is no
        other repetition: it knows little of the map.

        Raises:
            ConfigError: there are none.
        """
        if context == "":
            raise ConfigError("context '': must be the name of a node, or a context hash or the first digits of one")
        there = _all(connection)
        if not there:
            raise ConfigError(f"memory {memory}: it has no measured events yet; `peva-env run` measures some")
        of_node = [one for one in there if one.node == context]
        of_context = of_node or [one for one in there if one.context_hash.startswith(context or "")]
        if not of_context:
            raise ConfigError(
                f"memory {memory}: no node is called {context!r} and no context hash begins with it; it has: "
                f"{_contexts(there)}"
            )
        of_repetition = [one for one in of_context if repetition in (None, one.repetition)]
        if not of_repetition:
            numbers = ", ".join(str(number) for number in sorted({one.repetition for one in of_context}))
            raise ConfigError(f"memory {memory}: it has no repetition {repetition}; it has: {numbers}")
        fitting = [one for one in of_repetition if functions <= one.functions]
        if not fitting:
            sets = " or ".join(sorted({", ".join(sorted(one.functions)) for one in of_repetition}))
            raise ConfigError(
                f"memory {memory}: no context has measured {' + '.join(sorted(functions))}; it has: {sets}"
            )
        fitting = [one for one in fitting if not (one.is_cut_off if rechecks else one.is_recheck)] or fitting
        chosen = fitting[0]
        notes = _not_chosen(chosen, fitting, of_repetition) if context is None or of_node else ()
        return cls(connection, memory, chosen.context_hash, chosen.repetition, tuple(notes))

    @staticmethod
    def nodes(connection: duckdb.DuckDBPyConnection, functions: frozenset[str]) -> list[str]:
        """Return the names of the nodes that have these functions, in alphabetical order."""
        return sorted({one.node for one in _all(connection) if functions <= one.functions})

    def context(self) -> Mapping[str, Any]:
        """Return the context as plain data, with the rules of the last campaign; empty if no session holds it.

        Raises:
            MemoryStoreError: it is no JSON object.
        """
        query = (
            "SELECT context_json FROM run_sessions s WHERE context_hash = ? "  # noqa: S608
            f"ORDER BY repetition = ? DESC, {LAST_S} DESC, run_id DESC LIMIT 1"
        )
        row = self.connection.execute(query, self._parameters).fetchone()
        try:
            context = json.loads((row and row[0]) or "{}")
        except (ValueError, RecursionError) as error:
            raise MemoryStoreError(f"memory {self.memory}: context {self.context_hash} is no JSON") from error
        return {key: value for key, value in context.items() if key != REFINED} if isinstance(context, dict) else {}

    def campaigns(self) -> tuple[CampaignRecord, ...]:
        """Return the campaigns in the order of their starts."""
        columns = ", ".join(ENDED_AT if field.name == "ended_at" else field.name for field in fields(CampaignRecord))
        query = f"SELECT {columns} FROM run_sessions s WHERE {_CONTEXT} ORDER BY started_at, run_id"  # noqa: S608
        return tuple(CampaignRecord(*row) for row in self.connection.execute(query, self._parameters).fetchall())

    def runs(self) -> list[ExecutionEvent]:
        """Return all measured runs, in the order of measurement."""
        return read_events(self.connection, f"{_CONTEXT} AND kind = 'measured'", self._parameters)

    def canaries(self) -> list[ExecutionEvent]:
        """Return all canaries, in the order of measurement."""
        return read_events(self.connection, f"{_CONTEXT} AND kind = 'canary'", self._parameters)

    def recorded(self, functions: frozenset[str] | None) -> RecordedRates:
        """Return the recorded rates and sets of functions: of all functions, or of some without others.

        Raises:
            ConfigError: these functions were not recorded without others.
        """
        recorded = read_recorded(self.connection, self.context_hash, self.repetition)
        if functions is None:
            return recorded
        kept = recorded.of(functions)
        if not kept.set_sizes:
            sets = _some(sorted(" + ".join(names) for names in recorded.set_sizes))
            raise ConfigError(
                f"memory {self.memory}: {' + '.join(sorted(functions))} was not measured without other "
                f"functions; it has: {sets}"
            )
        return kept

    def inferred(self) -> dict[ConfigKey, Verdict]:
        """Return the inferred verdicts; of very many a sample, since config ids are hashes."""
        query = (
            f"SELECT function_names, rates_rps, verdict FROM execution_events WHERE {_CONTEXT} "  # noqa: S608
            f"AND kind IN ('skipped', 'inferred') ORDER BY config_id LIMIT {_ENOUGH}"
        )
        rows = self.connection.execute(query, self._parameters).fetchall()
        return {(tuple(names), tuple(rates)): Verdict(verdict) for names, rates, verdict in rows}

    @property
    def _parameters(self) -> list[Any]:
        return [self.context_hash, self.repetition]


class _Measured(NamedTuple):
    """A context and repetition, its node, the functions that were measured, and whether all that was by a re-check.

    ``is_cut_off`` is a re-check that has not ended by itself.
    """

    node: str
    context_hash: str
    repetition: int
    functions: frozenset[str]
    is_recheck: bool
    is_cut_off: bool


def _all(connection: duckdb.DuckDBPyConnection) -> list[_Measured]:
    """Return all contexts and repetitions: the context that was measured last first, and its last repetition."""
    rows = connection.execute(
        "SELECT context_hash, repetition, list(DISTINCT name), "
        "bool_and(run_id IN (SELECT run_id FROM run_sessions WHERE agent = ?)), "
        "bool_and(run_id IN (SELECT run_id FROM run_sessions WHERE agent = ? AND status NOT IN (?, ?))) FROM "
        "(SELECT context_hash, repetition, run_id, started_at, unnest(function_names) AS name FROM execution_events "
        "WHERE kind <> 'scouted') "
        "GROUP BY 1, 2 ORDER BY max(max(started_at)) OVER (PARTITION BY context_hash) DESC, 1, 2 DESC",
        [RECHECK_AGENT, RECHECK_AGENT, EndStatus.COMPLETE, EndStatus.STOPPED],
    ).fetchall()
    nodes = _nodes(connection)
    return [
        _Measured(nodes.get(of_context, of_context), of_context, repetition, frozenset(names), *which)
        for of_context, repetition, names, *which in rows
    ]


def _nodes(connection: duckdb.DuckDBPyConnection) -> dict[str, str]:
    """Return the name of the node of each context: that in its fleet, or else that in the context itself."""
    query = "SELECT context_hash, run_id, context_json FROM run_sessions ORDER BY started_at, run_id"
    return {
        of_context: fleet_node(run_id) or node_name(parsed_context(text)) or of_context
        for of_context, run_id, text in connection.execute(query).fetchall()
    }


def _contexts(there: Iterable[_Measured]) -> str:
    return _some(list(dict.fromkeys(map(_context, there))))


def _context(one: _Measured) -> str:
    return one.context_hash if one.node == one.context_hash else f"{one.context_hash} ({one.node})"


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:_MANY]) + (", ..." if len(names) > _MANY else "")


def _not_chosen(chosen: _Measured, fitting: Sequence[_Measured], there: Sequence[_Measured]) -> Iterator[str]:
    """Yield notes that name the other contexts and repetitions, when the user has not chosen one."""
    others = [one for one in fitting if one.context_hash != chosen.context_hash]
    if others:
        yield f"this is context {_context(chosen)} alone; the memory has others: {_contexts(others)}"
    last = max((one for one in there if one.context_hash == chosen.context_hash), key=lambda one: one.repetition)
    if chosen.repetition != last.repetition:
        cut_off = "; the last is a re-check that was cut off" if last.is_cut_off else ""
        yield f"this is repetition {chosen.repetition} of {last.repetition}{cut_off}"
