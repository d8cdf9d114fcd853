"""Load curves: latency, success rate or CPU against the offered load of a function."""

from collections.abc import Callable, Iterable, Sequence
from math import isfinite
from statistics import median
from typing import TYPE_CHECKING, NamedTuple

from peva_env.config import LATENCIES, FunctionLimits, OverloadConfig
from peva_env.contracts import EventKind, ExecutionEvent, FunctionMeasurement, Verdict
from peva_env.errors import ConfigError
from peva_env.report.figures.style import BLACK, FAINT, GREY, SKY, VERMILION, new_axes, short_name

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_LOOKS = {Verdict.OK: (SKY, "o"), Verdict.OVERLOADED: (VERMILION, "x")}
_POINT, _LEAST_POINT = 28, 5  # square points (1/72 inch)
_MANY = 300
"""Points from which on they are drawn smaller, so that they hide each other less."""

_HEADROOM = 1.03
_LOG_FROM = 20
"""How many times as long as the shortest the longest latency is where the axis is logarithmic."""


class _Point(NamedTuple):
    """One run."""

    rate_rps: int
    value: float
    verdict: Verdict


class _Quantity(NamedTuple):
    """A quantity: its label, its value in a run, its limit, and the top of its axis."""

    name: str
    value: Callable[[ExecutionEvent, FunctionMeasurement], float | None]
    limit: Callable[[FunctionLimits, OverloadConfig], float | None]
    top: float | None = None


_QUANTITIES = {
    "mean_ms": _Quantity(
        "mean latency of successful requests (ms)",
        lambda _, function: function.mean_ms,
        lambda limits, _: limits.latencies_ms[LATENCIES.index("mean_ms")],
    ),
    "p95_ms": _Quantity(
        "p95 latency of successful requests (ms)",
        lambda _, function: function.p95_ms,
        lambda limits, _: limits.latencies_ms[LATENCIES.index("p95_ms")],
    ),
    "cpu_pct": _Quantity(
        "CPU of the node (% of capacity)",
        lambda event, _: event.node.cpu_pct,
        lambda _, rules: rules.cpu_overload_pct_of_capacity,
        100,
    ),
    "success_rate": _Quantity(
        "successful requests (% of offered)",
        lambda _, function: 100 * function.success_rate,
        lambda limits, _: None if limits.success_rate_min is None else 100 * limits.success_rate_min,
        100,
    ),
}


def load_curves(
    events: Iterable[ExecutionEvent],
    function: str,
    ax: "Axes | None" = None,
    *,
    quantity: str = "p95_ms",
    rules: OverloadConfig | None = None,
) -> "Axes":
    """Draw a quantity of each run against the load that was offered to a function, and the median of each rate.

    Runs that load other functions too are included. Runs that are INVALID, or lack the value, are left out, and the
    title counts them. A wide range of latencies is drawn with a logarithmic axis.

    Args:
        events: of one node.
        function: its name.
        ax: the axes to draw on; None for new ones.
        quantity: ``p95_ms`` or ``mean_ms``, of the function's successful requests; ``cpu_pct``, of the node; or
            ``success_rate``, of the function.
        rules: the overload rules whose limit is drawn, if the quantity has one.

    Raises:
        ConfigError: there is no such quantity, no run of the function to draw, or matplotlib is not installed.
    """
    if quantity not in _QUANTITIES:
        raise ConfigError(f"quantity {quantity!r}: must be one of {', '.join(_QUANTITIES)}")
    shown = _QUANTITIES[quantity]
    runs = _runs_of(events, function)
    points = _points(runs, function, shown)
    if not points:
        raise ConfigError(f"no run has a value to draw: {_left_out(runs, points, quantity)}")
    ax = ax or new_axes()
    _draw_points(ax, points)
    _draw_medians(ax, points)
    limit = shown.limit(rules.limits_of(function), rules) if rules else None
    if limit is not None:
        unit = "ms" if quantity in LATENCIES else "%"
        ax.axhline(limit, color=GREY, linestyle="--", label=f"limit, {limit:g} {unit}", zorder=1)
    _name_axes(ax, f"{short_name(function)} (rps offered)", shown, [point.value for point in points])
    ax.set_title(_left_out(runs, points, quantity), fontsize="medium")
    return ax


def _draw_points(ax: "Axes", points: Sequence[_Point]) -> None:
    size = min(_POINT, max(_POINT * _MANY / len(points), _LEAST_POINT))
    line_width = 1.5 if size == _POINT else 0.8
    for verdict, (colour, marker) in _LOOKS.items():
        own = [point for point in points if point.verdict is verdict]
        x, y = [point.rate_rps for point in own], [point.value for point in own]
        ax.scatter(x, y, color=colour, marker=marker, s=size, linewidths=line_width, alpha=0.8, label=verdict)


def _draw_medians(ax: "Axes", points: Sequence[_Point]) -> None:
    values: dict[int, list[float]] = {rate_rps: [] for rate_rps in sorted({point.rate_rps for point in points})}
    for point in points:
        values[point.rate_rps].append(point.value)
    ax.plot(list(values), list(map(median, values.values())), color=BLACK, linewidth=1, label="median", zorder=1)


def _runs_of(events: Iterable[ExecutionEvent], function: str) -> list[ExecutionEvent]:
    runs = [event for event in events if event.kind is EventKind.MEASURED]
    names = sorted({name for event in runs for name in event.config_key[0]})
    if not names:
        raise ConfigError("events: there is no run among them")
    if function not in names:
        raise ConfigError(f"function {function!r}: no run loads it, only {', '.join(names)}")
    return [event for event in runs if function in event.config_key[0]]


def _points(runs: Iterable[ExecutionEvent], function: str, shown: _Quantity) -> list[_Point]:
    points = []
    for run in runs:
        for one in run.functions:
            value = shown.value(run, one) if one.name == function else None
            if value is not None and isfinite(value) and run.is_valid:
                points.append(_Point(one.rate_rps, value, run.verdict))
    return points


def _left_out(runs: Sequence[ExecutionEvent], points: Sequence[_Point], quantity: str) -> str:
    n_invalid = sum(not run.is_valid for run in runs)
    n_without = len(runs) - n_invalid - len(points)
    counts = {"INVALID": n_invalid, f"without {quantity}": n_without}
    texts = [f"{n} {what}" for what, n in counts.items() if n]
    return f"of {len(runs)} runs left out: {', '.join(texts)}" if texts else ""


def _name_axes(ax: "Axes", name: str, shown: _Quantity, values: Sequence[float]) -> None:
    ax.set_xlabel(name)
    ax.xaxis.get_major_locator().set_params(integer=True)
    ax.set_ylabel(shown.name)
    ax.grid(alpha=FAINT)
    if shown.top is None and max(values) > _LOG_FROM * min(values) > 0:
        ax.set_yscale("log")
        ax.yaxis.set_major_formatter("{x:g}")
    else:
        # CPU above its top comes from a node whose number of cores is not what was said: it has to be seen.
        ax.set_ylim(0, shown.top and max(shown.top, *values) * _HEADROOM)
    ax.legend(frameon=False)
