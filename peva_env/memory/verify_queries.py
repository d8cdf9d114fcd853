"""The checks of a memory in SQL: each query returns table, key, column, stored and recomputed value of differences."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from itertools import chain, groupby, repeat

import duckdb

from peva_env.contracts import NOT_RUN, EndStatus, EventKind, Verdict
from peva_env.memory.event_rows import BESIDE_FAILED, MAY_BE_MISSING
from peva_env.memory.raw_summaries import misfits
from peva_env.memory.schema import IMPORTED, TABLES
from peva_env.memory.suspects import MARKS_WITHOUT_RUN

_EVENT_KEY = "concat_ws('/', e.config_id, e.iteration, e.repetition, e.run_id)"
_CONFIG_ID = (
    "left(sha256(array_to_string(list_transform(list_zip(function_names, rates_rps), "
    "lambda pair: concat(pair[1], ':', pair[2])), '|')), 12)"
)
_PER_FUNCTION = tuple(
    column
    for column, kind in TABLES["execution_events"].columns.items()
    if kind.endswith("[]") and column not in ("reasons", "overloaded_functions", "function_names")
)

_MAY_BE_MISSING: Mapping[str, tuple[str, ...]] = {
    "memory_schema_meta": (),
    "run_sessions": ("ended_at", "detail", "agent", "seed", "k6_version"),
    "execution_events": MAY_BE_MISSING,
    "policy_updates": ("score",),
}
"""The columns with values that are not in every row, or in a list not for every function."""

_ANY_NUMBER = ("score", "margin", "seed", "iteration")
"""Numbers of which a policy may report any, and numbers below 0."""

_NOT_NEGATIVE = tuple(
    column
    for column, kind in TABLES["execution_events"].columns.items()
    if kind.startswith("DOUBLE") and column not in _ANY_NUMBER
)

_ROW_KEYS = {
    "memory_schema_meta": "schema_version",
    "run_sessions": "run_id",
    "execution_events": _EVENT_KEY,
    "policy_updates": "concat_ws('/', run_id, update_index)",
}


@dataclass(frozen=True, slots=True)
class RowCheck:
    """A check of each row for itself: an SQL relation (the text after FROM), and what is true of its wrong rows.

    ``shown`` is what the query selects of a wrong row.
    """

    source: str
    is_wrong: str
    shown: str

    @property
    def query(self) -> str:
        """The query of the wrong rows."""
        return f"SELECT {self.shown} FROM {self.source} e WHERE {self.is_wrong} ORDER BY 2"  # noqa: S608


def failing(connection: duckdb.DuckDBPyConnection, checks: Iterable[RowCheck | str]) -> Iterator[str]:
    """Yield the queries of the checks that find a wrong row, and those that are queries already, in their order.

    Checks of one relation are asked by one query: DuckDB takes longer to plan a query than to check a hundred rows.
    """
    for source, of_source in groupby(checks, lambda check: check.source if isinstance(check, RowCheck) else None):
        some = list(of_source)
        yield from (check for check in some if isinstance(check, str))
        of_rows = [check for check in some if isinstance(check, RowCheck)]
        if of_rows:
            wrong = ", ".join(f"bool_or({check.is_wrong})" for check in of_rows)
            (found,) = connection.execute(f"SELECT {wrong} FROM {source} e").fetchall()  # noqa: S608
            yield from (check.query for check, is_wrong in zip(of_rows, found, strict=True) if is_wrong)


def _column(
    table: str, key: str, column: str, recomputed: str, *, where: str = "true", source: str | None = None
) -> RowCheck:
    return RowCheck(
        source or table,
        f"{column} IS DISTINCT FROM {recomputed} AND {where}",
        f"'{table}', {key}, '{column}', {column}, {recomputed}",
    )


def event_checks(source: str) -> Iterator[RowCheck]:
    """Yield the checks that every reader relies on, for the events of an SQL relation (the text after FROM).

    A configuration has its id and at least one function, each named once, in sorted order and with a rate of at least
    0; kind and verdict are known; and every list has a value for each function, or none for a skip or a run without
    measurements. Its values are what ``value_checks`` says.
    """
    yield from value_checks("execution_events", source)
    expected = {
        "config_id": _CONFIG_ID,
        "function_names": "if(len(function_names) > 0, list_sort(list_distinct(function_names)), ['a function'])",
        "rates_rps": "list_transform(rates_rps, lambda rate: greatest(coalesce(rate, 0), 0))",
    }
    for column, recomputed in expected.items():
        yield _column("execution_events", _EVENT_KEY, column, recomputed, source=source)
    yield from map(_length, _PER_FUNCTION, repeat(source))
    yield _known("kind", EventKind, source)
    yield _known("verdict", Verdict, source)


def value_checks(table: str, source: str) -> Iterator[RowCheck]:
    """Yield the checks of single values that every reader relies on, for an SQL relation with the columns of a table.

    What every row has is there, numbers are finite, and counts are at least 0. The status of a campaign is known.
    """
    for column, wrong, right in _wrong_values(table):
        shown = f"'{table}', {_ROW_KEYS[table]}, '{column}', coalesce({column}::VARCHAR, 'missing'), '{right}'"
        yield RowCheck(source, wrong, shown)
    if table == "run_sessions":
        yield _known("status", EndStatus, source, table)


def _not_negative(column: str) -> RowCheck:
    kind = TABLES["execution_events"].columns[column]
    least = f"list_min({column})" if kind.endswith("[]") else column
    shown = f"'execution_events', {_EVENT_KEY}, '{column}', {column}::VARCHAR, 'at least 0'"
    return RowCheck("execution_events", f"{least} < 0", shown)


def _wrong_values(table: str) -> Iterator[tuple[str, str, str]]:
    """Yield columns, the SQL condition of a value that no memory writes there, and what would be right."""
    for column, kind in TABLES[table].columns.items():
        # A function's failures are a map; its counts stand for it.
        values = f"flatten(list_transform({column}, lambda kinds: map_values(kinds)))" if "MAP" in kind else column
        least, greatest = (f"list_min({values})", f"list_max({values})") if "[]" in kind else (column, column)
        if column not in _MAY_BE_MISSING[table]:
            yield column, f"{column} IS NULL", "a value"
        if "[]" in kind and column not in _MAY_BE_MISSING[table]:
            complete = " AND ".join(f"list_count({one}) = len({one})" for one in dict.fromkeys((column, values)))
            yield column, f"NOT ({complete})", "a value for each"
        if kind in ("DOUBLE", "DOUBLE[]") and column != "score":  # a policy may report anything
            are_finite = " AND ".join(f"isfinite({one})" for one in dict.fromkeys((least, greatest)))
            yield column, f"NOT ({are_finite})", "a finite number"  # NaN is the greatest
        if "INT" in kind and column not in _ANY_NUMBER:
            yield column, f"{least} < 0", "at least 0"


def _n_values(column: str) -> str:
    """Return the SQL expression of how many values a list of an event has."""
    return "len(function_names)" if column == "rates_rps" else "if(len(offered) = 0, 0, len(function_names))"


UNREADABLE = " OR ".join(
    [
        *(f"coalesce({wrong}, false)" for _, wrong, _ in _wrong_values("execution_events")),
        *(f"len({column}) IS DISTINCT FROM {_n_values(column)}" for column in _PER_FUNCTION),
    ]
)
"""The SQL condition of events that cannot be judged: a value is none that a memory writes, or a list too short."""


def _length(column: str, source: str) -> RowCheck:
    n = _n_values(column)
    shown = f"'execution_events', {_EVENT_KEY}, '{column}', concat(len({column}), ' values'), concat({n}, ' values')"
    return RowCheck(source, f"len({column}) IS DISTINCT FROM {n}", shown)


def _known(column: str, values: type[StrEnum], source: str, table: str = "execution_events") -> RowCheck:
    known = ", ".join(f"'{value}'" for value in values)
    shown = f"'{table}', {_ROW_KEYS[table]}, '{column}', {column}, 'one of {', '.join(values)}'"
    return RowCheck(source, f"{column} IN ({known}) IS NOT TRUE", shown)


def _orphans(table: str, key: str, column: str, parent: str, shared: tuple[str, ...]) -> str:
    same = " AND ".join(f"p.{name} = e.{name}" for name in shared)
    return (
        f"SELECT '{table}', {key}, '{column}', e.{column}, 'a row of {parent}' FROM {table} e "  # noqa: S608
        f"WHERE NOT EXISTS (SELECT 1 FROM {parent} p WHERE {same}) ORDER BY 2"
    )


def of_session(column: str, source: str = "execution_events") -> str:
    """Return the query of the events of a relation that do not have the value of their campaign in a column."""
    return (
        f"SELECT 'execution_events', {_EVENT_KEY}, '{column}', e.{column}::VARCHAR, s.{column}::VARCHAR "  # noqa: S608
        f"FROM {source} e JOIN run_sessions s USING (run_id) WHERE e.{column} IS DISTINCT FROM s.{column}"
    )


def _not_run(verdict: Verdict, kind: EventKind, iteration: int) -> Iterator[RowCheck]:
    """Check that kind, iteration and verdict agree in events that were not run."""
    yield _column("execution_events", _EVENT_KEY, "iteration", str(iteration), where=f"kind = '{kind}'")
    yield _column("execution_events", _EVENT_KEY, "kind", f"'{kind}'", where=f"iteration = {iteration}")
    yield _column("execution_events", _EVENT_KEY, "verdict", f"'{verdict}'", where=f"kind = '{kind}'")


_SUCCESS = f"""
    SELECT 'execution_events', key, 'success_rate', concat(name, ' ', success_rate), if(offered = 0, 1, ok / offered)
    FROM (
        SELECT {_EVENT_KEY} AS key, unnest(e.function_names) AS name, unnest(e.success_rate) AS success_rate,
            unnest(e.offered) AS offered, unnest(e.succeeded) AS ok, s.agent = '{IMPORTED}' AS is_imported
        FROM execution_events e LEFT JOIN run_sessions s USING (run_id) WHERE len(e.offered) = len(e.function_names)
    )
    -- imported success rates have three decimals, and the counts are derived from them
    WHERE abs(success_rate - if(offered = 0, 1, ok / offered))
        > if(is_imported AND offered > 0, 0.5 / offered, 0) + 1e-9
    ORDER BY 2
"""  # noqa: S608

_OFFERED = f"""
    SELECT 'execution_events', key, 'offered', concat(name, ' ', offered), sent::HUGEINT + dropped
    FROM (
        SELECT {_EVENT_KEY} AS key, unnest(e.function_names) AS name, unnest(e.offered) AS offered,
            unnest(e.sent) AS sent, unnest(e.dropped) AS dropped
        FROM execution_events e WHERE len(e.offered) = len(e.function_names)
    )
    WHERE offered IS DISTINCT FROM sent::HUGEINT + dropped ORDER BY 2
"""  # noqa: S608

_SENT = f"""
    SELECT 'execution_events', key, 'sent', concat(name, ' ', sent), answered
    FROM (
        SELECT key, name, sent, ok::HUGEINT + coalesce(list_sum(list_transform(list_filter(map_entries(failed),
            lambda kind: NOT list_contains({list(BESIDE_FAILED)}, kind.key)), lambda kind: kind.value)), 0) AS answered
        FROM (
            SELECT {_EVENT_KEY} AS key, unnest(e.function_names) AS name, unnest(e.sent) AS sent,
                unnest(e.succeeded) AS ok, unnest(e.failed) AS failed
            FROM execution_events e WHERE len(e.offered) = len(e.function_names)
        )
    )
    WHERE sent <> answered ORDER BY 2
"""  # noqa: S608

_NOT_JUDGED = f"(verdict = '{Verdict.INVALID}' OR kind IN ('{EventKind.SKIPPED}', '{EventKind.INFERRED}'))"

GAPS = """
    SELECT 'execution_events', concat_ws('/', config_id, '*', repetition, run_id), 'iteration',
        concat('up to ', last), concat(runs, ' runs')
    FROM (
        SELECT config_id, repetition, max(iteration) AS last, count(DISTINCT iteration) AS runs, max(run_id) AS run_id
        FROM execution_events WHERE kind IN ('measured', 'canary')
        GROUP BY config_id, repetition, coalesce($present[list_position($stored, context_hash)], context_hash)
    )
    WHERE last <> runs - 1 ORDER BY 2
"""
"""Iterations of a configuration are numbered without gaps within a context and repetition.

``$present`` are the present hashes of the contexts that are stored under those of earlier releases, ``$stored``.
"""

CHECKS: tuple[RowCheck | str, ...] = (
    _column("config_catalog", "e.config_id", "config_id", _CONFIG_ID),
    _column("config_catalog", "e.config_id", "n_functions", "len(function_names)"),
    _column("config_catalog", "e.config_id", "total_rate_rps", "list_sum(rates_rps)"),
    _column("config_catalog", "e.config_id", "function_names", "list_sort(function_names)"),
    *event_checks("execution_events"),
    *chain.from_iterable(_not_run(verdict, *mark) for verdict, mark in NOT_RUN.items()),
    *chain.from_iterable(value_checks(table, table) for table in _ROW_KEYS if table != "execution_events"),
    *map(_not_negative, _NOT_NEGATIVE),
    _column("execution_events", _EVENT_KEY, "margin", "NULL", where=_NOT_JUDGED),
    _column("execution_events", _EVENT_KEY, "overloaded_functions", "[]", where=_NOT_JUDGED),
    _OFFERED,
    _SENT,
    _SUCCESS,
    *(f"{of_session(column)} ORDER BY 2" for column in ("context_hash", "repetition")),
    MARKS_WITHOUT_RUN,
    _orphans("execution_events", _EVENT_KEY, "config_id", "config_catalog", ("config_id",)),
    _orphans("execution_events", _EVENT_KEY, "run_id", "run_sessions", ("run_id",)),
    _orphans("policy_updates", "concat_ws('/', e.run_id, e.update_index)", "run_id", "run_sessions", ("run_id",)),
    _orphans("k6_raw_summaries", _EVENT_KEY, "run_id", "execution_events", TABLES["execution_events"].key),
    _orphans("config_catalog", "e.config_id", "config_id", "execution_events", ("config_id",)),
    f"SELECT 'k6_raw_summaries', key, 'summary_json', stored, expected FROM ({misfits('k6_raw_summaries')})",  # noqa: S608
)
