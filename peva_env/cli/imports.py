"""The commands that import recordings of other tools: ``peva-env memory import-dfaas | import-table``."""

import csv
import os
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from peva_env.cli.map_options import Schema
from peva_env.cli.memory_file import written_memory
from peva_env.cli.paths import path_argument, path_option
from peva_env.config import OverloadConfig, duration_seconds
from peva_env.console import make_console, print_import, say
from peva_env.errors import ConfigError, MemoryStoreError, PevaError
from peva_env.memory import DEFAULT_SCHEMA_VERSION, memory_files
from peva_env.memory.dfaas import import_dfaas
from peva_env.memory.importing import ImportReport, Refusal
from peva_env.memory.table import import_table, load_map
from peva_env.system import begins_with, output_file, replacing

_REFUSAL_COLUMNS = ("file", "line", "reason")


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
    with written_memory(memory, schema_version, named="--memory") as store, _progress(console, len(files)) as progress:
        report = do_import(store, files, progress=progress)
        if not (report.n_runs + report.n_skipped or report.copies):  # a memory that was created for it is removed
            _tell(console, report, refused, target)
            why = report.refusals[0].reason if report.refusals else "no file has a line"
            raise MemoryStoreError(f"no line can be imported: {why}")
    _tell(console, report, refused, target)  # after all is stored: an output that ends early takes nothing back


def _tell(console: Console, report: ImportReport, refused: Path | None, target: Path | None) -> None:
    """Print what became of the lines, and list the refused ones in ``target``, which was given as ``refused``."""
    print_import(console, report)
    if target:
        _list_refusals(target, report.refusals)
        say(console, f"refused lines are listed in {refused}")


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
    """Return the file for the list of refused lines; a device or the standard output may be written to.

    Raises:
        ConfigError: it exists and is not such a list, as a pipe in a folder, which might have no reader.
    """
    if _is_stream(path):
        return path
    is_own = begins_with((",".join(_REFUSAL_COLUMNS) + "\n").encode())
    return output_file("--refused", path, what="a list of refused lines", is_own=is_own, inputs=inputs)


def _is_stream(path: Path) -> bool:
    # What /dev/stdout names is a pipe without a place in a folder.
    return path.is_char_device() or (path.is_fifo() and not os.path.exists(os.path.realpath(path)))  # noqa: PTH110


def _list_refusals(path: Path, refusals: Sequence[Refusal]) -> None:
    try:
        with (
            nullcontext(path) if _is_stream(path) else replacing(path) as partial_file,
            partial_file.open("w", encoding="utf-8", newline="") as file,
        ):
            csv.writer(file, lineterminator="\n").writerows([_REFUSAL_COLUMNS, *refusals])
    except OSError as error:
        raise PevaError(f"--refused {path}: cannot be written: {error.strerror}") from error
