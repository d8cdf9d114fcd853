"""Connections to DuckDB."""

from collections.abc import Mapping

import duckdb

_NO_DOWNLOADS: dict[str, str | bool | int | float | list[str]] = {
    "autoinstall_known_extensions": False,
    "autoload_known_extensions": False,
}
"""DuckDB must not download and run extensions for an untrusted file; all that is needed is built in."""


def connect_duckdb(
    file: str, read_only: bool = False, settings: Mapping[str, str] | None = None
) -> duckdb.DuckDBPyConnection:
    """Open a DuckDB file, or ``:memory:``, so that nothing is downloaded or printed.

    In an interactive interpreter, or what DuckDB takes for one (``python -c``, a spawned process), it draws the
    progress of a query of over 2 s on standard output, where JSON of ours may stand.

    Raises:
        duckdb.Error: the file cannot be opened.
    """
    connection = duckdb.connect(file, read_only=read_only, config={**_NO_DOWNLOADS, **(settings or {})})
    # In a notebook without ipywidgets there is no bar, and DuckDB refuses any setting of it.
    if connection.execute("SELECT current_setting('enable_progress_bar')").fetchall() == [(True,)]:
        connection.execute("SET enable_progress_bar = false")
    return connection
