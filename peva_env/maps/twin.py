"""The twin of a node: a simulated node fitted to the runs of its map, and how well it fits.

The twin is plain data, the argument ``node`` of ``peva/FaasSim-v1``. It knows no more of the node than its model does,
which ``docs/simulation.md`` describes: cores that all functions share, and slots of each function. The share of the
measured configurations on which twin and node agree says whether that is enough.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from peva_env.config import DfaasConfig
from peva_env.contracts import ExecutionEvent, FunctionMeasurement
from peva_env.errors import ConfigError
from peva_env.inference import LABELS, OK_LABEL, OVERLOADED_LABEL
from peva_env.maps.node_map import NodeMap
from peva_env.memory import RULES
from peva_env.sources.simulated import Fit, MeasuredRuns, SimulatedWorld, fit_node
from peva_env.space import Config, ConfigKey, ConfigSpace, config_pairs

type Floats = NDArray[np.float64]

_USUAL_TIMEOUT_S, _USUAL_DURATION_S, _SHORTEST_S = 5.0, 30.0, 1.0
_LONGEST_S = 3600.0
_MOST_IDLE = 0.95
_MIB = 2.0**20
_USUAL_RAM_MIB = 24_576.0
"""The RAM of a twin whose node's was not measured: so much that no rule on it fires."""

_LEAST_AGREEMENT, _MOST_LATENCY_ERROR, _MOST_CPU_ERROR_PCT = 0.95, 0.2, 5.0
"""Beyond these the model does not fit, and the twin says so."""


@dataclass(frozen=True, slots=True)
class TwinFit:
    """How well a twin fits: means over the measured configurations, the twin without noise.

    ``success_error`` is the mean distance of success rates; ``latency_error`` the median relative distance of mean
    latencies; ``cpu_error_pct`` the mean distance of CPU in percentage points, None where CPU was not measured.
    ``agreement`` is the share of the configurations that have the same verdict, and ``f1`` the F1 score of OVERLOADED;
    None where neither has an overloaded one.
    """

    n_configs: int
    success_error: float
    latency_error: float
    cpu_error_pct: float | None
    agreement: float
    f1: float | None


@dataclass(frozen=True, slots=True)
class Twin:
    """A simulated node as plain data, how well it fits the measured one, and warnings where it does not."""

    node: Mapping[str, Any]
    fit: TwinFit
    warnings: tuple[str, ...]


def twin_of(node_map: NodeMap, cores: int | None = None) -> Twin:
    """Return the simulated node that responds most like the measured one.

    Args:
        node_map: the map with its runs.
        cores: the number of the node's cores; by default as in the map's context, else the one that fits best.

    Raises:
        ConfigError: a function was never loaded, or has no latency; or the map's space is too large to list.
    """
    space = node_map.known.space
    if node_map.known.labels is None:
        raise ConfigError(f"twin: {space.n_configs:,} configurations are too many; name fewer functions")
    means = _Means.of(node_map.runs, space)
    timeout_s = _timeout_s(node_map)
    fit = fit_node(means.runs, timeout_s, cores or _cores(node_map.context))
    node = _plain(fit, means, space.functions)
    labels = twin_labels(node_map, node)
    described = _described(node_map, means, fit, labels, timeout_s)
    return Twin(node, described, tuple(_warnings(described, space.functions, means)))


def twin_labels(node_map: NodeMap, node: Mapping[str, Any]) -> NDArray[np.int8]:
    """Return the label of each configuration of a map on a simulated node without noise, by the map's rules, (N,).

    Raises:
        ConfigError: the node lacks a function, or is no simulated node.
    """
    context = node_map.context
    rules = context.get(RULES)
    world = _world(
        node,
        node_map.known.space,
        duration_s=_number(context, "duration_s", _USUAL_DURATION_S),
        timeout_s=_timeout_s(node_map),
        rules=rules if isinstance(rules, Mapping) else None,
    )
    return world.truth(seed=0)


def predicted_runs(node: Mapping[str, Any] | str, config: DfaasConfig, space: ConfigSpace) -> list[ExecutionEvent]:
    """Return one run of each configuration of a campaign on a simulated node without noise, by the campaign's rules.

    Args:
        node: the node as plain data, or the path of its ``.json`` file.
        config: the campaign's configuration.
        space: its space, which is small enough to list.

    Raises:
        ConfigError: the node lacks a function, or is no simulated node.
    """
    rules = config.overload.as_context()
    world = _world(node, space, duration_s=config.duration_s, timeout_s=config.timeout_s, rules=rules)
    source, rng = world.source(seed=0), np.random.default_rng(0)
    return [source.measure(one, iteration=0, rng=rng) for one in space]


def _world(
    node: Mapping[str, Any] | str,
    space: ConfigSpace,
    *,
    duration_s: float,
    timeout_s: float,
    rules: Mapping[str, Any] | None,
) -> SimulatedWorld:
    return SimulatedWorld(
        dict(zip(space.functions, space.rates_rps, strict=True)),
        node,
        min_functions=space.min_functions,
        max_functions=space.max_functions,
        noise=0.0,
        duration_s=max(_SHORTEST_S, duration_s),
        timeout_s=timeout_s,
        rules=rules,
    )


@dataclass(frozen=True, slots=True)
class _Means:
    """The mean measurements of each measured configuration; NaN where nothing was measured."""

    keys: Sequence[ConfigKey]
    runs: MeasuredRuns
    ram_pct: Floats  # (n,)
    ram_bytes: Floats  # (n,)
    function_bytes: Floats  # (F, n)

    @classmethod
    def of(cls, runs: Mapping[ConfigKey, Sequence[ExecutionEvent]], space: ConfigSpace) -> "_Means":
        measured = {key: _mean_functions(own, space.functions) for key, own in runs.items()}
        table = np.array(list(measured.values()), np.float64).reshape(len(runs), len(space.functions), 4)
        rates_rps, success, mean_ms, function_bytes = table.transpose(2, 1, 0)
        for name, latencies in zip(space.functions, mean_ms, strict=True):
            if np.isnan(latencies).all():
                raise ConfigError(f"twin: no latency of {name} was measured; name other functions with --functions")
        nodes = [[(one.node.cpu_pct, one.node.ram_pct, one.node.ram_bytes) for one in own] for own in runs.values()]
        cpu_pct, ram_pct, ram_bytes = np.array([_mean_rows(one) for one in nodes]).T
        idle_pct = [run.node.idle_cpu_pct for own in runs.values() for run in own if run.node.idle_cpu_pct is not None]
        idle = min(float(np.median(idle_pct)) / 100, _MOST_IDLE) if idle_pct else 0.0
        measured_runs = MeasuredRuns(rates_rps, success, mean_ms / 1000, cpu_pct / 100, idle)
        return cls(list(runs), measured_runs, ram_pct, ram_bytes, function_bytes)


def _mean_functions(runs: Sequence[ExecutionEvent], functions: Sequence[str]) -> list[list[float]]:
    """Return rate, success rate, mean latency (ms) and RAM (bytes) of each function: means over some runs."""
    by_run = [{one.name: one for one in run.functions} for run in runs]
    return [_mean_rows([_row(functions_of.get(name)) for functions_of in by_run]) for name in functions]


def _row(one: FunctionMeasurement | None) -> tuple[float | None, ...]:
    return (0.0, 1.0, None, None) if one is None else (one.rate_rps, one.success_rate, one.mean_ms, one.ram_bytes)


def _mean_rows(rows: Sequence[Sequence[float | None]]) -> list[float]:
    """Return the mean of each column over the rows that have it; NaN where none has."""
    columns = ([value for value in column if value is not None] for column in zip(*rows, strict=True))
    return [float(np.mean(column)) if column else float("nan") for column in columns]


def _cores(context: Mapping[str, Any]) -> int | None:
    node = context.get("node")
    about = node if isinstance(node, Mapping) else {}
    known = (about.get(key) for key in ("cpu_count", "cores"))
    return next((value for value in known if isinstance(value, int) and value > 0), None)


def _timeout_s(node_map: NodeMap) -> float:
    """Return the timeout of a request: that of the context, else at least the longest mean latency."""
    latencies_s = (one.mean_ms / 1000 for run in node_map.events for one in run.functions if one.mean_ms is not None)
    return _number(node_map.context, "timeout_s", min(_LONGEST_S, max(_USUAL_TIMEOUT_S, *latencies_s, 0.0)))


def _number(context: Mapping[str, Any], key: str, otherwise: float) -> float:
    value = context.get(key)
    return float(value) if isinstance(value, int | float) and value > 0 else otherwise


def _plain(fit: Fit, means: _Means, functions: Sequence[str]) -> dict[str, Any]:
    """Return the fitted node as plain data, with its RAM."""
    ram_mib, base_mib, request_mib = _memory(fit, means)
    return {
        "cores": round(float(fit.nodes.cores[0])),
        "ram_mib": round(ram_mib, 1),
        "idle_cpu_pct": round(100 * float(fit.nodes.idle[0]), 2),
        "functions": {
            name: {
                "cpu_ms": round(float(fit.nodes.cpu_s[f, 0]) * 1000, 4),
                "io_ms": round(fit.io_s[f] * 1000, 4),
                "concurrency": round(float(fit.nodes.slots[f, 0])),
                "base_mib": round(float(base_mib[f]), 2),
                "request_mib": round(float(request_mib[f]), 4),
            }
            for f, name in enumerate(functions)
        },
    }


def _memory(fit: Fit, means: _Means) -> tuple[float, Floats, Floats]:
    """Return the RAM of the node, of each function at rest, and of each request in flight, in MiB.

    A linear fit of the RAM in use on the requests in flight; memory that belongs to no function is shared out evenly.
    """
    n_functions = len(means.function_bytes)
    told = ~np.isnan(means.ram_pct) & ~np.isnan(means.ram_bytes) & (means.ram_pct > 0)
    if not told.any():
        return _USUAL_RAM_MIB, np.zeros(n_functions), np.zeros(n_functions)
    total_mib = float(np.median(means.ram_bytes[told] / means.ram_pct[told])) * 100 / _MIB
    used_mib = means.ram_bytes[told] / _MIB
    in_flight = fit.served.in_flight[:, told]
    columns = np.vstack([np.ones(in_flight.shape[1]), in_flight])
    at_rest_mib, *request_mib = np.linalg.lstsq(columns.T, used_mib, rcond=None)[0].tolist()
    if min(request_mib) < 0:
        request_mib, at_rest_mib = [max(0.0, one) for one in request_mib], float(np.median(used_mib))
    return total_mib, np.full(n_functions, max(0.0, at_rest_mib) / n_functions), np.array(request_mib)


def _described(node_map: NodeMap, means: _Means, fit: Fit, labels: NDArray[np.int8], timeout_s: float) -> TwinFit:
    runs, served = means.runs, fit.served
    loaded = runs.rates_rps > 0
    told = loaded & ~np.isnan(runs.mean_s) & (served.success > 0)
    cpu_error = np.abs(served.busy - runs.cpu)
    mine = labels[[node_map.known.space.index(config_pairs(key)) for key in means.keys]] == OVERLOADED_LABEL
    verdicts = node_map.known.measured
    theirs = np.array([LABELS[verdicts[key]] == OVERLOADED_LABEL for key in means.keys])
    n_overloaded = int(mine.sum() + theirs.sum())
    return TwinFit(
        n_configs=len(means.keys),
        success_error=float(np.abs(served.success - runs.success)[loaded].mean()),
        latency_error=float(np.median(np.abs(served.mean_s(timeout_s) / runs.mean_s - 1)[told])),
        cpu_error_pct=None if np.isnan(cpu_error).all() else float(100 * np.nanmean(cpu_error)),
        agreement=float((mine == theirs).mean()),
        f1=2 * int((mine & theirs).sum()) / n_overloaded if n_overloaded else None,
    )


def _warnings(found: TwinFit, functions: Sequence[str], means: _Means) -> Iterator[str]:
    """Yield what of a node the model does not show."""
    if found.agreement < _LEAST_AGREEMENT:
        yield f"the model does not fit: twin and node agree on only {found.agreement:.1%} of the configurations"
    if found.latency_error > _MOST_LATENCY_ERROR:
        yield f"latencies of the twin are wrong by {found.latency_error:.0%} in the median"
    if found.cpu_error_pct is None:
        yield "CPU was not measured, so CPU times and cores are a guess"
    elif found.cpu_error_pct > _MOST_CPU_ERROR_PCT:
        yield f"CPU of the twin is wrong by {found.cpu_error_pct:.1f} percentage points in the mean"
    short = ((means.runs.success < 1) & (means.runs.rates_rps > 0)).any(axis=1)
    never = [name for name, was_short in zip(functions, short, strict=True) if not was_short]
    if never:
        yield f"never overloaded, so the slots are a guess: {', '.join(never)}"


@dataclass(frozen=True, slots=True)
class TwinCapacity:
    """What a simulated node bears of a map: OK configurations, and the highest total rate of one; None without any."""

    n_ok: int
    n_configs: int
    highest: Config | None
    total_rps: int | None


def twin_capacity(node_map: NodeMap, node: Mapping[str, Any]) -> TwinCapacity:
    """Return what a simulated node bears of the configurations of a map; the node can be a changed twin.

    Raises:
        ConfigError: the node lacks a function, or is no simulated node.
    """
    space, counted = node_map.known.space, node_map.known.recorded
    is_ok = twin_labels(node_map, node) == OK_LABEL
    if counted is not None:
        is_ok &= counted
    configs = (space.config(int(index)) for index in is_ok.nonzero()[0])
    highest = max(configs, key=lambda config: sum(rate for _, rate in config), default=None)
    total_rps = None if highest is None else sum(rate for _, rate in highest)
    return TwinCapacity(int(is_ok.sum()), node_map.known.n_configs, highest, total_rps)
