"""The steps of a scouting: load against latency and success, as in a breakpoint test."""

from collections.abc import Sequence
from statistics import fmean
from typing import TYPE_CHECKING

from peva_env.contracts import EventKind, ExecutionEvent, Verdict
from peva_env.errors import ConfigError
from peva_env.planning import Bracket, brackets
from peva_env.report.figures.style import COLOURS, FAINT, as_written, new_figure, short_name

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_LOG_FROM = 10
"""Quotient of the highest and the lowest latency from which their axis is logarithmic."""

_TICKS = (1, 2, 5)
"""Labelled rates of each power of ten: a scouting often spans one or two."""

_HEADROOM = 1.05
"""Upper end of an axis, as a multiple of its highest value: the curves run along the top."""

_SIZE_INCHES = (6.4, 6.4)
_MARKERS = {Verdict.OK: "o", Verdict.OVERLOADED: "x"}


def scouting_curve(events: Sequence[ExecutionEvent]) -> "Axes":
    """Draw success and 95th percentile of the latency against the total rate; a line for each ray.

    A band holds the limit of its ray: from the highest OK step to the lowest overloaded one. INVALID steps are left
    out.

    Args:
        events: the steps of one scouting.

    Returns:
        The upper axes, those of the success.

    Raises:
        ConfigError: no step is valid, or matplotlib is not installed.
    """
    from matplotlib.ticker import LogLocator, NullLocator

    found = brackets(events)
    if not found:
        raise ConfigError("events: no step of a scouting among them is valid")
    success, latency = new_figure(2, _SIZE_INCHES)
    for bracket, colour in zip(found, COLOURS * len(found), strict=False):
        steps = sorted(
            (event for event in events if _is_of(event, bracket)),
            key=lambda event: (_total_rps(event), event.started_at),
        )
        label = " + ".join(map(short_name, bracket.names))
        _draw(
            success, steps, [100 * fmean(one.success_rate for one in step.functions) for step in steps], colour, label
        )
        with_p95 = [(step, p95_ms) for step in steps if (p95_ms := _p95_ms(step)) is not None]
        _draw(latency, [step for step, _ in with_p95], [p95_ms for _, p95_ms in with_p95], colour, "")
        _draw_bracket((success, latency), bracket, colour)
    success.set_ylabel("success (%)")
    success.set_ylim(0, 100 * _HEADROOM)
    latency.set_ylabel("p95 latency (ms)")
    values_ms = [p95_ms for event in events if (p95_ms := _p95_ms(event)) is not None]
    if values_ms and max(values_ms) > _LOG_FROM * min(values_ms) > 0:
        latency.set_yscale("log")
        latency.yaxis.set_major_formatter("{x:g}")
    else:
        latency.set_ylim(0, _HEADROOM * max(values_ms, default=1))
    latency.set_xlabel(as_written("total rate (requests/s)"))
    for axes in (success, latency):
        axes.set_xscale("log")
        axes.xaxis.set_major_locator(LogLocator(subs=_TICKS))
        axes.xaxis.set_minor_locator(NullLocator())
        axes.xaxis.set_major_formatter("{x:g}")
        axes.grid(alpha=FAINT)
    # Where success is full, at low rates: the curves run along the top there.
    legend = success.legend(loc="lower left", alignment="left", title="o OK, x overloaded; the limit lies in the band")
    legend.get_frame().set(alpha=1, linewidth=0)
    return success


def _draw(axes: "Axes", steps: Sequence[ExecutionEvent], values: Sequence[float], colour: str, label: str) -> None:
    rates = [_total_rps(step) for step in steps]
    axes.plot(rates, values, color=colour, linewidth=1, label=label or None)
    for verdict, marker in _MARKERS.items():
        own = [i for i, step in enumerate(steps) if step.verdict is verdict]
        axes.scatter([rates[i] for i in own], [values[i] for i in own], color=colour, marker=marker)


def _draw_bracket(both: tuple["Axes", "Axes"], bracket: Bracket, colour: str) -> None:
    if bracket.ok is None or bracket.overloaded is None:
        return
    low, high = (sum(rate for _, rate in config) for config in (bracket.ok, bracket.overloaded))
    for axes in both:
        axes.axvspan(low, high, color=colour, alpha=FAINT, linewidth=0)


def _is_of(event: ExecutionEvent, bracket: Bracket) -> bool:
    is_step = event.kind is EventKind.SCOUTED and event.verdict is not Verdict.INVALID
    return is_step and event.config_key[0] == bracket.names


def _total_rps(event: ExecutionEvent) -> int:
    return sum(event.config_key[1])


def _p95_ms(event: ExecutionEvent) -> float | None:
    return max((one.p95_ms for one in event.functions if one.p95_ms is not None), default=None)
