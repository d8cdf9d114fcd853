"""Whether runs are long enough for the rules: a share or a percentile needs a number of requests."""

import math
from collections.abc import Iterator

from peva_env.config import LATENCIES, DfaasConfig
from peva_env.planning.plan import DfaasPlanBuilder

_TOLERATED_EXCESS = 0.1
"""Load beyond the capacity, as a share of it, that may stay unseen."""

_PERCENTILES = {"p50_ms": 0.50, "p90_ms": 0.90, "p95_ms": 0.95, "p99_ms": 0.99}


def too_short_for(config: DfaasConfig) -> str | None:
    """Return which rule the runs of a plan are too short for, and how long they would have to be; None if for no rule.

    A rule on a share ``m`` of the requests, such as a success rate of at least 0.99 or the 99th percentile, needs
    ``1 / (1 - m)`` requests: with fewer, one request decides it. The lowest rate of each function counts.
    """
    needs = sorted(_needs(config), reverse=True)
    if not needs:
        return None
    needed_s, name, rate_rps, rule = needs[0]
    n = math.floor(rate_rps * config.duration_s)
    n_more = len({rule for *_, rule in needs}) - 1
    more = f" for it and {n_more} other rule{'' if n_more == 1 else 's'}" if n_more else ""
    return (
        f"duration = {config.duration}: {name} at {rate_rps} rps gets {n} request{'' if n == 1 else 's'}, too few for "
        f"{rule}; runs of {needed_s:g}s are long enough{more}"
    )


def hidden_overload(config: DfaasConfig) -> str | None:
    """Return why overload by a queue without a limit stays unseen; None if it does not.

    Without the rule on the backlog, only failed requests tell of such a queue. These begin when the wait exceeds the
    timeout: above ``1 + timeout / duration`` times the capacity.
    """
    share = config.timeout_s / config.duration_s
    unseen = [one.name for one in config.functions if not config.overload.limits_of(one.name).backlog]
    if not unseen or share <= _TOLERATED_EXCESS:
        return None
    return (
        f"timeout = {config.timeout}: is long for a duration of {config.duration}; without the rule overload.backlog, "
        f"a queue hides up to {share:.0%} of excess load on {', '.join(unseen)}: switch the rule on, or give a "
        f"duration of {math.ceil(config.timeout_s / _TOLERATED_EXCESS)}s or more"
    )


def _needs(config: DfaasConfig) -> Iterator[tuple[int, str, int, str]]:
    """Yield each rule that the runs are too short for: the seconds it needs, function, lowest rate, and its text."""
    space = DfaasPlanBuilder(config).build_space()
    for name, rates in zip(space.functions, space.rates_rps, strict=True):
        lowest = min((int(rate) for rate in rates if rate), default=0)
        for share, rule in _shares(config, name) if lowest else ():
            requests = math.ceil(round(1 / (1 - share), 6))
            if lowest * config.duration_s < requests:
                yield math.ceil(requests / lowest), name, lowest, rule


def _shares(config: DfaasConfig, function: str) -> Iterator[tuple[float, str]]:
    """Yield the share of requests that each rule on a function is about, below 1, and the rule's text."""
    limits = config.overload.limits_of(function)
    success = {"success rate": limits.success_rate_min, "mean success rate": config.overload.success_rate_node_min}
    for what, least in success.items():
        if least is not None and least < 1:
            yield least, f"a {what} of at least {least:g}"
    for latency, limit_ms in zip(LATENCIES, limits.latencies_ms, strict=True):
        if limit_ms is not None and latency in _PERCENTILES:
            yield _PERCENTILES[latency], f"{latency}_max"
