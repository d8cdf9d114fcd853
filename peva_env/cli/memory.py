"""The command line of the memory: ``peva-env memory info | export | preload | merge | import-dfaas | ...``."""

import csv
import json
import os
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import asdict
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from peva_env.cli.paths import path_argument, path_option
from peva_env.config import OverloadConfig, duration_seconds
from peva_env.console import make_console, print_import, print_memory, say, write
from peva_env.errors import ConfigError, MemoryStoreError, PevaError
from peva_env.memory import (
    CORE_TABLES,
    DEBUG_TABLES,
    DEFAULT_SCHEMA_VERSION,
    DuckDBMemoryStore,
    memory_files,
    reading,
    summarize_memory,
    verify,
)
from peva_env.memory.dfaas import import_dfaas
from peva_env.memory.importing import ImportReport, Refusal
from peva_env.memory.parquet import ParquetCheckpoint, export_tables, merge_memories
from peva_env.memory.table import import_table, load_map
from peva_env.system import begins_with, one_line, output_file, replacing

_MAX_SHOWN = 100
"""Largest number of differences that are printed."""

_REFUSAL_COLUMNS = ("file", "line", "reason")

app = typer.Typer(no_args_is_help=True, help="Inspect, verify, export and merge memories, and import old recordings.")

Memory = Annotated[Path, path_argument(help="The memory: a DuckDB file.")]
Core = Annotated[Path, path_option("--core", help="Folder of the core Parquet tables to merge.")]
Debug = Annotated[Path | None, path_option("--debug", help="Folder of the raw k6 summaries to merge as well.")]
Rename = Annotated[
    bool, typer.Option("--rename", help="If two campaigns have the same run_id, give the incoming one a longer run_id.")
]


class Use(StrEnum):
    """What of a node has a rule that ``--without`` switches off."""

    CPU = "cpu"
    RAM = "ram"


ImportMemory = Annotated[Path, path_option("--memory", help="The memory to import into; created if missing.")]
Node = Annotated[str, typer.Option(help="Name for the measured node; the context stores it.")]
Duration = Annotated[str, typer.Option(help="Length of one run, such as 30s.")]
Refused = Annotated[
    Path | None, path_option("--refused", help="CSV file to write: the refused lines and their reasons.")
]
Without = Annotated[
    list[Use] | None,
    typer.Option("--without", help="Judge without the rule on CPU or RAM, for files that lack it; may be repeated."),
]
Schema = Annotated[str, typer.Option("--schema-version", help="Schema label that the memory must have.")]


@app.command()
def info(
    memory: Memory,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    schema_version: Schema = DEFAULT_SCHEMA_VERSION,
) -> None:
    """Show the contents of a memory; a campaign may be running on it."""
    with reading(memory, schema_version) as connection:
        summary = summarize_memory(connection)
    size_bytes = memory.stat().st_size
    if as_json:
        write(json.dumps({"path": str(memory), "size_bytes": size_bytes, **asdict(summary)}, indent=2))
    else:
        print_memory(make_console(), memory, size_bytes, summary)


@app.command(name="verify")
def verify_memory(memory: Memory, schema_version: Schema = DEFAULT_SCHEMA_VERSION) -> None:
    """Recompute every column that follows from others; exit code 1 if a stored value differs."""
    console = make_console()
    n = 0
    with reading(memory, schema_version) as connection:
        for n, found in enumerate(verify(connection), 1):
            if n <= _MAX_SHOWN:
                text = f"{found.table} {found.key} {found.column}: {found.stored}, recomputed {found.recomputed}"
                say(console, one_line(text))
    say(console, f"differences: {n:,}" if n else f"{memory}: every recomputed value is as stored")
    raise typer.Exit(1 if n else 0)


@app.command()
def export(
    memory: Memory,
    core: Annotated[Path | None, path_option("--core", help="Folder for the core tables.")] = None,
    debug: Annotated[Path | None, path_option("--debug", help="Folder for the raw k6 summaries.")] = None,
    schema_version: Schema = DEFAULT_SCHEMA_VERSION,
) -> None:
    """Write a memory's tables as Parquet; a campaign may be running on it."""
    if not core and not debug:
        raise ConfigError("give --core, --debug or both: the folders to export to")
    if core and debug and os.path.realpath(core) == os.path.realpath(debug):
        raise ConfigError(f"--core and --debug are both {core}: give each a folder of its own")
    with reading(memory, schema_version) as connection:
        for tables, folder in ((CORE_TABLES, core), (DEBUG_TABLES, debug)):
            if folder:
                export_tables(connection, tables, folder)
                write(f"wrote {folder}")


@app.command()
def preload(
    memory: Memory,
    core: Core,
    debug: Debug = None,
    rename: Rename = False,
    schema_version: Schema = DEFAULT_SCHEMA_VERSION,
) -> None:
    """Merge Parquet folders into a memory, or into a new one: all or nothing; repeating it changes nothing."""
    with _opened(memory, schema_version) as store:
        ParquetCheckpoint(store, core_dir=core, debug_dir=debug).preload_all(rename=rename)
    write(f"merged {core} into {memory}")


@app.command()
def merge(
    memory: Annotated[Path, path_argument(metavar="OUT", help="The memory to merge into; created if missing.")],
    others: Annotated[list[Path], path_argument(metavar="IN...", help="Memories; campaigns may be running on them.")],
    rename: Rename = False,
    schema_version: Schema = DEFAULT_SCHEMA_VERSION,
) -> None:
    """Merge memories, such as those of several nodes: all or nothing; repeating it changes nothing."""
    with _opened(memory, schema_version) as store:
        counts = merge_memories(store, others, rename=rename)
    for table, count in counts.items():
        write(f"{table}: {count.inserted:,} new, {count.updated:,} updated, {count.kept:,} kept")


@app.command(name="import-dfaas")
def import_recordings(
    files: Annotated[
        list[Path], path_argument(help="results.csv and skipped.csv files of one node; - is the standard input.")
    ],
    memory: ImportMemory,
    node: Node,
    cores: Annotated[
        int, typer.Option(min=1, help="Cores of the node, over which the files sum CPU; 1 for peva-env's own files.")
    ],
    duration: Duration,
    latency_unit: Annotated[
        Literal["ns", "ms"] | None,
        typer.Option(help="Unit of latencies, if the files have them: ns for DFaaS, ms for PEVA-FAAS."),
    ] = None,
    ram_gib: Annotated[
        float | None,
        typer.Option(help="RAM of the node in GiB, for files of 2023-06: they have its use in bytes, not in percent."),
    ] = None,
    without: Without = None,
    refused: Refused = None,
    schema_version: Schema = DEFAULT_SCHEMA_VERSION,
) -> None:
    """Import recordings of DFaaS or PEVA-FAAS; repeating it changes nothing. Exit code 1 if no line can be imported.

    Recordings of peva-env itself have CPU as percent of capacity: give them --cores 1 and --latency-unit ms.
    """
    do_import = partial(
        import_dfaas,
        node=node,
        cores=cores,
        latency_unit=latency_unit,
        ram_gib=ram_gib,
        duration_s=_seconds(duration),
        rules=_rules(without or ()),
    )
    _import(files, memory, refused, schema_version, do_import)


@app.command(name="import-table")
def import_rows(
    files: Annotated[list[Path], path_argument(help="CSV files of one node, a run a line; - is the standard input.")],
    mapping: Annotated[Path, path_option("--map", help="YAML file that says which column holds what.")],
    memory: ImportMemory,
    node: Node,
    duration: Duration,
    without: Without = None,
    refused: Refused = None,
    schema_version: Schema = DEFAULT_SCHEMA_VERSION,
) -> None:
    """Import any table of runs by a map of its columns; repeating it changes nothing. Exit code 1 if no line can be.

    The map is described in docs/howto/bring-your-data.md.
    """
    do_import = partial(
        import_table,
        table=load_map(mapping),
        node=node,
        duration_s=_seconds(duration),
        rules=_rules(without or ()),
    )
    _import(files, memory, refused, schema_version, do_import, more_inputs=[mapping])


def _import(
    files: Sequence[Path],
    memory: Path,
    refused: Path | None,
    schema_version: str,
    do_import: Callable[..., ImportReport],
    *,
    more_inputs: Sequence[Path] = (),
) -> None:
    """Import files into a memory, and print the result.

    Args:
        files: to read.
        memory: to import into.
        refused: file for the list of refused lines.
        schema_version: of the memory.
        do_import: is called with the store, the files, and a progress bar as ``progress``.
        more_inputs: files that are read, too.
    """
    target = refused and _refusals_file(refused, inputs=[*files, *memory_files(memory), *more_inputs])
    console = make_console()
    with _opened(memory, schema_version) as store, _progress(console, len(files)) as progress:
        report = do_import(store, files, progress=progress)
        is_empty = not report.n_runs + report.n_skipped
        print_import(console, report)
        if target:
            _list_refusals(target, report.refusals)
            say(console, f"refused lines are listed in {refused}")
        if is_empty and not report.copies:
            why = report.refusals[0].reason if report.refusals else "no file has a line"
            raise MemoryStoreError(f"no line can be imported: {why}")


def _seconds(duration: str) -> float:
    try:
        return duration_seconds(duration)
    except ValueError as error:
        raise ConfigError(f"--duration {duration!r}: {error}") from error


def _rules(without: Collection[Use]) -> OverloadConfig:
    """Return the default rules, some of them switched off."""
    limits = {Use.CPU: "cpu_overload_pct_of_capacity", Use.RAM: "ram_overload_pct"}
    return OverloadConfig.model_validate({limits[name]: None for name in without})


@contextmanager
def _opened(path: Path, schema_version: str) -> Iterator[DuckDBMemoryStore]:
    """Open a memory for writing; if the block raises, a new file is removed and an empty one is empty again."""
    file = Path(os.path.realpath(path))
    is_new, is_empty = not file.exists(), file.is_file() and not file.stat().st_size
    store = DuckDBMemoryStore(path, schema_version=schema_version)
    store.startup()
    try:
        yield store
    except BaseException:
        store.close()
        if is_new or is_empty:
            file.unlink(missing_ok=True)
        if is_empty:
            file.touch()
        raise
    store.close()


@contextmanager
def _progress(console: Console, n_files: int) -> Iterator[Callable[[Path], None]]:
    """Show a progress bar of the files read, if the console is a terminal."""
    if not console.is_terminal:
        yield lambda _: None
        return
    columns = (TextColumn("reading"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.description}"))
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("", total=n_files)
        yield lambda path: bar.update(task, advance=1, description=path.name)


def _refusals_file(path: Path, inputs: Sequence[Path]) -> Path:
    """Return the file for the list of refused lines; a device or a pipe such as ``/dev/stdout`` may be written to.

    Raises:
        ConfigError: it exists and is not such a list.
    """
    if _is_stream(path):
        return path
    is_own = begins_with((",".join(_REFUSAL_COLUMNS) + "\n").encode())
    return output_file("--refused", path, what="a list of refused lines", is_own=is_own, inputs=inputs)


def _is_stream(path: Path) -> bool:
    return path.is_char_device() or path.is_fifo()


def _list_refusals(path: Path, refusals: Sequence[Refusal]) -> None:
    try:
        with (
            nullcontext(path) if _is_stream(path) else replacing(path) as partial_file,
            partial_file.open("w", encoding="utf-8", newline="") as file,
        ):
            csv.writer(file, lineterminator="\n").writerows([_REFUSAL_COLUMNS, *refusals])
    except OSError as error:
        raise PevaError(f"--refused {path}: cannot be written: {error.strerror}") from error
