"""A Prometheus query and its placeholders."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

_REGEXES = frozenset({"pid_regex"})
"""Placeholders whose value is already a regular expression."""

_PLACEHOLDER = re.compile(r"\{([a-z_]+)\}")
_STRING = r""""(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|`[^`]*`"""
_MATCHED_STRING = re.compile(rf"(?P<operator>[=!]~)?\s*(?P<string>{_STRING})")
_LABELS = rf"\{{(?:{_STRING}|[^{{}}\"'`])*\}}"
_RANGE_SELECTOR = re.compile(rf"([a-zA-Z_:][\w:]*\s*(?:{_LABELS})?)\s*\[\s*\{{time_span\}}\s*\]")
_NODE_SERIES = re.compile(
    rf"{_STRING}|\b(?:by|without|on|ignoring|group_left|group_right)\s*\([^)]*\)"
    rf"|(?<![\w:])(?P<name>node_[\w:]+)(?:\s*(?P<labels>{_LABELS}))?|{_LABELS}"
)
"""Finds ``node_`` metrics. Strings, groupings and braces match as a whole, without a name: they may hold ``node_``."""


@dataclass(frozen=True, slots=True)
class Query:
    """One query; ``is_range`` and ``step_s`` matter only to a query without ``{time_span}``."""

    name: str
    text: str
    is_range: bool = True
    step_s: float = 10.0
    of_scaphandre: bool = False

    @property
    def is_of_function(self) -> bool:
        """Whether the query is sent for each function."""
        return self.name.endswith("_function")

    def filled(self, values: Mapping[str, str]) -> str:
        """Return the query with all placeholders except ``{time_span}`` replaced; values are escaped for their quotes.

        In a regular expression (``=~``) a value is escaped further, so that a name matches only itself.
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


def placeholders(text: str) -> set[str]:
    """Return the names of the placeholders in a query."""
    return set(_PLACEHOLDER.findall(text))


def unquoted_placeholders(text: str) -> set[str]:
    """Return the names of the placeholders outside quotes."""
    return placeholders(re.sub(_STRING, '""', text))


def range_selectors(text: str) -> list[str]:
    """Return the series that a query averages over ``{time_span}``, each once."""
    return list(dict.fromkeys(match[1].strip() for match in _RANGE_SELECTOR.finditer(text)))


def _of_one_machine(text: str) -> str:
    """Add the label ``instance`` to every ``node_`` series of a query that selects no machine."""

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
