"""The command line of the memory: ``peva-env memory info | export | preload | merge | import-dfaas | ...``."""

import json
import os
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from peva_env.cli import imports as cli_imports
from peva_env.cli.command_group import CommandGroup
from peva_env.cli.map_options import Rule, RuleFile, Schema, rules
from peva_env.cli.memory_file import written_memory
from peva_env.cli.paths import path_argument, path_option
from peva_env.console import make_console, print_memory, say, write
from peva_env.errors import ConfigError
from peva_env.memory import (
    CORE_TABLES,
    DEBUG_TABLES,
    DEFAULT_SCHEMA_VERSION,
    reading,
    summarize_memory,
    verify,
)
from peva_env.memory.parquet import ParquetCheckpoint, export_tables, merge_memories, require_export_folder
from peva_env.system import one_line

_MAX_SHOWN = 100
"""Largest number of differences that are printed."""

app = CommandGroup(no_args_is_help=True, help="Inspect, verify, export and merge memories, and import old recordings.")

Memory = Annotated[Path, path_argument(help="The memory: a DuckDB file.")]
Core = Annotated[Path, path_option("--core", help="Folder of the core Parquet tables to merge.")]
Debug = Annotated[Path | None, path_option("--debug", help="Folder of the raw k6 summaries to merge as well.")]
Rename = Annotated[
    bool, typer.Option("--rename", help="If two campaigns have the same run_id, give the incoming one a longer run_id.")
]


@app.command()
def info(
    memory: Memory,
    rule: Rule = None,
    rule_file: RuleFile = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    schema_version: Schema = DEFAULT_SCHEMA_VERSION,
) -> None:
    """Show the contents of a memory; a campaign may be running on it.

    The verdicts are those of the campaigns, or with --rule and --rule-file those by other rules.
    """
    with reading(memory, schema_version) as connection:
        summary = summarize_memory(connection, rules(rule, rule_file))
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
    asked = [(tables, folder) for tables, folder in ((CORE_TABLES, core), (DEBUG_TABLES, debug)) if folder]
    with reading(memory, schema_version) as connection:
        for tables, folder in asked:
            require_export_folder(connection, tables, folder)
        for tables, folder in asked:
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
    with written_memory(memory, schema_version, named="MEMORY") as store:
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
    with written_memory(memory, schema_version, named="OUT") as store:
        counts = merge_memories(store, others, rename=rename)
    for table, count in counts.items():
        write(f"{table}: {count.inserted:,} new, {count.updated:,} updated, {count.kept:,} kept")


app.command(name="import-dfaas")(cli_imports.import_recordings)
app.command(name="import-table")(cli_imports.import_rows)
