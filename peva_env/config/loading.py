"""Loading and validating the configuration file, of this project or of PEVA-FAAS."""

import copy
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from peva_env.config.campaign import DfaasConfig
from peva_env.config.explain import explain_problem
from peva_env.config.peva_faas import from_peva_faas, is_peva_faas
from peva_env.config.reading import read_mapping
from peva_env.errors import ConfigError
from peva_env.system import local_path, one_line

_PATHS = {"openfaas": {"password_file", "ca_file"}, "http": {"ca_file"}, "grafana": {"token_file"}}
"""Keys of sections that name a file beside the configuration."""


def load_config(path: str | Path) -> DfaasConfig:
    """Read a configuration from a YAML or JSON file, of this project or of PEVA-FAAS.

    Paths are taken relative to the file. A PEVA-FAAS file (sections ``common`` and ``plugins.peva_faas``) loads with
    one warning that lists the keys without a meaning here; in a file of ours an unknown key is an error.

    Raises:
        ConfigError: the file cannot be read, or a key or value is wrong; its message is one line that names key, value
            and remedy.
    """
    path = Path(path)
    data = read_mapping(path)
    if is_peva_faas(data):
        try:
            data, ignored = from_peva_faas(data)
        except ConfigError as error:
            raise ConfigError(f"{path}: {error}") from error
        if ignored:
            told = one_line(f"{path}: these PEVA-FAAS keys mean nothing here: {', '.join(ignored)}")
            warnings.warn(told, UserWarning, 2)
    return parse_config_beside(data, path, where=str(path))


def parse_config_beside(data: Mapping[str, Any], path: Path, *, where: str) -> DfaasConfig:
    """Validate plain data whose paths are relative to a file; ``where`` is the beginning of error messages.

    Raises:
        ConfigError: a key or value is wrong.
    """
    own = copy.deepcopy(dict(data))
    try:
        _resolve_paths(own, path)
    except ValueError as error:
        raise ConfigError(f"{where}: {error}") from error
    return parse_config(own, where=where)


def _resolve_paths(data: dict[str, Any], config: Path) -> None:
    """Make the paths of functions, queries and secrets relative to the configuration."""
    functions = data.get("functions")
    for function in functions if isinstance(functions, list) else ():
        _resolve(function, "source", config)
    _resolve(data, "queries_path", config)
    for section, keys in _PATHS.items():
        for key in keys:
            _resolve(data.get(section), key, config)


def _resolve(section: Any, key: str, config: Path) -> None:
    if isinstance(section, dict) and isinstance(section.get(key), str) and section[key]:
        try:
            section[key] = str(config.parent / local_path(section[key]))
        except ValueError as error:
            raise ValueError(f"{key} = {section[key]!r:.60}: {error}") from error


def parse_config(data: Mapping[str, Any], *, where: str = "configuration") -> DfaasConfig:
    """Validate plain data.

    Args:
        data: keys of ``DfaasConfig``.
        where: the beginning of error messages.

    Raises:
        ConfigError: a key or value is wrong.
    """
    return validated(DfaasConfig, data, where=where)


def validated[Model: BaseModel](model: type[Model], data: Mapping[str, Any], *, where: str) -> Model:
    """Validate plain data by a model.

    Raises:
        ConfigError: a key or value is wrong; its one line opens with ``where``.
    """
    try:
        return model.model_validate(data)
    except ValidationError as error:
        problems = error.errors()
        more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
        raise ConfigError(one_line(f"{where}: {explain_problem(_first(problems), model, data)}{more}")) from error


def _first(problems: Sequence[ErrorDetails]) -> ErrorDetails:
    """Return the problem to tell: of a missing key, an unknown one beside it, which may be meant for that."""
    first = problems[0]
    if first["type"] != "missing":
        return first
    beside = (problem for problem in problems if problem["loc"][:-1] == first["loc"][:-1])
    return next((problem for problem in beside if problem["type"] == "extra_forbidden"), first)
