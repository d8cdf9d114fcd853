"""Printing the twin of a node: the node, how well it fits, and what it would bear with one core more."""

from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.text import Text

from peva_env.console.table import print_table
from peva_env.console.text import config_text, say
from peva_env.maps import NodeMap, Twin, TwinCapacity, TwinFit
from peva_env.system import one_line

_HEADS = ("function", "CPU ms", "I/O ms", "slots", "MiB at rest", "MiB a request")


def print_twin(console: Console, node_map: NodeMap, twin: Twin, capacities: Mapping[int, TwinCapacity]) -> None:
    """Print a twin; ``capacities`` are what it bears with some numbers of cores."""
    node: Mapping[str, Any] = twin.node
    size = f"{node['cores']} cores, {node['idle_cpu_pct']:.0f} % in use without load, {node['ram_mib']:,.0f} MiB of RAM"
    say(console, f"The twin of node {node_map.node}: {size}\n")
    rows = [
        (
            one_line(name),
            *(f"{one[key]:g}" for key in ("cpu_ms", "io_ms", "concurrency", "base_mib", "request_mib")),
        )
        for name, one in node["functions"].items()
    ]
    print_table(console, _HEADS, rows)
    say(console, "")
    _print_fit(console, twin.fit)
    for cores, one in capacities.items():
        highest = "none" if one.highest is None else f"{config_text(one.highest)}, {one.total_rps:,} in total"
        say(console, f"with {cores} cores: {one.n_ok:,} of {one.n_configs:,} configurations OK; the highest: {highest}")
    for warning in twin.warnings:
        say(console, Text("warning: ", "yellow") + Text(one_line(warning)))


def _print_fit(console: Console, fit: TwinFit) -> None:
    f1 = "" if fit.f1 is None else f" (F1 of OVERLOADED {fit.f1:.2f})"
    cpu = "not measured" if fit.cpu_error_pct is None else f"{fit.cpu_error_pct:.1f} points"
    say(console, f"same verdict as measured: {fit.agreement:.1%} of {fit.n_configs:,} configurations{f1}")
    say(
        console,
        f"differences: success {fit.success_error:.3f}, latency {fit.latency_error:.0%} (median), CPU {cpu}",
    )
