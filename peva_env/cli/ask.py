"""The command ``peva-env ask``: the verdict of a load."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from peva_env.cli.map_options import (
    DEFAULT_MEMORY,
    AsJson,
    Context,
    Inference,
    Repetition,
    Rule,
    RuleFile,
    Schema,
    rules,
)
from peva_env.cli.paths import path_option
from peva_env.console import make_console, print_answer, print_notes, write
from peva_env.errors import ConfigError
from peva_env.maps import ask as ask_map
from peva_env.maps import read_map
from peva_env.memory import DEFAULT_SCHEMA_VERSION
from peva_env.space import MAX_RATE_RPS, Config


def ask(
    rates: Annotated[
        list[str], typer.Argument(metavar="FUNCTION=RPS...", help="The load in requests per second: figlet=40 env=20.")
    ],
    memory: Annotated[Path, path_option(help="The memory to ask; a campaign may be running on it.")] = DEFAULT_MEMORY,
    context: Context = None,
    repetition: Repetition = None,
    dominance: Inference = None,
    rule: Rule = None,
    rule_file: RuleFile = None,
    as_json: AsJson = False,
    schema_version: Schema = DEFAULT_SCHEMA_VERSION,
) -> None:
    """Ask a memory whether its node can bear a load, how that is known, and how far each rate could be raised.

    Any rates can be asked for, measured or not. An unknown verdict is predicted by the agent learnt.
    """
    config = _config(rates)
    node_map = read_map(
        memory,
        configs=[config],
        context=context,
        repetition=repetition,
        dominance=dominance,
        at_least="within_sets",
        rules=rules(rule, rule_file),
        schema_version=schema_version,
    )
    answer = ask_map(node_map, config)
    if as_json:
        about = {"node": node_map.node, "context_hash": node_map.context_hash, "repetition": node_map.repetition}
        write(json.dumps({**about, **asdict(answer), "notes": node_map.notes}, indent=2))
        return
    console = make_console()
    print_answer(console, node_map, answer)
    print_notes(console, node_map.notes)


def _config(rates: list[str]) -> Config:
    """Return the configuration of the arguments.

    Raises:
        ConfigError: an argument is not ``function=rate``, or a function is named twice.
    """
    config = [_pair(text) for text in rates]
    asked = [name for name, _ in config]
    twice = next((name for name in asked if asked.count(name) > 1), None)
    if twice is not None:
        raise ConfigError(f"{twice} is named twice: give each function once, such as figlet=40 env=20")
    return sorted(config)


def _pair(text: str) -> tuple[str, int]:
    name, _, rate = text.rpartition("=")
    is_number = rate.isascii() and rate.isdecimal() and len(rate) <= len(str(MAX_RATE_RPS))
    if not name or not is_number or int(rate) > MAX_RATE_RPS:
        raise ConfigError(f"{text!r}: write a function and whole requests per second, such as figlet=40")
    return name, int(rate)
