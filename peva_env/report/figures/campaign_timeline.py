"""The time of a campaign: cooldown, load and overhead of each run."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import TYPE_CHECKING, Self

import numpy as np
from numpy.typing import NDArray

from peva_env.contracts import EventKind, ExecutionEvent, Verdict
from peva_env.errors import ConfigError
from peva_env.report.figures.style import BLACK, FAINT, GREY, PALE_GREY, SKY, VERMILION, YELLOW, new_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_BARS_LIMIT = 150
"""Largest number of runs that are drawn as a bar each."""

_PAUSE_S = 600.0
"""From this on, time without a run is a pause of the campaign, not its overhead."""

_OVERLAP_S = 0.1
"""From this on, two runs at once are no matter of rounding."""

_UNITS = (("h", 3600.0, 2 * 3600.0), ("min", 60.0, 120.0), ("s", 1.0, 0.0))
"""Name and length in seconds of a unit of time, and from how many seconds on it is used."""

_LOAD = {verdict: f"load, {verdict}" for verdict in Verdict}
_LOOKS = {
    "cooldown": {"facecolor": PALE_GREY},
    _LOAD[Verdict.OK]: {"facecolor": SKY},
    _LOAD[Verdict.OVERLOADED]: {"facecolor": VERMILION, "hatch": "//", "edgecolor": "white"},
    _LOAD[Verdict.INVALID]: {"facecolor": YELLOW, "hatch": "xx", "edgecolor": BLACK},
    "overhead": {"facecolor": GREY},
}
"""How each part of a run is filled."""

_SIZE_INCHES = (9.0, 3.5)


def campaign_timeline(events: Iterable[ExecutionEvent], ax: "Axes | None" = None) -> "Axes":
    """Draw the time of each run, split into cooldown, load and overhead: one bar a run, as wide as the run was long.

    A canary is a run, too. Runs that overlap in time, such as those of two campaigns at once, are drawn one after the
    other, and the title says so. Runs that took no time, or whose times are not numbers, are left out, and the title
    counts them.

    Overhead is the rest of a run's time, such as starting k6 and querying metrics, plus the time since the run before.
    Pauses of ten minutes and more, such as those of an interrupted campaign, are cut out, and the title says so. More
    than 150 runs have no room for bars: then the cumulative times are drawn.

    Args:
        events: of one campaign.
        ax: the axes to draw on; None for new ones.

    Raises:
        ConfigError: there is no run among the events, or none whose times are known, or matplotlib is not installed.
    """
    measured = [event for event in events if event.kind in (EventKind.MEASURED, EventKind.CANARY)]
    if not measured:
        raise ConfigError("events: there is no run among them")
    runs = sorted(filter(_took_time, measured), key=lambda run: run.started_at)
    if not runs:
        raise ConfigError(f"events: none of the {len(measured):,} runs took time that is known")
    has_bars = len(runs) <= _BARS_LIMIT
    ax = ax or new_axes(_SIZE_INCHES)
    times = _Times.of(runs)
    unit, unit_s = next((name, length_s) for name, length_s, from_s in _UNITS if times.until_s.max() >= from_s)
    (_draw_bars if has_bars else _draw_sums)(ax, times, unit_s)
    ax.set_title("\n".join(_notes(times, len(runs), len(measured))), fontsize="medium")
    ax.set_xlabel(f"time {'of all runs so far' if times.n_overlaps else 'since the start'} ({unit})")
    ax.set_ylabel("time of a run (s)" if has_bars else f"time of all runs so far ({unit})")
    ax.margins(x=0.01)
    ax.grid(alpha=FAINT)
    ax.legend(loc="upper left", bbox_to_anchor=(1.02, 1), frameon=False)
    return ax


def _notes(times: "_Times", n_runs: int, n_measured: int) -> Iterator[str]:
    """Yield notes on runs that are left out, and on times that are drawn differently than they were."""
    if n_runs > _BARS_LIMIT:
        yield f"{n_runs:,} runs, too many for a bar each"
    if n_runs < n_measured:
        yield f"of {n_measured:,} runs left out: {n_measured - n_runs:,} without times"
    if times.n_overlaps:
        yield f"runs that began before others had ended are drawn after them: {times.n_overlaps:,}"
    if times.n_pauses:
        pauses = "1 pause" if times.n_pauses == 1 else f"{times.n_pauses} pauses"
        yield f"{pauses} of {times.paused_s / 3600:.1f} h in all cut out"


@dataclass(frozen=True, slots=True)
class _Times:
    """Seconds of ``n`` runs, each (n,): where a run begins and ends in the picture, and on what its time was spent."""

    from_s: NDArray[np.float64]
    until_s: NDArray[np.float64]
    cooldown_s: NDArray[np.float64]
    load_s: NDArray[np.float64]
    overhead_s: NDArray[np.float64]
    verdicts: NDArray[np.object_]
    n_pauses: int
    paused_s: float
    n_overlaps: int

    @classmethod
    def of(cls, runs: Sequence[ExecutionEvent]) -> Self:
        """Return the times of runs, which are in the order of their starts."""
        started = np.array([run.started_at for run in runs])
        ended = np.array([run.ended_at for run in runs])
        since_s = started - np.maximum.accumulate(np.concatenate([started[:1], ended[:-1]]))
        waited_s = np.maximum(since_s, 0)
        paused_s = np.where(waited_s >= _PAUSE_S, waited_s, 0)
        waited_s -= paused_s
        cooldown_s = np.minimum([run.cooldown_s for run in runs], ended - started)
        # A run that failed before its load, or was ended early, took less than it should have.
        load_s = np.minimum([run.duration_s for run in runs], ended - started - cooldown_s)
        took_s = waited_s + ended - started
        return cls(
            from_s=np.cumsum(took_s) - took_s,
            until_s=np.cumsum(took_s),
            cooldown_s=cooldown_s,
            load_s=load_s,
            overhead_s=took_s - cooldown_s - load_s,
            verdicts=np.array([run.verdict for run in runs], object),
            n_pauses=int(np.count_nonzero(paused_s)),
            paused_s=float(paused_s.sum()),
            n_overlaps=int(np.count_nonzero(since_s < -_OVERLAP_S)),
        )

    def parts(self) -> dict[str, NDArray[np.float64]]:
        """Return what there is of each part, (n,): load is 0 in the runs that have another verdict."""
        load = {name: np.where(self.verdicts == verdict, self.load_s, 0) for verdict, name in _LOAD.items()}
        parts = {"cooldown": self.cooldown_s, **load, "overhead": self.overhead_s}
        return {name: part_s for name, part_s in parts.items() if part_s.any()}


def _took_time(run: ExecutionEvent) -> bool:
    times = run.started_at, run.ended_at, run.cooldown_s, run.duration_s
    return all(map(isfinite, times)) and run.ended_at > run.started_at


def _draw_bars(ax: "Axes", times: _Times, unit_s: float) -> None:
    width = (times.until_s - times.from_s) / unit_s
    below = np.zeros(len(width))
    for name, part_s in times.parts().items():
        look = {"edgecolor": "white", "linewidth": 0.5, "label": name} | _LOOKS[name]
        ax.bar(times.from_s / unit_s, part_s, width, below, align="edge", **look)
        below += part_s


def _draw_sums(ax: "Axes", times: _Times, unit_s: float) -> None:
    until = np.concatenate([[0], times.until_s]) / unit_s
    below = np.zeros(len(until))
    for name, part_s in times.parts().items():
        above = below + np.concatenate([[0], np.cumsum(part_s)]) / unit_s
        ax.fill_between(until, below, above, linewidth=0, label=name, **_LOOKS[name])
        below = above
    ax.set_ylim(0)
