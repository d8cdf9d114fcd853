"""What a file of PEVA-FAAS means here: its sections merged, its defaults and placeholders filled in.

PEVA-FAAS ignores every key that it does not know, at every level. So does this reader, but it says which ones.
"""

import re
from collections.abc import Mapping
from ipaddress import IPv6Address
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from pydantic import TypeAdapter, ValidationError
from pydantic_core import ErrorDetails

from peva_env.config.campaign import DfaasConfig
from peva_env.config.explain import location_of, nearest_key, nearest_name, path_text, without_user
from peva_env.errors import ConfigError

_NODE = "k3s_host"
"""Where the node is: it stands in addresses for the placeholder and for this machine."""
_NAME = re.compile(r"[\w.-]+")
"""A host name or an IPv4 address."""

_SECTIONS = ("common", "plugins")
_KEYS = frozenset(
    """
    algorithm_entrypoint combinations cooldown duration function_pid_regexes functions gateway_url iterations k6_outputs
    k6_tags memory micro_batch_size micro_batch_window_s output_dir overload prometheus_url queries_path rate_strategy
    rates run_id scaphandre_enabled selection_mode
    """.split()  # noqa: SIM905 - a list of names reads better as words
)
"""Keys that mean here what they mean there."""

_DEPLOYMENT_KEYS = frozenset(
    """
    config_path deploy_functions grafana k3s_port k3s_ssh_key k3s_user k6_host k6_log_stream k6_port k6_ssh_key
    k6_user k6_workspace_root loki max_retries openfaas_port prometheus_port tags timeout_buffer
    """.split()  # noqa: SIM905
)
"""Keys without a meaning here: they belong to PEVA-FAAS's deployment, or, as ``grafana`` does, look different there."""

_DEFAULTS = {
    "platform": "openfaas",
    "gateway_url": "http://127.0.0.1:31112",
    "prometheus_url": "http://127.0.0.1:30411",
    "functions": [
        {"name": "figlet", "method": "POST", "body": "Hello PEVA-faas!", "headers": {"Content-Type": "text/plain"}}
    ],
}
"""Where PEVA-FAAS's defaults are not ours."""

_NEAR = 0.75
"""How like a known key (0..1) an ignored one must be to be taken for it."""

_THIS_MACHINE = ("127.0.0.1", "localhost", "0.0.0.0")  # noqa: S104 - compared with, not bound to
_SET_FOR_EACH_RUN = "run_id"
"""The one tag of ours that PEVA-FAAS sets for each run, too, whatever the file says."""


def is_peva_faas(data: Mapping[str, Any]) -> bool:
    """Return whether a file is one of PEVA-FAAS: it has its sections, which ours do not have."""
    return any(section in data for section in _SECTIONS)


def from_peva_faas(data: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """Return a PEVA-FAAS file as a configuration of ours, and the keys that mean nothing here, as dotted paths.

    Raises:
        ConfigError: it does not have the sections of a PEVA-FAAS file, or its ``k3s_host`` is no host.
    """
    common, section = _sections(data)
    ignored = {
        _with_hint(str(key), nearest_name(str(key), _SECTIONS, cutoff=_NEAR)) for key in data if key not in _SECTIONS
    }
    known = sorted({*_KEYS, _NODE})
    ignored |= {
        str(key) if key in _DEPLOYMENT_KEYS else _with_hint(str(key), nearest_name(str(key), known, cutoff=_NEAR))
        for key in common
        if key not in known
    }
    ignored |= {str(key) for key in section if key in _DEPLOYMENT_KEYS}
    merged = _merge({key: value for key, value in common.items() if key in _KEYS}, section)
    host = _host(section.get(_NODE, common.get(_NODE)))
    kept = _DEFAULTS | {
        key: value
        for key, value in merged.items()
        if key not in _DEPLOYMENT_KEYS and key != _NODE and not (key in _KEYS and value is None)
    }
    if kept.get("algorithm_entrypoint") == "":
        del kept["algorithm_entrypoint"]
    for key in ("gateway_url", "prometheus_url"):
        kept[key] = _at_node(kept[key], host)
    _read_truth(kept, "scaphandre_enabled")
    if isinstance(kept.get("memory"), dict):
        kept["memory"] = dict(kept["memory"])
        _read_truth(kept["memory"], "preload_raw_debug")
    ignored |= _drop_overridden(kept)
    return kept, sorted(ignored | _drop_unknown(kept))


def _sections(data: Mapping[str, Any]) -> tuple[dict[Any, Any], dict[Any, Any]]:
    common, plugins = (_or_empty(data.get(key)) for key in _SECTIONS)
    has_section = isinstance(plugins, dict) and ("peva_faas" in plugins or not plugins)
    section = _or_empty(plugins.get("peva_faas")) if has_section else None
    if not isinstance(common, dict) or not isinstance(section, dict):
        names = [] if section is not None or not isinstance(plugins, dict) else map(str, plugins)
        if misspelt := nearest_name("peva_faas", names, cutoff=_NEAR):
            raise ConfigError(f"{path_text(['plugins', misspelt])}: unknown key; did you mean 'peva_faas'?")
        raise ConfigError(
            "a PEVA-FAAS file has keys in its sections 'common' and 'plugins.peva_faas'; "
            "with 'peva_faas: {}' under 'plugins' all have their defaults"
        )
    return common, section


def _or_empty(section: Any) -> Any:
    """Return a section, with no keys where YAML reads nothing: each of its lines may be a comment."""
    return {} if section is None else section


def _merge(base: Mapping[Any, Any], override: Mapping[Any, Any]) -> dict[Any, Any]:
    """Return both, sections key by key. Nothing that means something here is nested deeper."""
    merged = dict(base) | dict(override)
    for key in base.keys() & override.keys():
        if isinstance(base[key], dict) and isinstance(override[key], dict):
            merged[key] = base[key] | override[key]
    return merged


def _host(value: Any) -> str | None:
    """Return the value of ``k3s_host``, None if it is not set."""
    if value is None or value == "":
        return None
    if not isinstance(value, str) or not _is_host(value):
        raise ConfigError(
            f"{_NODE} = {without_user(value):.60}: must be the node's address or host name alone, without http:// and "
            "port, for example 10.0.0.50; an IPv6 address stands in quotes and brackets, as '[fd00::5]'"
        )
    return value


def _is_host(text: str) -> bool:
    if _NAME.fullmatch(text):
        return True
    try:
        IPv6Address(text.removeprefix("[").removesuffix("]"))
    except ValueError:
        return False
    return text[0] == "[" and text[-1] == "]"


def _read_truth(section: dict[str, Any], key: str) -> None:
    """Replace a text or number by the truth value that PEVA-FAAS takes it for; here only truth values are."""
    try:
        section[key] = TypeAdapter(bool).validate_python(section[key])
    except (KeyError, ValidationError):  # not there, or no truth value, as its own check will say
        return


def _at_node(url: Any, host: str | None) -> Any:
    """Return an address with ``k3s_host`` in place of the placeholder or of this machine, as PEVA-FAAS reads it."""
    if not isinstance(url, str) or host is None:
        return url
    url = url.replace("{host.address}", host)
    try:
        parts = urlsplit(url)
        port = "" if parts.port is None else f":{parts.port}"
    except ValueError:  # no address at all, as its own check will say
        return url
    return urlunsplit(parts._replace(netloc=host + port)) if parts.netloc and parts.hostname in _THIS_MACHINE else url


def _drop_overridden(kept: dict[str, Any]) -> set[str]:
    """Take away what PEVA-FAAS reads and never uses; return where it was."""
    dropped = set()
    outputs, tags, regexes = (kept.get(key) for key in ("k6_outputs", "k6_tags", "function_pid_regexes"))
    if isinstance(outputs, list) and all(isinstance(output, str) for output in outputs):
        kept["k6_outputs"] = [output.strip() for output in outputs if output.strip()]
    if isinstance(tags, dict) and _SET_FOR_EACH_RUN in tags:
        kept["k6_tags"] = {tag: value for tag, value in tags.items() if tag != _SET_FOR_EACH_RUN}
        dropped.add(f"k6_tags.{_SET_FOR_EACH_RUN}")
    if isinstance(regexes, dict) and isinstance(kept["functions"], list):
        names = [function.get("name") for function in kept["functions"] if isinstance(function, dict)]
        kept["function_pid_regexes"] = {name: regex for name, regex in regexes.items() if name in names}
        dropped |= {path_text(["function_pid_regexes", str(name)]) for name in regexes if name not in names}
    return dropped


def _drop_unknown(kept: dict[str, Any]) -> set[str]:
    """Take away the keys that are unknown at their place; return where they were, with the key that may be meant."""
    dropped = set()
    for problem in _unknown_keys(kept):
        *parents, last = location_of(problem, kept)
        section: Any = kept
        for part in parents:
            section = section[part]
        if problem["type"] == "extra_forbidden":
            dropped.add(_with_hint(path_text([*parents, last]), nearest_key(problem, DfaasConfig, cutoff=_NEAR)))
            section.pop(last, None)
        else:  # a date, a number or a truth value, which the problem may name otherwise
            for key in [key for key in section if not isinstance(key, str)]:
                dropped.add(path_text([*parents, str(key)]))
                del section[key]
    return dropped


def _with_hint(path: str, nearest: str | None) -> str:
    path = path_text([path])
    return f"{path} (did you mean {nearest!r}?)" if nearest else path


def _unknown_keys(kept: dict[str, Any]) -> list[ErrorDetails]:
    try:
        DfaasConfig.model_validate(kept)
    except ValidationError as error:
        return [problem for problem in error.errors() if problem["type"] in ("extra_forbidden", "invalid_key")]
    return []
