"""Reading and validating the configuration file, of this project or of PEVA-FAAS."""

import json
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ValidationError

from peva_env.config.campaign import DfaasConfig
from peva_env.config.explain import explain_problem
from peva_env.errors import ConfigError

_LEGACY_KEYS = frozenset(
    """
    config_path deploy_functions grafana k3s_host k3s_port k3s_ssh_key k3s_user k6_host k6_log_stream k6_port k6_ssh_key
    k6_user k6_workspace_root loki max_retries openfaas_port prometheus_port tags timeout_buffer
    """.split()  # noqa: SIM905 - a list of names reads better as words
)
"""Keys of a PEVA-FAAS file that mean nothing here: they belong to its own deployment, or, as ``grafana`` does, look
different there."""

_PATHS = {"openfaas": {"password_file", "ca_file"}, "grafana": {"token_file"}}
"""Keys of sections that name a file beside the configuration."""


def load_config(path: str | Path) -> DfaasConfig:
    """Read a configuration from a YAML or JSON file, of this project or of PEVA-FAAS.

    Paths are taken relative to the file. A PEVA-FAAS file (sections ``common`` and ``plugins.peva_faas``) loads with
    one warning that lists the keys without a meaning here.

    Raises:
        ConfigError: the file cannot be read, or a key or value is wrong; one line that names key, value and remedy.
    """
    path = Path(path)
    data = read_mapping(path)
    if "plugins" in data:
        data = _from_peva_faas(data, path)
    for function in data.get("functions") or () if isinstance(data.get("functions"), list) else ():
        if isinstance(function, dict) and isinstance(function.get("source"), str):
            function["source"] = _beside(path, function["source"])
    if data.get("queries_path") and isinstance(data["queries_path"], str):
        data["queries_path"] = _beside(path, data["queries_path"])
    for section, keys in _PATHS.items():
        part = data.get(section)
        if isinstance(part, dict):
            for key in keys & part.keys():
                if part[key] and isinstance(part[key], str):
                    part[key] = _beside(path, part[key])
    return parse_config(data, where=str(path))


def parse_config(data: Mapping[str, Any], *, where: str = "configuration") -> DfaasConfig:
    """Validate plain data; ``where`` opens the message of the ``ConfigError`` that it may raise."""
    return validated(DfaasConfig, data, where=where)


def validated[Model: BaseModel](model: type[Model], data: Mapping[str, Any], *, where: str) -> Model:
    """Validate plain data by a model.

    Raises:
        ConfigError: a key or value is wrong; its one line opens with ``where``.
    """
    try:
        return model.model_validate(data)
    except ValidationError as error:
        problems = [explain_problem(problem, model) for problem in error.errors()]
        more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
        raise ConfigError(f"{where}: {problems[0]}{more}") from error


def _beside(config: Path, other: str) -> str:
    return str(config.parent / Path(other).expanduser())


def read_mapping(path: Path) -> dict[str, Any]:
    """Read a YAML or JSON file that holds keys and values.

    Raises:
        ConfigError: it cannot be read, is neither, or holds something else.
    """
    try:
        text = path.read_text(encoding="utf-8")
        data = json.loads(text) if path.suffix == ".json" else yaml.safe_load(text)
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: is not a text file in UTF-8") from error
    except json.JSONDecodeError as error:
        raise ConfigError(f"{path}: line {error.lineno} is not valid JSON: {error.msg}") from error
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f"line {mark.line + 1} " if mark else ""
        problem = getattr(error, "problem", None) or "cannot be parsed"
        raise ConfigError(f"{path}: {line}is not valid YAML: {problem}") from error
    if not isinstance(data, dict):
        raise ConfigError(f"{path}: must hold keys and values, for example 'duration: 30s'; it holds {data!r:.60}")
    return data


def _from_peva_faas(data: Mapping[str, Any], path: Path) -> dict[str, Any]:
    common = data.get("common") or {}
    plugins = data.get("plugins") or {}
    section = plugins.get("peva_faas") if isinstance(plugins, dict) else None
    if not isinstance(common, dict) or not isinstance(section, dict):
        raise ConfigError(f"{path}: a PEVA-FAAS file has keys in its sections 'common' and 'plugins.peva_faas'")
    known = (set(DfaasConfig.model_fields) | {"rates"}) - _LEGACY_KEYS
    ignored = sorted((common.keys() - known) | (section.keys() & _LEGACY_KEYS))
    if ignored:
        warnings.warn(f"{path}: these PEVA-FAAS keys mean nothing here: {', '.join(ignored)}", UserWarning, 3)
    merged = _merge({key: common[key] for key in common.keys() & known}, section)
    kept = {key: value for key, value in merged.items() if key not in _LEGACY_KEYS and value is not None}
    return {"platform": "openfaas"} | kept


def _merge(base: Mapping[str, Any], override: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for key, value in override.items():
        both = isinstance(merged.get(key), dict) and isinstance(value, dict)
        merged[key] = _merge(merged[key], value) if both else value
    return merged
