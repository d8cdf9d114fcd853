"""Limits as configuration of reverse proxies: nginx, HAProxy and Envoy."""

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

import yaml

from peva_env.maps.snippets.functions import Limited

_SHORT_S = 0.1
"""A proxy lets at most this much of a second's requests through at once, and lets requests wait this long."""

_FEWEST_IN_A_PERIOD = 10
"""HAProxy counts at least so many requests in a period, so that loads near the limit are not denied by chance."""

_LEAST_FILL_S = 0.05
"""The shortest interval at which Envoy fills a token bucket."""

_ENVOY_FILTER = "envoy.filters.http.local_ratelimit"
_ENVOY_TYPE = "type.googleapis.com/envoy.extensions.filters.http.local_ratelimit.v3.LocalRateLimit"


def nginx(functions: Sequence[Limited], context: Mapping[str, Any]) -> str:  # noqa: ARG001 - all are called alike
    """Return directives for the ``http`` block: requests are spaced out, wait a tenth of a second, or are answered 429.

    A request whose key is empty is not limited, so each zone counts the requests of one path only.
    """
    lines = ["# For the http block of nginx; a location with a limit_req of its own does not inherit these.", ""]
    for one in functions:
        lines += [
            f"map $uri $peva_{one.key} {{",
            '    default "";',
            f'    "~^{re.escape(one.path)}(/|$)" {one.key};',
            "}",
            f"limit_req_zone $peva_{one.key} zone=peva_{one.key}:64k rate={one.limit_rps}r/s;",
            f"limit_req zone=peva_{one.key} burst={max(1, math.floor(one.limit_rps * _SHORT_S))};",
            "",
        ]
    return "\n".join([*lines, "limit_req_status 429;"])


def haproxy(functions: Sequence[Limited], context: Mapping[str, Any]) -> str:  # noqa: ARG001
    """Return a table for each function, and lines for the frontend: requests above the limit are answered 429.

    The counter counts requests that were let through. ``http_req_rate`` would count those denied, too: above the limit
    it would deny all. A table lets the requests of one period through at once, so the period is short.
    """
    tables, rules = ["# Sections of their own:"], ["", "# For the frontend, above use_backend:"]
    for one in functions:
        name = f"peva_{one.key}"
        n = max(_FEWEST_IN_A_PERIOD, math.floor(one.limit_rps * _SHORT_S))
        period_ms = math.ceil(1000 * n / one.limit_rps)
        tables += [
            f"backend {name}",
            f"    stick-table type string len 16 size 10 expire 10m store gpc0,gpc0_rate({period_ms}ms)",
        ]
        rules += [
            f"    acl {name} path {one.path}",
            f"    acl {name} path_beg {one.path}/",
            f"    http-request track-sc0 str(all) table {name} if {name}",
            f"    http-request deny deny_status 429 if {name} {{ sc0_gpc0_rate({name}) ge {n} }}",
            f"    http-request sc-inc-gpc0(0) if {name}",
        ]
    return "\n".join([*tables, *rules])


def envoy(functions: Sequence[Limited], context: Mapping[str, Any]) -> str:  # noqa: ARG001
    """Return a filter for the HTTP connection manager, and a route for each function with a token bucket of its own."""
    http_filter = {
        "name": _ENVOY_FILTER,
        "typed_config": {"@type": _ENVOY_TYPE, "stat_prefix": "peva_limits"},
    }
    parts = {"http_filters": [http_filter], "routes": [_envoy_route(one) for one in functions]}
    about = "# http_filters: before envoy.filters.http.router; routes: of the virtual host. One bucket a process.\n"
    return about + yaml.safe_dump(parts, sort_keys=False).rstrip()


def _envoy_route(one: Limited) -> dict[str, Any]:
    tokens = max(1, math.floor(one.limit_rps * _SHORT_S))
    fill_s = max(_LEAST_FILL_S, math.ceil(tokens / one.limit_rps * 1000) / 1000)
    limit = {
        "@type": _ENVOY_TYPE,
        "stat_prefix": f"peva_{one.key}",
        "token_bucket": {"max_tokens": tokens, "tokens_per_fill": tokens, "fill_interval": f"{fill_s:g}s"},
        "filter_enabled": _always(f"peva_{one.key}_enabled"),
        "filter_enforced": _always(f"peva_{one.key}_enforced"),
    }
    return {
        "match": {"path_separated_prefix": one.path},
        "route": {"cluster": one.name},
        "typed_per_filter_config": {_ENVOY_FILTER: limit},
    }


def _always(runtime_key: str) -> dict[str, Any]:
    return {"runtime_key": runtime_key, "default_value": {"numerator": 100, "denominator": "HUNDRED"}}
