"""Overload rules of a question: the rules of a campaign with some of them changed."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from peva_env.config.loading import load_config, validated
from peva_env.config.overload import OverloadConfig
from peva_env.config.reading import read_mapping
from peva_env.errors import ConfigError

type RuleChanges = Mapping[str, Any]
"""Keys of the section ``overload`` and their new values; None switches a rule off."""


_WORDS = {"null": None, "true": True, "false": False}
_NUMBER = re.compile(r"[+-]?(\d+(?:\.\d*)?|\.\d+)([eE][+-]?\d+)?", re.ASCII)


type AskedRules = RuleChanges | OverloadConfig | None
"""The rules of a question: complete ones, what differs from the usual ones, or None for the usual ones."""


def changed_rules(usual: OverloadConfig, asked: AskedRules) -> OverloadConfig:
    """Return the rules of a question; rules of single functions change key by key.

    Raises:
        ConfigError: a key or a value is wrong.
    """
    if asked is None or isinstance(asked, OverloadConfig):
        return asked or usual
    return validated(OverloadConfig, merged_changes(usual.as_context(), asked), where="rules")


def merged_changes(first: RuleChanges, then: RuleChanges) -> RuleChanges:
    """Return changes after which others are made; those of single functions are merged key by key."""
    before, new = first.get("functions") or {}, then.get("functions") or {}
    if not (isinstance(before, Mapping) and isinstance(new, Mapping)):
        return {**first, **then}
    both = {name: {**before.get(name, {}), **own} if isinstance(own, Mapping) else own for name, own in new.items()}
    return {**first, **then, **({"functions": {**before, **both}} if before or both else {})}


def flat_rules(rules: RuleChanges) -> dict[str, Any]:
    """Return rules as one level of keys: those of single functions as ``FUNCTION.KEY``."""
    flat = {key: limit for key, limit in rules.items() if key != "functions"}
    for name, own in (rules.get("functions") or {}).items():
        flat |= {f"{name}.{key}": limit for key, limit in own.items()}
    return flat


def limit_text(limit: float | bool | None) -> str:
    """Return a limit as people read it: ``200``, ``off``, or ``on`` for a rule without a number."""
    if isinstance(limit, bool) or limit is None:
        return "on" if limit else "off"
    return f"{limit:g}"


def rule_changes(texts: Sequence[str]) -> dict[str, Any]:
    """Return the changes that texts such as ``p95_ms_max=200`` and ``figlet.p95_ms_max=null`` stand for.

    Raises:
        ConfigError: a text has another form, or a rule is given twice.
    """
    changes: dict[str, Any] = {}
    for text in texts:
        name, sign, value = text.partition("=")
        function, dot, key = name.strip().rpartition(".")
        if not sign or not key or (dot and not function):
            raise ConfigError(f"rule {text!r}: write a key of overload and a value, such as p95_ms_max=200")
        if name.strip() == "functions":
            raise ConfigError(f"rule {text!r}: rules of single functions are written as figlet.p95_ms_max=200")
        section = changes.setdefault("functions", {}).setdefault(function, {}) if dot else changes
        if key in section:
            raise ConfigError(f"rule {text!r}: {name.strip()} is given twice")
        section[key] = _value(text, value)
    return changes


def _value(text: str, value: str) -> Any:
    if value.strip() in _WORDS:
        return _WORDS[value.strip()]
    if not _NUMBER.fullmatch(value.strip()):
        raise ConfigError(f"rule {text!r}: the value must be a number, true, false, or null to switch the rule off")
    return float(value)


def read_rules(path: Path) -> OverloadConfig | dict[str, Any]:
    """Return the rules in a YAML or JSON file.

    Returns:
        The complete rules of a campaign, if the file is the configuration of one; the changes, if the file has keys of
        the section ``overload`` only.

    Raises:
        ConfigError: the file cannot be read, or a key or value is wrong.
    """
    data = read_mapping(path)
    known = set(OverloadConfig.model_fields)
    if isinstance(data.get("functions"), list) or not known & set(data):
        return load_config(path).overload
    validated(OverloadConfig, data, where=str(path))
    return data
