"""The plan of a run: the requests of each function, and the k6 scenarios that send them."""

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from peva_env.config import ExpectConfig, require_sendable
from peva_env.errors import ConfigError
from peva_env.sources.k6.backlog import SEGMENTS

FAILURE_KINDS = (
    "timeout",
    "connection_refused",
    "connection_reset",
    "connection_dns",
    "connection_tls",
    "connection_other",
    "generator_files",
    "generator_ports",
    "status_3xx",
    "status_404",
    "status_429",
    "status_4xx",
    "status_5xx",
    "unexpected",
    "other",
)
"""The kinds of failed requests. ``status_4xx`` is any but 404 and 429; ``connection_other`` is mostly a connection that
was closed without a response. ``generator_files`` and ``generator_ports`` are requests that k6 could not send, because
its own machine had no file descriptor or no local port left. ``unexpected`` is an answer that is not what ``expect`` of
its function asks for, with a status of 200 to 299. If nearly all requests end in ``status_404`` or
``connection_refused``, the address is wrong or the function is missing; the caller must not count such a run as
overload."""

STOP_MARGIN_S = 1.0
"""Seconds after the last timeout at which k6 aborts running requests. Aborted requests would be missing from all
counts, so the margin is generous. It costs no time, since k6 ends with the last request."""

TREND_STATS = ("avg", "med", "p(90)", "p(95)", "p(99)", "count")
"""The statistics of latencies that the summary holds."""

STALLS = "peva_stalls"
"""The metric of the times during which k6 stood still, in ms."""

_PULSE_MS = 50
_LATE_MS = 50

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # RFC 9110, section 5.6.2


@dataclass(frozen=True, slots=True)
class FunctionLoad:
    """The load on one function: ``rate_rps`` requests per second, each the same.

    ``slow_ms`` are latencies in whole ms; k6 counts the successful requests above each.

    Raises:
        ConfigError: a value cannot be sent unchanged, for example a header with a line break.
    """

    name: str
    rate_rps: int
    url: str
    method: str = "GET"
    body: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    expect: ExpectConfig | None = None
    slow_ms: Sequence[int] = ()

    def __post_init__(self) -> None:
        """Check that every value reaches the function unchanged."""
        url = urlsplit(self.url)
        if self.rate_rps < 0:
            self._refuse(f"rate_rps = {self.rate_rps}: must be at least 0")
        if url.scheme not in ("http", "https") or not url.hostname or re.search(r"\s", self.url):
            self._refuse(f"url = {self.url!r}: must be an http:// or https:// address without blanks")
        if not _TOKEN.fullmatch(self.method):
            self._refuse(f"method = {self.method!r}: is not an HTTP method")
        try:
            require_sendable(self.headers, self.body)
        except ValueError as error:
            self._refuse(str(error))

    def _refuse(self, problem: str) -> None:
        raise ConfigError(f"function {self.name!r}: {problem}")


def scenario(index: int, step: str = "") -> str:
    """Return the name of the scenario for the function at this position; k6 allows few characters in names.

    ``step`` is the name of a step of a stepped run; empty in a run of one configuration.
    """
    return f"{step}f{index}"


def warm_up_scenario(index: int) -> str:
    """Return the name of the scenario that warms this function up; nothing of it is counted."""
    return f"w{index}"


def k6_requests(loads: Sequence[FunctionLoad], timeout_s: float) -> list[dict[str, Any]]:
    """Return the requests that load.js sends, one per function, and the answers that count as success."""
    return [
        {
            "method": load.method,
            "url": load.url,
            "body": load.body or None,
            "params": {"headers": dict(load.headers), "timeout": timeout_s * 1000, "redirects": 0},
        }
        | ({"expect": load.expect.model_dump(exclude_none=True)} if load.expect else {})
        | ({"slow_ms": list(load.slow_ms)} if load.slow_ms else {})
        for load in loads
    ]


def k6_options(
    loads: Sequence[FunctionLoad],
    *,
    duration_s: float,
    warm_up_s: float = 0.0,
    timeout_s: float,
    max_vus: int,
    tags: Mapping[str, str],
    most_failures: Sequence[int] | None = None,
    step: str = "",
    start_s: float = 0.0,
    generators: int = 1,
) -> dict[str, Any]:
    """Return k6's options: one scenario per function with load, and the metrics that the summary must hold.

    ``generators`` is the number of k6 that share the run. The options are those of the whole run, which k6's execution
    segments divide; ``max_vus`` is the limit of each.

    With ``most_failures``, one number per function, k6 aborts the run when a function has more failed requests, or more
    dropped requests, than its number. k6 checks every two seconds.

    ``step`` names a step of a stepped run, which begins ``start_s`` seconds after the start of the load.
    """
    shares_rps = [load.rate_rps / generators for load in loads]
    vus = [generators * n for n in virtual_users(shares_rps, timeout_s=timeout_s, max_vus=max_vus)]
    active = [index for index, load in enumerate(loads) if load.rate_rps]

    def constant_load(index: int, start_s: float, length_s: float) -> dict[str, Any]:
        return {
            "executor": "constant-arrival-rate",
            "startTime": _milliseconds(start_s),
            "rate": loads[index].rate_rps,
            "timeUnit": "1s",
            "duration": _milliseconds(length_s),
            "preAllocatedVUs": vus[index],
            "maxVUs": vus[index],
            "gracefulStop": _milliseconds(timeout_s + STOP_MARGIN_S),
            "env": {"PEVA_REQUEST": str(index), "PEVA_SEGMENT_MS": str(1000 * length_s / SEGMENTS)},
            "tags": {"function": loads[index].name},
        }

    warm_up = {warm_up_scenario(index): constant_load(index, start_s, warm_up_s) for index in active if warm_up_s}
    measured_s = start_s + warm_up_s
    scenarios = {scenario(index, step): constant_load(index, measured_s, duration_s) for index in active}
    submetrics = (_submetrics(scenario(index, step), loads[index]) for index in active)
    return {
        "scenarios": warm_up | scenarios | {_pulse_scenario(step): _pulse(measured_s, duration_s, generators)},
        "thresholds": {name: [rule] for metrics in submetrics for name, rule in metrics.items()}
        | {stalls(step): ["avg>=0"]}
        | {
            name: rules
            for index in active
            if most_failures
            for name, rules in _ends(scenario(index, step), most_failures[index])
        },
        "discardResponseBodies": True,
        "systemTags": ["expected_response", "scenario"],
        "summaryTrendStats": list(TREND_STATS),
        "tags": dict(tags),
    }


def virtual_users(rates_rps: Sequence[float], *, timeout_s: float, max_vus: int) -> list[int]:
    """Return the number of virtual users of each function.

    ``rate * timeout + 1`` are enough to send every request on time even if all of them time out. If that is more than
    ``max_vus`` in total, each function gets its share: requests that take longer than ``max_vus / total rate`` seconds
    then cause dropped requests instead of timeouts; both are failures.
    """
    needed = [math.ceil(rate * timeout_s) + 1 if rate else 0 for rate in rates_rps]
    share = min(1.0, max_vus / max(1, sum(needed)))
    return [max(1, int(count * share)) if count else 0 for count in needed]


def _pulse(start_s: float, duration_s: float, generators: int) -> dict[str, Any]:
    """Return a scenario that sends nothing; it wakes every 50 ms, and too late only if k6 itself is late.

    After a stall k6 starts all due iterations at once. The node then gets a burst of requests, which the counts of the
    other scenarios do not show.
    """
    run_ms = str(round(duration_s * 1000))
    return {
        "executor": "per-vu-iterations",
        "exec": "pulse",
        "startTime": _milliseconds(start_s),
        "vus": generators,  # one of each k6
        "iterations": 1,
        "maxDuration": _milliseconds(duration_s + STOP_MARGIN_S),
        "gracefulStop": "0s",
        "env": {"PEVA_RUN_MS": run_ms, "PEVA_PULSE_MS": str(_PULSE_MS), "PEVA_LATE_MS": str(_LATE_MS)},
    }


def _submetrics(name: str, load: FunctionLoad) -> dict[str, str]:
    """Return thresholds that always hold; they put metrics per scenario into the summary, which k6 omits otherwise."""
    counters = [f"{metric}{{scenario:{name}}}" for metric in ("iterations", "dropped_iterations", "http_reqs")]
    counters += [f"peva_failures{{scenario:{name},kind:{kind}}}" for kind in FAILURE_KINDS]
    counters += [slow_requests(name, slow_ms) for slow_ms in load.slow_ms]
    latencies = [success_latency(name), *(segment_latency(name, segment) for segment in range(SEGMENTS))]
    if load.expect and load.expect.reads_body:
        latencies.append(success_latency(name, read_bodies=True))
    return dict.fromkeys(counters, "count>=0") | dict.fromkeys(latencies, "avg>=0")


def stalls(step: str = "") -> str:
    """Return the metric of the times during which k6 stood still, in ms; see ``_pulse``."""
    return f"{STALLS}{{scenario:{_pulse_scenario(step)}}}" if step else STALLS


def _pulse_scenario(step: str) -> str:
    return f"{step}pulse"


def success_latency(name: str, *, read_bodies: bool = False) -> str:
    """Return the metric of the latencies of a scenario's successful requests.

    k6's own metric knows the status of an answer. With ``read_bodies`` the body decides, too, and the metric is ours.
    """
    return (
        f"peva_latency{{scenario:{name}}}"
        if read_bodies
        else f"http_req_duration{{scenario:{name},expected_response:true}}"
    )


def segment_latency(name: str, segment: int) -> str:
    """Return the metric of the latencies of the successful requests that were sent in one segment of the run."""
    return f"peva_latency{{scenario:{name},segment:{segment}}}"


def slow_requests(name: str, slow_ms: int) -> str:
    """Return the metric that counts the successful requests of a scenario whose latency is above ``slow_ms``."""
    return f"peva_slow{{scenario:{name},above:{slow_ms}}}"


def _ends(name: str, most: int) -> Iterator[tuple[str, list[Any]]]:
    """Yield thresholds that end the run. k6 cannot add up the two counts, so each has its own threshold."""
    end = {"threshold": f"count<={most}", "abortOnFail": True}
    yield f"peva_failures{{scenario:{name}}}", [end]
    yield f"dropped_iterations{{scenario:{name}}}", ["count>=0", end]


def _milliseconds(seconds: float) -> str:
    return f"{round(seconds * 1000)}ms"
