"""The result of one run of k6."""

from dataclasses import dataclass, field
from typing import Any

from peva_env.contracts import FunctionMeasurement


@dataclass(frozen=True, slots=True)
class LoadResult:
    """The result of one run. Times are seconds since the epoch.

    Attributes:
        functions: the measurement of each function.
        started_at: when the k6 process started.
        ended_at: when it had ended.
        load_started_at: when k6 had initialised its virtual users and began to send, by its own clock (it runs
            ``setup()`` just before).
        generator_cpu_pct: k6's own CPU time, initialisation included, as percent of the time of all cores that it may
            use until the load ended: 50 on two cores is one core fully used. Of several generators, that of all on
            the machine where they used most.
        raw_summary: k6's summary plus ``functions``, which maps scenarios to names.
        aborted_after_s: how long the load lasted if it was ended early; requests that were still waiting then are
            counted nowhere.
        is_stopped: whether it was ended early by who watched its counts, not by a threshold of k6.
        busiest: of several generators, the names of those on the machine where they used most.
    """

    functions: tuple[FunctionMeasurement, ...]
    started_at: float
    ended_at: float
    load_started_at: float
    generator_cpu_pct: float | None = None
    raw_summary: dict[str, Any] = field(default_factory=dict, repr=False)
    aborted_after_s: float | None = None
    is_stopped: bool = False
    busiest: str = ""
