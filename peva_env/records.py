"""What is measured, as frozen records.

Units are in the names: ``rate_rps`` requests per second, ``_ms`` milliseconds, ``_s`` seconds, ``_pct`` percent of
capacity (0..100, whatever the number of cores), ``_bytes`` bytes, ``_uw`` microwatts. ``None`` means "not measured".
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, NamedTuple

from peva_env.space import Config, ConfigKey, config_id, config_pairs


class Verdict(StrEnum):
    """What a run, or the majority of a configuration's runs, says of the node."""

    OK = "OK"
    OVERLOADED = "OVERLOADED"
    INVALID = "INVALID"


class EventKind(StrEnum):
    """Whether an event was measured, or stands for a configuration that was not run: see ``NOT_RUN``."""

    MEASURED = "measured"
    SKIPPED = "skipped"
    INFERRED = "inferred"


class NotRun(NamedTuple):
    """How an event is marked that stands for a configuration that was not run."""

    kind: EventKind
    iteration: int


NOT_RUN = {Verdict.OVERLOADED: NotRun(EventKind.SKIPPED, -1), Verdict.OK: NotRun(EventKind.INFERRED, -2)}
"""By the verdict that was inferred. The numbers differ, so that a campaign can record both of one configuration: what
was inferred first can turn out to be wrong."""


class EndStatus(StrEnum):
    """How a campaign ended; ``RUNNING`` while it has not, ``CRASHED`` when the next start finds it so.

    ``COMPLETE`` leaves nothing unknown; ``STOPPED`` does, but its agent has nothing more to ask.
    """

    RUNNING = "running"
    COMPLETE = "complete"
    STOPPED = "stopped"
    BUDGET = "budget"
    INTERRUPTED = "interrupted"
    FAILED = "failed"
    CRASHED = "crashed"


@dataclass(frozen=True, slots=True)
class FunctionMeasurement:
    """What one run did to one function. Counts are requests; ``success_rate`` is over *offered* load, 0..1.

    ``offered = sent + dropped``: requests that the generator could not start because all its virtual users were waiting
    are failures of the node. A function at rate 0 has no traffic and success rate 1. Latencies are of successful
    requests only, None where there were none.
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
    """One run of one configuration: what the memory stores and what policies learn from.

    A source fills in what it measured; the executor stamps to which campaign it belongs: ``iteration``, ``run_id``,
    ``repetition`` and ``context_hash``. ``margin`` is the smallest signed distance to an overload threshold as a share
    of that threshold: positive = OK by that much. Times are seconds since the epoch. ``cost_s`` is machine time:
    cooldown plus run. ``raw_summary`` is k6's own JSON.

    A run that was ended early (``peva_env.rules.early_abort``) says so in its first reason; ``duration_s`` is then what
    it lasted, its counts and rates are of the requests that had an end by then, and its margin is a bound.
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
        """Whether it was measured and its verdict is a label: OK or overloaded."""
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
        """What makes an event unique: ``(config_id, iteration, repetition, run_id)``."""
        return self.config_id, self.iteration, self.repetition, self.run_id
