"""A job for k6, and how it ended: in one process, and in all the processes that shared a run."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from peva_env.sources.k6.cpu_trace import CpuUse
from peva_env.sources.k6.settings import K6Settings


@dataclass(frozen=True, slots=True)
class Job:
    """What one process of k6 has to do, as plain data: it may be sent to another machine.

    Attributes:
        options: k6's options.
        requests: what load.js sends, one request per function.
        tags: tags of the run's samples; their values are part of the names of the files that k6 writes.
        load_s: length of the load, with its warm-up, in seconds.
        limit_s: seconds after the start of the load at which k6 is killed.
        may_abort: whether a threshold may end the run early.
        settings: outputs, tags and options of k6.
    """

    options: Mapping[str, Any]
    requests: Sequence[Mapping[str, Any]]
    tags: Mapping[str, str]
    load_s: float
    limit_s: float
    may_abort: bool
    settings: K6Settings


@dataclass(frozen=True, slots=True)
class End:
    """The end of a process of k6, as plain data.

    Attributes:
        summary: k6's summary.
        started_at: when the process was started, in seconds since the epoch.
        ended_at: when it had ended.
        use: the CPU seconds that it used in all, and at several moments.
        cores: the cores that it could use.
        aborted: whether the run was ended early, by a threshold or by ``Execution.interrupt``.
        first_error: the first error in k6's log; empty without one.
    """

    summary: dict[str, Any]
    started_at: float
    ended_at: float
    use: CpuUse
    cores: int
    aborted: bool
    first_error: str


@dataclass(frozen=True, slots=True)
class Share:
    """The end of a generator's share of a run, with names of the generator and its machine; one k6 needs no names."""

    name: str
    machine: str
    end: End


@dataclass(frozen=True, slots=True)
class Ended:
    """The end of a run, by one process of k6 or by several that shared it.

    Attributes:
        summary: k6's summary of the run; of several, merged.
        started_at: when the first process was started, in seconds since the epoch.
        ended_at: when the last one had ended.
        aborted: whether the run was ended early.
        first_error: the first error in k6's log; empty without one.
        shares: the end of each process.
        stopped: whether who watched the counts ended it early, not a threshold.
    """

    summary: dict[str, Any]
    started_at: float
    ended_at: float
    aborted: bool
    first_error: str
    shares: tuple[Share, ...]
    stopped: bool = False

    def cpu_pct(self, length_s: float) -> float:
        """Return the CPU use over ``length_s`` of the machine that was used most, as percent of all its cores."""
        return self._busiest(lambda use: use.total_s, length_s) or 0.0

    def cpu_pct_from(self, start_at: float, length_s: float) -> float | None:
        """Return that of a part of the run; None if it was not read."""
        return self._busiest(lambda use: use.used_s(start_at, start_at + length_s), length_s)

    def busiest(self) -> str:
        """Return the names of the generators of the machine that was used most; empty where they have none."""
        most = max(self.shares, key=lambda share: self._of_machine(share.machine, lambda use: use.total_s) or 0.0)
        return ", ".join(share.name for share in self.shares if share.machine == most.machine)

    def _busiest(self, used_s: Callable[[CpuUse], float | None], length_s: float) -> float | None:
        shares = [self._of_machine(share.machine, used_s) for share in self.shares]
        known = [share for share in shares if share is not None]
        return min(100.0, 100.0 * max(known) / length_s) if known else None

    def _of_machine(self, machine: str, used_s: Callable[[CpuUse], float | None]) -> float | None:
        """Return the CPU seconds of all generators of a machine, per core of it."""
        ends = [share.end for share in self.shares if share.machine == machine]
        used = [used_s(end.use) for end in ends]
        known = [seconds for seconds in used if seconds is not None]
        return sum(known) / ends[0].cores if known else None
