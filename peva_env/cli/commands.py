"""The command line ``peva-env``: its commands put together, and ``main``."""

import os
import re
import sys
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from peva_env import __version__
from peva_env.cli import arena as cli_arena
from peva_env.cli import ask as cli_ask
from peva_env.cli import configuration as cli_configuration
from peva_env.cli import diff as cli_diff
from peva_env.cli import export as cli_export
from peva_env.cli import fleet as cli_fleet
from peva_env.cli import limits as cli_limits
from peva_env.cli import memory as cli_memory
from peva_env.cli import recheck as cli_recheck
from peva_env.cli import report as cli_report
from peva_env.cli import run as cli_run
from peva_env.cli import scout as cli_scout
from peva_env.cli import slo as cli_slo
from peva_env.cli import train as cli_train
from peva_env.cli import trend as cli_trend
from peva_env.cli import twin as cli_twin
from peva_env.cli.command_group import CommandGroup
from peva_env.console import complain, guard_output, tell_warnings, write
from peva_env.errors import ConfigError, PevaError
from peva_env.system import failure_text, raise_end

_STDERR = 2

_SIZE = re.compile("[5-9]|[1-9][0-9]{1,3}")
"""Columns or lines of a terminal that can show an error; Rich fails in one that is too large for its memory."""

app = CommandGroup(
    no_args_is_help=True, pretty_exceptions_enable=False, context_settings={"help_option_names": ["-h", "--help"]}
)


@app.callback(invoke_without_command=True)
def _root(version: Annotated[bool, typer.Option("--version", help="Show the version.")] = False) -> None:
    """Decide which load test to run next on a FaaS node, run it with k6, and remember what happened."""
    if version:
        write(f"peva-env {__version__}")
        raise typer.Exit


app.command()(cli_run.run)
app.command()(cli_scout.scout)
app.command()(cli_configuration.plan)
app.command()(cli_configuration.doctor)
app.command()(cli_configuration.init)
app.command(name="config")(cli_configuration.show_config)
app.command()(cli_export.export)
app.add_typer(cli_memory.app, name="memory")
app.add_typer(cli_fleet.app, name="fleet")
app.command()(cli_train.train)
app.command()(cli_arena.arena)
app.command()(cli_ask.ask)
app.command()(cli_slo.slo)
app.command()(cli_limits.limits)
app.command()(cli_twin.twin)
app.command()(cli_diff.diff)
app.command()(cli_trend.trend)
app.command()(cli_recheck.recheck)
app.command()(cli_report.report)


def main() -> None:
    """Run the command line; an error that a user can cause is one line on standard error."""
    _fill_standard_descriptors()
    guard_output()
    tell_warnings()
    os.environ["MPLBACKEND"] = "agg"  # figures go to files: a backend of windows or of Jupyter need not load here
    for name in ("COLUMNS", "LINES"):  # some terminals without a size say 0: Rich would print nothing at all
        if not _SIZE.fullmatch(os.environ.get(name, "")):
            os.environ.pop(name, None)
    sys.path.append("")  # module:Class finds the user's own modules; last, so that none of them hides an installed one
    try:
        _require_text()
        app()
    except PevaError as error:
        _fail(str(error), 2 if isinstance(error, ConfigError) else 1)
    except OSError as error:  # a full disk, too many open files: the machine's trouble, not a fault of ours
        _fail(failure_text(error), 1)
    except RuntimeError as error:
        raise_end(error)
        raise


def _fill_standard_descriptors() -> None:
    """Open /dev/null for closed descriptors 0 to 2, as in a service: else a socket could get such a number."""
    while (descriptor := os.open(os.devnull, os.O_RDWR)) <= _STDERR:
        pass
    os.close(descriptor)


def _require_text() -> None:
    """Check that the locale's encoding can decode all arguments and the working folder: DuckDB takes text alone.

    Raises:
        ConfigError: one of them is not text, or the working folder was removed.
    """
    texts = [("argument", argument) for argument in sys.argv[1:]]
    try:
        texts.append(("working folder", str(Path.cwd())))
    except FileNotFoundError:
        raise ConfigError("the working folder was removed; change to another one") from None
    for what, text in texts:
        try:
            text.encode()
        except UnicodeEncodeError:
            raise ConfigError(
                f"{what} {text!r}: is not text in {sys.getfilesystemencoding()}, the encoding of this locale; "
                "write it in that encoding, or set PYTHONUTF8=1"
            ) from None


def _fail(problem: str, code: int) -> NoReturn:
    complain(problem)
    sys.exit(code)
