"""Measurements as frozen records.

Units are in the names: ``rate_rps`` requests per second, ``_ms`` milliseconds, ``_s`` seconds, ``_pct`` percent of
capacity (0..100, whatever the number of cores), ``_bytes`` bytes, ``_uw`` microwatts. ``None`` means "not measured".
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, NamedTuple

from peva_env.space import Config, ConfigKey, config_id, config_pairs


class Verdict(StrEnum):
    """The result of a run, or of the majority of a configuration's runs."""

    OK = "OK"
    OVERLOADED = "OVERLOADED"
    INVALID = "INVALID"


class EventKind(StrEnum):
    """What an event records.

    ``MEASURED`` is a run, and the only kind with a label. ``SKIPPED`` and ``INFERRED`` record a configuration that was
    not run: see ``NOT_RUN``. ``CANARY`` is a run that tests the node, not the configuration. ``SUSPECT`` marks a run
    that is no longer believed: see ``peva_env.memory.suspects``. ``SCOUTED`` is a step of a scouting: evidence for the
    choice of rates, shorter than a run and of no repetition.
    """

    MEASURED = "measured"
    SKIPPED = "skipped"
    INFERRED = "inferred"
    CANARY = "canary"
    SUSPECT = "suspect"
    SCOUTED = "scouted"


class NotRun(NamedTuple):
    """Kind and iteration number of an event that records a configuration that was not run."""

    kind: EventKind
    iteration: int


NOT_RUN = {Verdict.OVERLOADED: NotRun(EventKind.SKIPPED, -1), Verdict.OK: NotRun(EventKind.INFERRED, -2)}
"""By inferred verdict. The two iteration numbers differ because a campaign can record both verdicts of a configuration:
the first inference can turn out to be wrong."""


class EndStatus(StrEnum):
    """How a campaign ended; ``RUNNING`` before its end.

    ``COMPLETE``: no configuration is unknown. ``STOPPED``: some are unknown, but the agent picks no further
    configuration. ``CRASHED``: the next start of peva-env found the campaign still marked as running.
    """

    RUNNING = "running"
    COMPLETE = "complete"
    STOPPED = "stopped"
    BUDGET = "budget"
    INTERRUPTED = "interrupted"
    FAILED = "failed"
    CRASHED = "crashed"


class EndReason(StrEnum):
    """Why a search ended. The detail of its session begins with the reason; a colon and the particulars follow.

    ``COMPLETE``: every configuration was measured, or every ray scouted. ``PROVED``: what was measured proves the rest.
    ``CONFIRMED``: and the verdicts of the certificate have the confidence that was asked for.
    ``NOISE``: the rest contradicts itself, after all its runs. ``RUNS``, ``SECONDS``, ``STEPS``: which budget is spent.
    ``NO_CHOICE``: the agent picks no further configuration. ``KILLED``: found by the next start of peva-env. A failed
    search has its error as the detail.
    """

    COMPLETE = "complete"
    PROVED = "certificate proved"
    CONFIRMED = "certificate confirmed"
    NOISE = "nothing left above noise"
    RUNS = "budget of runs"
    SECONDS = "budget of seconds"
    STEPS = "budget of steps"
    NO_CHOICE = "no further choice"
    INTERRUPTED = "interrupted"
    KILLED = "killed"


UNEVEN = "more runs of some configurations"
"""Part of the detail of a search that ran some configurations more often than it was to run all."""


def ending_text(status: str, detail: str | None) -> str:
    """Return how and why a search ended as one text, such as "budget of runs: all 40 are spent"."""
    if not detail:
        return str(status)
    return detail if detail.startswith(status) else f"{status}: {detail}"


@dataclass(frozen=True, slots=True)
class FunctionMeasurement:
    """One function's measurements in one run. Counts are requests; ``success_rate`` is over *offered* load, 0..1.

    ``offered = sent + dropped``. A request is dropped if all virtual users of the generator wait for responses; dropped
    requests count as failures of the node. A function at rate 0 has no traffic and success rate 1. Latencies are those
    of successful requests, None without a success.

    ``backlog`` is the number of offered requests by which the function's queue grew during the run. It is 0 where the
    queue did not grow significantly, or where that is not known. ``held_up`` is the number of requests that came late
    and all at once, because the load generator stood still when they were due. ``crowded_out`` is the number of offered
    requests that met a function without a core, because programs outside the measurement had it.
    """

    name: str
    rate_rps: int
    offered: int
    sent: int
    dropped: int
    succeeded: int
    failed: Mapping[str, int]
    success_rate: float
    mean_ms: float | None = None
    p50_ms: float | None = None
    p90_ms: float | None = None
    p95_ms: float | None = None
    p99_ms: float | None = None
    cpu_pct: float | None = None
    ram_bytes: int | None = None
    power_uw: float | None = None
    replicas: int | None = None
    backlog: int = 0
    held_up: int = 0
    crowded_out: int = 0


@dataclass(frozen=True, slots=True)
class NodeMeasurement:
    """Mean use of the node over the steady part of a run, and before it (``idle_``)."""

    cpu_pct: float | None = None
    ram_bytes: int | None = None
    ram_pct: float | None = None
    power_uw: float | None = None
    idle_cpu_pct: float | None = None
    idle_ram_bytes: int | None = None
    idle_ram_pct: float | None = None
    idle_power_uw: float | None = None


@dataclass(frozen=True, slots=True)
class ExecutionEvent:
    """One run of one configuration. The memory stores events, and policies learn from them.

    The source sets the measurements; the executor sets the fields that identify the run: ``iteration``, ``run_id``,
    ``repetition`` and ``context_hash``. ``margin`` is the smallest signed distance to an overload threshold as a share
    of that threshold: positive = OK, negative = overloaded. Times are seconds since the epoch. ``cost_s`` is machine
    time: cooldown plus run. ``raw_summary`` is the JSON summary that k6 wrote.

    The first reason of an aborted run says that it was aborted (``peva_env.rules.early_abort``). Its ``duration_s`` is
    the time until the abort, its counts and rates are of the requests completed by then, and its margin is an upper
    bound of the margin of the whole run. So does that of a run that was stopped because its verdict was decided
    (``peva_env.rules.sequential``), OK or OVERLOADED; its margin is that of the part that was run.
    """

    config_key: ConfigKey
    iteration: int
    verdict: Verdict
    run_id: str = ""
    repetition: int = 1
    kind: EventKind = EventKind.MEASURED
    reasons: tuple[str, ...] = ()
    margin: float | None = None
    functions: tuple[FunctionMeasurement, ...] = ()
    overloaded_functions: tuple[str, ...] = ()
    node: NodeMeasurement = field(default_factory=NodeMeasurement)
    started_at: float = 0.0
    ended_at: float = 0.0
    duration_s: float = 0.0
    cooldown_s: float = 0.0
    cost_s: float = 0.0
    generator_cpu_pct: float | None = None
    context_hash: str = ""
    raw_summary: Mapping[str, Any] | None = field(default=None, compare=False, repr=False)

    @property
    def is_valid(self) -> bool:
        """Whether the event is a measurement with a label: OK or overloaded."""
        return self.kind is EventKind.MEASURED and self.verdict is not Verdict.INVALID

    @property
    def config_pairs(self) -> Config:
        """The configuration as a list of (function, rate) pairs."""
        return config_pairs(self.config_key)

    @property
    def config_id(self) -> str:
        """The configuration's 12-digit id."""
        return config_id(self.config_pairs)

    @property
    def event_key(self) -> tuple[str, int, int, str]:
        """The unique key of an event: ``(config_id, iteration, repetition, run_id)``."""
        return self.config_id, self.iteration, self.repetition, self.run_id
