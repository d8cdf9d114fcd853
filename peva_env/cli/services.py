"""Services given on the command line by their addresses, instead of a configuration."""

import re
from collections.abc import Sequence
from itertools import count
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

import typer

from peva_env.cli.configuration import load_settings
from peva_env.config import DfaasConfig, parse_config
from peva_env.errors import ConfigError

_NOT_IN_NAMES = re.compile(r"[^0-9A-Za-z_-]+")
_LONGEST_NAME = 60
_PAIR = 3
"""Exclusive number of functions in a configuration: each alone, and all pairs."""

_INSTEAD = "Instead of --config: the address of a service; may be repeated."

UrlOption = Annotated[list[str] | None, typer.Option(metavar="URL", help=f"{_INSTEAD} Rates are scouted first.")]
RecheckUrlOption = Annotated[
    list[str] | None, typer.Option(metavar="URL", help=f"{_INSTEAD} Rates are those of the earlier map.")
]


def asked_settings(config: Path | None, urls: Sequence[str] | None) -> DfaasConfig:
    """Return the configuration of a file, of addresses, or the sample without either.

    Raises:
        ConfigError: both are given, or one cannot be used.
    """
    return services_config(urls, config) if urls else load_settings(config)


def services_config(urls: Sequence[str], config: Path | None) -> DfaasConfig:
    """Return the configuration that measures services at addresses: each alone and in pairs, at scouted rates.

    A service is named after the last part of its path, or after host and port without a path.

    Raises:
        ConfigError: a configuration is given as well, or an address cannot be used.
    """
    if config is not None:
        raise ConfigError(f"--url {urls[0].partition('?')[0]}: give addresses or --config {config}, not both")
    functions = [{"name": name, "url": url} for name, url in zip(_names(urls), urls, strict=True)]
    data: dict[str, Any] = {
        "platform": "http",
        "functions": functions,
        "rate_strategy": {"type": "auto"},
        "combinations": {"min_functions": 1, "max_functions": min(_PAIR, len(urls) + 1)},
        "duration": "5s",
        "timeout": "2s",
        "repeats": "adaptive",
        "cooldown": {"max_wait_seconds": 30, "sleep_step_seconds": 0.5},
    }
    return parse_config(data, where="--url")


def _names(urls: Sequence[str]) -> list[str]:
    """Return a name for each address, all different: the second ``report`` is ``report-2``."""
    names: list[str] = []
    for url in urls:
        name = _NOT_IN_NAMES.sub("-", _last_part(url))[:_LONGEST_NAME].strip("-_") or "service"
        numbered = (name if number == 1 else f"{name}-{number}" for number in count(1))
        names.append(next(one for one in numbered if one not in names))
    return names


def _last_part(url: str) -> str:
    """Return the last part of an address's path, or its host and port; empty where the address cannot be used."""
    try:
        parts = urlsplit(url.strip())
    except ValueError:  # parsing the configuration refuses the address, and names its place
        return ""
    return parts.path.rstrip("/").rpartition("/")[2] or parts.netloc.rpartition("@")[2]
