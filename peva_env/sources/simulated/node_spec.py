"""A simulated node as plain data: cores, memory, and the needs of a request to each function."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import Field, ValidationError

from peva_env.config import Section, explain_problem
from peva_env.errors import ConfigError
from peva_env.sources.simulated.node_model import MAX_CORES, OVERHEAD_S, Nodes

_MIB = 2.0**20


class SimulatedFunction(Section):
    """A function: the needs of a request, and the number of requests served at once."""

    cpu_ms: float = Field(gt=0, le=600_000, description="CPU time of a request")
    io_ms: float = Field(0, ge=0, le=600_000, description="time in which a request only holds its slot")
    concurrency: int = Field(ge=1, le=1_000_000, description="requests served at once; more are answered 503")
    base_mib: float = Field(0, ge=0, le=1e9, description="memory without requests")
    request_mib: float = Field(0, ge=0, le=1e9, description="memory of each request in flight")


class SimulatedNode(Section):
    """A node: its capacity and its functions."""

    cores: int = Field(ge=1, le=MAX_CORES)
    ram_mib: float = Field(ge=1, le=1e9)
    idle_cpu_pct: float = Field(0, ge=0, le=95, description="CPU in use without load, percent of all cores")
    functions: dict[str, SimulatedFunction] = Field(min_length=1)


PRESETS: Mapping[str, Mapping[str, Any]] = {
    "local": {
        "cores": 2,
        "ram_mib": 24_576,
        "functions": {
            "checkout": {"cpu_ms": 3.0, "io_ms": 20, "concurrency": 4, "base_mib": 39, "request_mib": 0.1},
            "fetch": {"cpu_ms": 1.0, "io_ms": 50, "concurrency": 5, "base_mib": 43, "request_mib": 0.1},
            "primes": {"cpu_ms": 5.4, "io_ms": 0, "concurrency": 8, "base_mib": 40, "request_mib": 0.1},
            "thumbnail": {"cpu_ms": 1.7, "io_ms": 50, "concurrency": 10, "base_mib": 43, "request_mib": 8},
        },
    }
}
"""Nodes by name. ``local`` is the embedded local node with its shipped functions on the two cores on which it was
measured: CPU time by what a request used there, that of the server included; see docs/simulation.md."""


def parse_node(node: Mapping[str, Any] | str) -> SimulatedNode:
    """Validate a node given as plain data, by the name of a preset, or by the path of a JSON file.

    Raises:
        ConfigError: a key or value is wrong, the preset is unknown, or the file cannot be read; the message is one line
            that names it.
    """
    file = ""
    if isinstance(node, str) and node.endswith(".json"):
        file, node = f"{node}: ", _read(node)
    elif isinstance(node, str):
        if node not in PRESETS:
            presets = ", ".join(sorted(PRESETS))
            raise ConfigError(f"simulated node {node!r}: must be random, {presets}, a .json file, or a mapping")
        node = PRESETS[node]
    try:
        return SimulatedNode.model_validate(node)
    except ValidationError as error:
        raise ConfigError(f"{file}{_first(error)}") from error


def _read(path: str) -> Any:
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        why = error.strerror if isinstance(error, OSError) else "is no JSON"
        raise ConfigError(f"node = {path!r}: cannot be read: {why}; `peva-env twin --out {path}` writes one") from error


def build_node(node: SimulatedNode, functions: Sequence[str]) -> Nodes:
    """Return a node that runs ``functions``, in this order.

    Raises:
        ConfigError: the node lacks a function.
    """
    missing = [name for name in functions if name not in node.functions]
    if missing:
        raise ConfigError(f"the simulated node has no function {missing[0]!r}; it has {', '.join(node.functions)}")
    chosen = [node.functions[name] for name in functions]

    def column(key: str, unit: float = 1.0) -> np.ndarray[Any, np.dtype[np.float64]]:
        return np.array([[getattr(function, key) * unit] for function in chosen], np.float64)

    return Nodes.of(
        cores=np.array([node.cores], np.float64),
        ram_bytes=np.array([node.ram_mib * _MIB]),
        idle=np.array([node.idle_cpu_pct / 100]),
        cpu_s=column("cpu_ms", 1e-3),
        held_s=column("io_ms", 1e-3) + OVERHEAD_S,
        slots=column("concurrency"),
        base_bytes=column("base_mib", _MIB),
        request_bytes=column("request_mib", _MIB),
    )


def _first(error: ValidationError) -> str:
    """Return the first problem in one line. ``explain`` takes a path of keys, and a function's name is not a key."""
    problems = error.errors()
    more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
    where, *inner = problems[0]["loc"] or ("",)
    if where == "functions" and len(inner) > 1:
        problem = explain_problem({**problems[0], "loc": tuple(inner[1:])}, SimulatedFunction)
        return f"node.functions.{inner[0]}.{problem}{more}"
    within = "." if where else ": "
    return f"node{within}{explain_problem(problems[0], SimulatedNode)}{more}"
