"""The functions of a box as snippets need them: names and paths that are safe to write, and requests in flight."""

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any
from urllib.parse import urlsplit

from peva_env.contracts import ExecutionEvent, FunctionMeasurement
from peva_env.errors import ConfigError
from peva_env.maps.limits import Box
from peva_env.maps.node_map import NodeMap
from peva_env.space import config_key

_NAME = re.compile(r"[A-Za-z0-9._-]+")
_PATH = re.compile(r"(/[A-Za-z0-9._~%-]+)+")


@dataclass(frozen=True, slots=True)
class Limited:
    """A function with a limit above 0: ``key`` names it where only letters, digits and ``_`` can stand.

    ``in_flight`` is the mean number of its requests that the node serves at once at the limit, and ``replicas`` the
    number of its instances; each is None where it was not measured.
    """

    name: str
    key: str
    path: str
    limit_rps: int
    in_flight: float | None
    replicas: int | None


def limited_functions(node_map: NodeMap, box: Box) -> list[Limited]:
    """Return the functions of a box that have a limit above 0.

    Raises:
        ConfigError: the name of a function has characters that could not stand in a configuration.
    """
    names = [one.function for one in box.limits if one.limit_rps]
    for name in names:
        if not _NAME.fullmatch(name):
            raise ConfigError(f"snippet: function {name!r} must be named by letters, digits, '.', '_' and '-' alone")
    paths = _paths(node_map.context, names)
    measured = {name: list(_at_limits(node_map, box, name)) for name in names}
    return [
        Limited(
            name=name,
            key=f"f{number}_{re.sub(r'[^A-Za-z0-9]', '_', name)}",
            path=paths[name],
            limit_rps=box.limits_rps[name],
            in_flight=_in_flight(box.limits_rps[name], measured[name]),
            replicas=max((one.replicas for one in measured[name] if one.replicas), default=None),
        )
        for number, name in enumerate(names)
    ]


def _paths(context: Mapping[str, Any], names: Sequence[str]) -> dict[str, str]:
    """Return the path of each function: that of its address where paths tell all functions apart, else its name."""
    node = context.get("node")
    about = node if isinstance(node, Mapping) else {}
    urls = about.get("urls")
    known = urls if isinstance(urls, Mapping) else {}
    paths = {name: urlsplit(str(known.get(name, ""))).path.rstrip("/") for name in names}
    nested = any(f"{one}/".startswith(f"{other}/") for a, one in paths.items() for b, other in paths.items() if a != b)
    if all(map(_PATH.fullmatch, paths.values())) and not nested:
        return paths
    folder = "/function" if about.get("kind") == "openfaas" else ""
    return {name: f"{folder}/{name}" for name in names}


def _at_limits(node_map: NodeMap, box: Box, name: str) -> Iterator[FunctionMeasurement]:
    """Yield the measurements of a function in the configuration that has all functions of the box at their limits."""
    runs: list[ExecutionEvent] = node_map.runs[config_key(box.proved_by[0])]
    for run in runs:
        yield from (one for one in run.functions if one.name == name)


def _in_flight(limit_rps: int, measured: Sequence[FunctionMeasurement]) -> float | None:
    """Return the mean number of requests in flight at a limit: rate times latency (Little's law)."""
    latencies_ms = [one.mean_ms for one in measured if one.mean_ms is not None]
    return limit_rps * median(latencies_ms) / 1000 if latencies_ms else None


def slots_per_replica(function: Limited) -> int:
    """Return how many requests each instance serves at once at the limit, rounded up.

    Raises:
        ConfigError: no latency was measured.
    """
    if function.in_flight is None:
        raise ConfigError(f"snippet: no latency of {function.name} was measured, so its requests at once are not known")
    return max(1, math.ceil(function.in_flight / (function.replicas or 1)))
