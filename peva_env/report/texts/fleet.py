"""The nodes of a fleet side by side, as the rows of tables."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from peva_env.contracts import Verdict, ending_text
from peva_env.maps import NodeMap
from peva_env.report.texts.certificate import load_to_plan_with
from peva_env.report.texts.formats import count_text, isolated, load_text, span_text

NONE = "–"
_LONGEST = 60
_OF_DIGEST = 12
_DIGEST_DIGITS = 32
"""A text of at least this many hex digits is a digest, of which the first ones are shown."""

NODE_COLUMNS = ("campaign", "configurations", "runs", "machine time", "k6", "highest OK load")


def functions_of(maps: Mapping[str, NodeMap]) -> Sequence[str]:
    """Return the functions of all nodes, sorted."""
    return sorted({name for one in maps.values() for name in one.known.space.functions})


def node_row(one: NodeMap) -> Sequence[str]:
    """Return a node as texts under ``NODE_COLUMNS``."""
    last, known, highest = one.campaigns[-1:], one.known, load_to_plan_with(one)
    versions = dict.fromkeys(campaign.k6_version for campaign in one.campaigns if campaign.k6_version)
    return [
        ending_text(last[0].status, last[0].detail) if last else NONE,
        f"{known.n_configs - known.n_unknown:,} of {known.n_configs:,} known, {len(one.runs):,} measured",
        f"{len(one.events):,}",
        span_text(one.cost_s),
        ", ".join(versions) or NONE,
        f"{load_text(highest)} rps" if highest else NONE,
    ]


def limit_alone(one: NodeMap, function: str) -> str:
    """Return what is known of a function while no other is called: its highest OK and lowest overloaded rate."""
    space = one.known.space
    if function not in space.functions:
        return NONE
    rates = [rate for rate in space.rates_rps[space.functions.index(function)] if rate]
    alone = [(rate, config) for rate in rates if (config := [(function, rate)]) in space and one.known.counts(config)]
    if not alone:
        return "not alone"
    verdicts = {rate: one.known.verdict(config) for rate, config in alone}
    ok = max((rate for rate, verdict in verdicts.items() if verdict is Verdict.OK), default=None)
    over = min((rate for rate, verdict in verdicts.items() if verdict is Verdict.OVERLOADED), default=None)
    said = [f"OK to {ok:,}"] if ok is not None else []
    said += [f"overloaded from {over:,}"] if over is not None else []
    return ", ".join(said) or "unknown"


def all_nodes(maps: Mapping[str, NodeMap]) -> str:
    """Say how many nodes there are, and what they cost together."""
    n_runs = sum(len(one.events) for one in maps.values())
    took = span_text(sum(one.cost_s for one in maps.values()))
    running = [name for name, one in maps.items() if one.is_running]
    still = f" Still running: {', '.join(map(isolated, running))}." if running else ""
    return f"{count_text(len(maps), 'node')}, {count_text(n_runs, 'run')}, {took} of machine time.{still}"


def differing(maps: Mapping[str, NodeMap]) -> tuple[Sequence[str], Mapping[str, Sequence[str]]]:
    """Return the entries of the contexts that are not the same on all nodes, and their texts on each node.

    The name of a node is left out where it is the one by which the node is shown.
    """
    entries = {
        name: {key: text for key, text in _entries(one.context) if (key, text) != ("node.name", name)}
        for name, one in maps.items()
    }
    keys = dict.fromkeys(key for own in entries.values() for key in sorted(own))
    differ = [key for key in keys if len({own.get(key, "") for own in entries.values()}) > 1]
    return differ, {name: [_short(own.get(key) or NONE) for key in differ] for name, own in entries.items()}


def _entries(data: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, str]]:
    """Yield the entries of nested plain data, with texts as their values."""
    for key, value in data.items():
        where = f"{path}.{key}" if path else str(key)
        if isinstance(value, Mapping):
            yield from _entries(value, where)
        else:
            yield where, value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _short(text: str) -> str:
    if len(text) >= _DIGEST_DIGITS and set(text) <= set("0123456789abcdef"):
        return f"{text[:_OF_DIGEST]}…"
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"
