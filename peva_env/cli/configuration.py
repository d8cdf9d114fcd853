"""The commands about a configuration: ``peva-env plan | doctor | init | config``."""

import json
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text

from peva_env import make
from peva_env.campaign import Check, plan_problems, planned, run_checks
from peva_env.cli.paths import path_argument, path_option
from peva_env.config import DfaasConfig, load_config
from peva_env.console import make_console, print_plan, say, write
from peva_env.errors import ConfigError, PevaError
from peva_env.planning import DfaasPlanBuilder
from peva_env.system import command_text

_QUICK_RATES = "  type: custom\n  rates: [40, 80, 150, 220]\n"
_SCOUTED_RATES = "  type: auto\n  levels: 12\n"
"""In the file that ``init`` writes: the rates of the quick start suit its two functions only."""

_QUICK_HEADER = "# `peva-env run` without --config runs this; "
_SCOUTED_HEADER = "# `peva-env run --config FILE` runs it, after a scouting of a few minutes that finds the rates; "

ConfigOption = Annotated[
    Path | None, path_option("--config", "-c", help="YAML or JSON file; default: the quick start on the local node.")
]


def load_settings(path: Path | None) -> DfaasConfig:
    """Load a configuration, the sample without a path.

    Raises:
        ConfigError: it is wrong, or names a configuration that its plan has not; the message names the file.
    """
    path = path or make.SAMPLE_CONFIG
    settings = load_config(path)
    try:
        DfaasPlanBuilder(settings).build_chosen()
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from error
    return settings


def warn_of_plan(settings: DfaasConfig) -> None:
    """Warn of what ``doctor`` finds in a plan whose rates are known: runs too short for a rule, or too much load."""
    for problem in plan_problems(settings):
        warnings.warn(problem, UserWarning, stacklevel=2)


def plan(config: ConfigOption = None) -> None:
    """Show the number of configurations and runs, and the hours they take; start nothing."""
    settings = planned(load_settings(config))
    warn_of_plan(settings)
    print_plan(make_console(), settings)


def doctor(config: ConfigOption = None) -> None:
    """Check k6, the node or the gateway, its metrics, and the paths; say how to fix each failure."""
    raise typer.Exit(0 if print_checks(make_console(), run_checks(load_settings(config))) else 1)


def print_checks(console: Console, checks: Iterable[Check]) -> bool:
    """Print the outcome of each check as it comes; return whether all passed."""
    all_passed = True
    for check in checks:
        all_passed &= check.passed
        mark, style = ("WARNS", "yellow") if check.warns else ("ok", "green") if check.passed else ("FAILED", "red")
        say(console, Text(f"{mark:6}", style) + Text(f" {check.name}: {check.detail}"))
    return all_passed


def init(path: Annotated[Path, path_argument(help="The file to write.")] = Path("peva.yml")) -> None:
    """Write a commented sample configuration: the quick start, at rates that a scouting finds."""
    if path.name == "-":
        raise ConfigError("-: a configuration is written to a file, not to the standard output; give a file name")
    text = make.SAMPLE_CONFIG.read_text(encoding="utf-8")
    text = text.replace(_QUICK_RATES, _SCOUTED_RATES).replace(_QUICK_HEADER, _SCOUTED_HEADER)
    try:
        with path.open("x", encoding="utf-8") as file, _removed_on_error(path):
            file.write(text)
            file.flush()
    except FileExistsError:
        raise ConfigError(f"{path} is there already; give another name") from None
    except OSError as error:
        raise PevaError(f"{path}: cannot be written: {error.strerror}") from error
    write(f"wrote {path}; now: {command_text('run', '--config', path, extra='local')}")


@contextmanager
def _removed_on_error(path: Path) -> Iterator[None]:
    """Remove a file that could not be written: it would be in the way of the next try."""
    try:
        yield
    except BaseException:
        path.unlink()
        raise


def show_config(
    config: ConfigOption = None,
    schema: Annotated[bool, typer.Option("--schema", help="Print the JSON schema of the file instead.")] = False,
) -> None:
    """Print the parsed configuration with every default, or its JSON schema."""
    shown = DfaasConfig.model_json_schema() if schema else load_settings(config).model_dump(mode="json")
    write(json.dumps(shown, indent=2))
