"""The file of Prometheus queries (``queries.yml``, in PEVA-FAAS's format): reading and checking it."""

import warnings
from pathlib import Path
from typing import Literal

from pydantic import Field, StrictBool, ValidationError, field_validator

from peva_env.config import Section, duration_seconds, explain_problem, read_mapping
from peva_env.errors import ConfigError
from peva_env.platforms.prometheus.queries import Query, placeholders, unquoted_placeholders

DEFAULT_QUERIES = Path(__file__).with_name("queries.yml")
_DEFAULTS_OF_PEVA_FAAS = tuple(("lb_plugins", "plugins", plugin, "queries.yml") for plugin in ("dfaas", "peva_faas"))

_REQUIRED = ("cpu_usage_node", "ram_usage_node_pct")
_SUPPLIED = ("cores_node", "ram_total_node")
"""Queries that a PEVA-FAAS file lacks, because its CPU is in percent of one core; the built-in ones replace them."""

_OF_NODE = frozenset({"time_span", "instance"})
_OF_FUNCTION = _OF_NODE | {"function_name", "namespace"}
PLACEHOLDERS = {
    "cores_node": frozenset[str](),
    "ram_total_node": _OF_NODE,
    "cpu_usage_node": _OF_NODE,
    "ram_usage_node": _OF_NODE,
    "ram_usage_node_pct": _OF_NODE,
    "power_usage_node": _OF_NODE,
    "cpu_usage_function": _OF_FUNCTION,
    "ram_usage_function": _OF_FUNCTION,
    "power_usage_function": _OF_FUNCTION | {"pid_regex"},
}
"""The known queries, and the placeholders that each may have."""


def load_queries(path: str | Path | None) -> dict[str, Query]:
    """Read a file of queries, by name; without a path, return the built-in queries.

    The built-in queries also replace a missing file at PEVA-FAAS's default path, because PEVA-FAAS ships that file.

    Raises:
        ConfigError: the file cannot be read, or one of its queries cannot be used.
    """
    if path is None:
        return _load(DEFAULT_QUERIES)
    path = Path(path).expanduser()
    if path.parts[-4:] in _DEFAULTS_OF_PEVA_FAAS and not path.exists():
        warnings.warn(f"queries_path = {path}: does not exist; peva-env's own queries are used", UserWarning, 2)
        return _load(DEFAULT_QUERIES)
    queries = _load(path)
    for name in _REQUIRED:
        if name not in queries:
            raise ConfigError(f"{path}: has no query named {name!r}, without which no run can be judged")
    own = _load(DEFAULT_QUERIES)
    return {name: own[name] for name in _SUPPLIED} | queries


class _Entry(Section):
    name: str
    query: str = Field(min_length=1)
    range: StrictBool = True
    step: str | int = "10s"
    enabled_if: Literal["scaphandre"] | None = None

    @field_validator("step")
    @classmethod
    def _is_duration(cls, step: str | int) -> str:
        text = f"{step}s" if isinstance(step, int) else step
        duration_seconds(text)
        return text


class _File(Section):
    queries: list[_Entry]


def _load(path: Path) -> dict[str, Query]:
    try:
        entries = _File.model_validate(read_mapping(path)).queries
    except ValidationError as error:
        raise ConfigError(f"{path}: {explain_problem(error.errors()[0], _File)}") from error
    unused = sorted(entry.name for entry in entries if entry.name not in PLACEHOLDERS)
    if unused:
        warnings.warn(
            f"{path}: these queries are not used: {', '.join(unused)}; known are {', '.join(PLACEHOLDERS)}",
            stacklevel=3,
        )
    queries: dict[str, Query] = {}
    for entry in entries:
        if entry.name in queries:
            raise ConfigError(f"{path}: there are two queries named {entry.name!r}; keep one")
        if entry.name in PLACEHOLDERS:
            queries[entry.name] = _checked(entry, path)
    return queries


def _checked(entry: _Entry, path: Path) -> Query:
    where = f"{path}: query {entry.name!r}"
    allowed, found = PLACEHOLDERS[entry.name], placeholders(entry.query)
    if unknown := sorted(found - allowed):
        may = ", ".join(f"{{{name}}}" for name in sorted(allowed)) or "none"
        raise ConfigError(f"{where}: {{{unknown[0]}}} cannot be filled in here; placeholders it may have: {may}")
    unquoted = unquoted_placeholders(entry.query) - {"time_span"}
    if unquoted:
        raise ConfigError(f"{where}: {{{min(unquoted)}}} must stand inside quotes, as the value of a label")
    if entry.name.endswith("_function") and not found & {"function_name", "pid_regex"}:
        raise ConfigError(f"{where}: must say {{function_name}}, or all functions would have the same value")
    return Query(
        entry.name,
        " ".join(entry.query.split("\n")),
        entry.range,
        duration_seconds(str(entry.step)),
        entry.enabled_if == "scaphandre" or entry.name.startswith("power_"),
    )
