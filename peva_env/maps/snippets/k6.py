"""Limits as a k6 script: it sends all functions at their limits, and its thresholds are the overload rules."""

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

from peva_env.config import LATENCIES, OverloadConfig
from peva_env.maps.snippets.functions import Limited
from peva_env.memory import rules_in

_USUAL_DURATION_S, _USUAL_TIMEOUT_S = 30.0, 5.0
_ROUNDING = 1e-6
"""What rounding can take from a sum of shares that is exactly at its limit."""

_STATISTICS = {"mean_ms": "avg", "p50_ms": "med", "p90_ms": "p(90)", "p95_ms": "p(95)", "p99_ms": "p(99)"}
"""k6's name of each latency that a rule can limit."""

_SCRIPT = """\
// k6 run -e BASE_URL=https://my.node limits.js ends with 0 if the node bears the limits, with 99 if not.
// CPU, RAM, replicas, backlog, headers and the contents of answers are not checked.
import http from 'k6/http';
import exec from 'k6/execution';
import {{ Counter }} from 'k6/metrics';

const BASE_URL = __ENV.BASE_URL || 'http://127.0.0.1:8080';
const FUNCTIONS = {functions};

// Successes of each function, and the mean success rate of all functions; both over the offered requests.
const succeeded = new Counter('succeeded');
const meanSuccess = new Counter('mean_success');

export const options = {options};

export default function () {{
  const one = FUNCTIONS[exec.scenario.name];
  const expected = http.expectedStatuses(...one.statuses);
  const params = {{ timeout: one.timeout, redirects: 0, responseCallback: expected }};
  const answer = http.request(one.method, BASE_URL + one.path, one.body, params);
  const isOk = one.statuses.some(({{ min, max }}) => answer.status >= min && answer.status <= max);
  succeeded.add(isOk ? 1 : 0);
  meanSuccess.add(isOk ? one.share : 0);
}}"""


def k6_script(functions: Sequence[Limited], context: Mapping[str, Any]) -> str:
    """Return the script. A success rate is over *offered* requests: those that k6 drops count as failures."""
    stored = rules_in(context)
    rules = stored.overload if stored else OverloadConfig()
    duration_s = _number(context.get("duration_s"), _USUAL_DURATION_S)
    timeout_s = _number(context.get("timeout_s"), _USUAL_TIMEOUT_S)
    requests = {one.key: _request(one, context, duration_s * len(functions), timeout_s) for one in functions}
    thresholds: dict[str, list[str]] = {}
    if rules.success_rate_node_min is not None:
        thresholds["mean_success"] = [f"count>={rules.success_rate_node_min - _ROUNDING:g}"]
    for one in functions:
        thresholds |= _thresholds(one, rules, duration_s)
    options = {
        "discardResponseBodies": True,
        "scenarios": {one.key: _scenario(one, duration_s, timeout_s) for one in functions},
        "thresholds": thresholds,
    }
    return _SCRIPT.format(functions=json.dumps(requests, indent=2), options=json.dumps(options, indent=2))


def _request(one: Limited, context: Mapping[str, Any], seconds: float, timeout_s: float) -> dict[str, Any]:
    """Return a function's request; ``share`` is one success as a share of the mean success rate."""
    all_functions = context.get("functions")
    own = all_functions.get(one.name) if isinstance(all_functions, Mapping) else None
    asked = own if isinstance(own, Mapping) else {}
    return {
        "method": str(asked.get("method") or "GET"),
        "path": one.path,
        "body": str(asked.get("body") or "") or None,
        "statuses": _statuses(asked),
        "timeout": f"{timeout_s:g}s",
        "share": 1 / (one.limit_rps * seconds),
    }


def _statuses(asked: Mapping[str, Any]) -> list[Any]:
    """Return the statuses of a success, as k6 writes them."""
    expect = asked.get("expect")
    statuses = expect.get("status") if isinstance(expect, Mapping) else None
    return [{"min": int(one), "max": int(one)} for one in statuses] if statuses else [{"min": 200, "max": 299}]


def _scenario(one: Limited, duration_s: float, timeout_s: float) -> dict[str, Any]:
    vus = math.ceil(one.limit_rps * timeout_s) + 1
    return {
        "executor": "constant-arrival-rate",
        "rate": one.limit_rps,
        "timeUnit": "1s",
        "duration": f"{duration_s:g}s",
        "preAllocatedVUs": vus,
        "maxVUs": vus,
        "gracefulStop": f"{timeout_s + 0.1:g}s",
    }


def _thresholds(one: Limited, rules: OverloadConfig, duration_s: float) -> dict[str, list[str]]:
    limits = rules.limits_of(one.name)
    thresholds = {}
    if limits.success_rate_min is not None:
        least = math.ceil(limits.success_rate_min * one.limit_rps * duration_s - _ROUNDING)
        thresholds[f"succeeded{{scenario:{one.key}}}"] = [f"count>={least}"]
    latencies = [
        f"{_STATISTICS[name]}<={limit_ms:g}"
        for name, limit_ms in zip(LATENCIES, limits.latencies_ms, strict=True)
        if limit_ms is not None
    ]
    if latencies:
        thresholds[f"http_req_duration{{scenario:{one.key},expected_response:true}}"] = latencies
    return thresholds


def _number(value: object, otherwise: float) -> float:
    is_number = isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < math.inf
    return float(value) if is_number else otherwise  # type: ignore[arg-type]
