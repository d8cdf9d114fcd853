"""The file of Prometheus queries (``queries.yml``, PEVA-FAAS's form) and how its placeholders are filled in."""

import re
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import Field, ValidationError, field_validator

from peva_env.config import Section, duration_seconds, explain, read_mapping
from peva_env.errors import ConfigError

DEFAULT_QUERIES = Path(__file__).with_name("queries.yml")
_DEFAULTS_OF_PEVA_FAAS = tuple(("lb_plugins", "plugins", plugin, "queries.yml") for plugin in ("dfaas", "peva_faas"))

_REQUIRED = ("cpu_usage_node", "ram_usage_node_pct")
_SUPPLIED = ("cores_node", "ram_total_node")
"""Not in a PEVA-FAAS file, which gives CPU in percent of one core; our own are used where a file has none."""

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
"""The queries there are, and what may stand in each."""

_REGEXES = frozenset({"pid_regex"})
"""Placeholders whose value is a regular expression already."""

_PLACEHOLDER = re.compile(r"\{([a-z_]+)\}")
_STRING = r""""(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|`[^`]*`"""
_MATCHED_STRING = re.compile(rf"(?P<operator>[=!]~)?\s*(?P<string>{_STRING})")
_LABELS = rf"\{{(?:{_STRING}|[^{{}}\"'`])*\}}"
_RANGE_SELECTOR = re.compile(rf"([a-zA-Z_:][\w:]*\s*(?:{_LABELS})?)\s*\[\s*\{{time_span\}}\s*\]")
_NODE_SERIES = re.compile(
    rf"{_STRING}|\b(?:by|without|on|ignoring|group_left|group_right)\s*\([^)]*\)"
    rf"|(?<![\w:])(?P<name>node_[\w:]+)(?:\s*(?P<labels>{_LABELS}))?|{_LABELS}"
)
"""What else may begin with ``node_`` is passed over whole: strings, names of labels in a grouping or in braces."""


@dataclass(frozen=True, slots=True)
class Query:
    """One query; ``is_range`` and ``step_s`` matter only to one without ``{time_span}``."""

    name: str
    text: str
    is_range: bool = True
    step_s: float = 10.0
    of_scaphandre: bool = False

    @property
    def is_of_function(self) -> bool:
        """Whether it is asked for each function."""
        return self.name.endswith("_function")

    def filled(self, values: Mapping[str, str]) -> str:
        """Return the query with every placeholder but ``{time_span}`` filled in, each value quoted where it stands.

        In a regular expression (``=~``) a value stands for itself; so a name never matches more than it says.
        """

        def fill(match: re.Match[str]) -> str:
            string, is_regex = match["string"], match["operator"] is not None
            inside = _PLACEHOLDER.sub(
                lambda found: _quoted(values[found[1]], string[0], escape=is_regex and found[1] not in _REGEXES),
                string[1:-1],
            )
            return f"{match['operator'] or ''}{string[0]}{inside}{string[0]}"

        names_no_machine = not self.is_of_function and "instance" in values and "{instance}" not in self.text
        return _MATCHED_STRING.sub(fill, _of_one_machine(self.text) if names_no_machine else self.text)


def span(text: str, seconds: float) -> str:
    """Fill in ``{time_span}``."""
    return text.replace("{time_span}", f"{max(1, round(seconds * 1000))}ms")


def range_selectors(text: str) -> list[str]:
    """Return the series that a query averages over ``{time_span}``, each once."""
    return list(dict.fromkeys(match[1].strip() for match in _RANGE_SELECTOR.finditer(text)))


def load_queries(path: str | Path | None) -> dict[str, Query]:
    """Read a file of queries by name; our own without a path.

    The default path of PEVA-FAAS, where no such file is, also means our own: that file is part of the older tool.

    Raises:
        ConfigError: the file cannot be read, or a query of it cannot be used.
    """
    if path is None:
        return _load(DEFAULT_QUERIES)
    path = Path(path).expanduser()
    if path.parts[-4:] in _DEFAULTS_OF_PEVA_FAAS and not path.exists():
        warnings.warn(f"queries_path = {path}: is not there; peva-env's own queries are used", UserWarning, 2)
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
    range: bool = True
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
        raise ConfigError(f"{path}: {explain(error.errors()[0], _File)}") from error
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
    allowed, found = PLACEHOLDERS[entry.name], set(_PLACEHOLDER.findall(entry.query))
    if unknown := sorted(found - allowed):
        may = ", ".join(f"{{{name}}}" for name in sorted(allowed)) or "none"
        raise ConfigError(f"{where}: {{{unknown[0]}}} cannot be filled in here; placeholders it may have: {may}")
    unquoted = set(_PLACEHOLDER.findall(re.sub(_STRING, '""', entry.query))) - {"time_span"}
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


def _of_one_machine(text: str) -> str:
    """Make every ``node_`` series of a query that names no machine that of ``{instance}``."""

    def choose(match: re.Match[str]) -> str:
        labels = match["labels"] or "{}"
        if match["name"] is None or re.search(r"\binstance\s*[=!]", labels):
            return match[0]
        return f'{match["name"]}{{instance="{{instance}}", {labels[1:]}'  # PromQL allows a comma at the end

    return _NODE_SERIES.sub(choose, text)


def _quoted(value: str, quote: str, *, escape: bool) -> str:
    if escape:
        value = re.sub(r"([^\w])", r"\\\1", value)
    if quote == "`":
        return value
    return value.replace("\\", "\\\\").replace(quote, f"\\{quote}").replace("\n", "\\n")
