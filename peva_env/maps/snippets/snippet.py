"""The snippet of a program: a heading that says what it rests on, then its configuration."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from peva_env.errors import ConfigError
from peva_env.maps.limits import Box
from peva_env.maps.node_map import NodeMap
from peva_env.maps.snippets.functions import Limited, limited_functions
from peva_env.maps.snippets.k6 import k6_script
from peva_env.maps.snippets.platforms import knative, openfaas
from peva_env.maps.snippets.proxies import envoy, haproxy, nginx
from peva_env.space import config_text
from peva_env.system import one_line

_WRITERS: Mapping[str, Callable[[list[Limited], Mapping[str, Any]], str]] = {
    "nginx": nginx,
    "haproxy": haproxy,
    "envoy": envoy,
    "knative": knative,
    "openfaas": openfaas,
    "k6": k6_script,
}
"""What writes the configuration of each program; it is given the functions and the map's context."""

SNIPPETS: tuple[str, ...] = tuple(_WRITERS)
"""The programs for which there are snippets."""


def snippet(program: str, node_map: NodeMap, box: Box | None) -> str:
    """Return a box of limits as the configuration of a program.

    Args:
        program: a name of ``SNIPPETS``.
        node_map: the map that the box is of.
        box: the limits; None if none is proved.

    Raises:
        ConfigError: there is no such program, nothing is safe, a name cannot be written, or what a program needs was
            not measured.
    """
    if program not in SNIPPETS:
        raise ConfigError(f"snippet {program!r}: must be one of {', '.join(SNIPPETS)}")
    if box is None:
        raise ConfigError(
            "snippet: no limit of a function is proved to hold whatever the others do, so there is none to write"
        )
    body = _WRITERS[program](limited_functions(node_map, box), node_map.context)
    mark = "//" if program == "k6" else "#"
    return "\n".join(f"{mark} {line}" for line in _heading(node_map, box)) + f"\n{body}"


def _heading(node_map: NodeMap, box: Box) -> Iterator[str]:
    yield one_line(
        f"peva-env limits: node {node_map.node}, context {node_map.context_hash}, repetition {node_map.repetition}."
    )
    yield "Each function may be called at any rate up to its limit, whatever the others do within theirs."
    for config in box.proved_by:
        confidence = node_map.confidence(config)
        sure = (
            ""
            if confidence is None
            else f" with a confidence of {'over ' if confidence > 0.999 else ''}{min(confidence, 0.999):.3f}"
        )
        yield one_line(f"Follows from {config_text(config)}, which was OK{sure}.")
    yield "The paths are those that were measured, or else the names of the functions: adapt them."
    for limit in box.limits:
        if not limit.limit_rps:
            yield one_line(f"{limit.function}: no load of it is proved safe beside the others. Do not route to it.")
        elif limit.is_lower_bound:
            lower_bound = f"{limit.limit_rps} requests/s is a lower bound; no higher rate was proved overloaded."
            yield one_line(f"{limit.function}: {lower_bound}")
