"""The canary: the lightest configuration known to be OK, measured again to see whether the node is still well.

All that this module knows follows from the events of a campaign, so that a campaign that was killed knows it again.
A run is *unconfirmed* until the canary is OK after it. An OK run of the canary's own configuration is as good as a
canary.
"""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from peva_env.config import CanaryConfig
from peva_env.contracts import EventKind, ExecutionEvent, Verdict
from peva_env.inference import MonotoneMap
from peva_env.memory import SUSPECT
from peva_env.rules import is_decided, majority
from peva_env.space import Config, ConfigKey, config_pairs, config_text

CONTRADICTED = "contradiction: "
"""Start of the reason why runs are suspect that are part of a contradiction."""

_S_PER_MINUTE = 60


def lightest_ok(known: MonotoneMap) -> Config | None:
    """Return the measured OK configuration with the lowest total rate above 0, or None.

    Contradicted configurations, and those in quarantine, do not count.
    """
    doubtful = known.quarantined()
    for _, _, names, rates in sorted(
        (sum(rates), len(names), names, rates)
        for (names, rates), verdict in known.measured.items()
        if verdict is Verdict.OK and any(rates)
    ):
        config = config_pairs((names, rates))
        if known.verdict(config) is Verdict.OK and config not in doubtful:
            return config
    return None


@dataclass(slots=True)
class Canary:
    """Knows when the canary is due, whether it failed, and which runs nothing has confirmed since it was last OK.

    A canary that is OK at once is good. Otherwise it is run again, up to ``iterations`` times, and the majority
    decides. ``contradicted`` are the configurations of which a contradiction has made runs suspect. ``rest_s`` is the
    pause after a failed canary, in seconds.
    """

    settings: CanaryConfig
    iterations: int
    rest_s: float = 0.0
    clock: Callable[[], float] = time.time
    sleep: Callable[[float], None] = time.sleep
    has_failed: bool = False
    key: ConfigKey | None = None  # of the last canary
    contradicted: set[ConfigKey] = field(default_factory=set)
    _unconfirmed: list[ExecutionEvent] = field(default_factory=list)
    _verdicts: list[Verdict] = field(default_factory=list)  # of the canary's runs that do not decide yet

    def begin(self, history: Iterable[ExecutionEvent], completed_at: float) -> None:
        """Start from the events of a campaign; those from before ``completed_at`` (s since the epoch) are confirmed."""
        self.has_failed, self.key = False, None
        for some in (self.contradicted, self._unconfirmed, self._verdicts):
            some.clear()
        for event in history:
            if event.ended_at > completed_at:
                self.record(event)

    def record(self, event: ExecutionEvent) -> None:
        """Record an event of this campaign."""
        if event.is_valid:
            self._unconfirmed.append(event)
        elif event.kind is EventKind.SUSPECT and event.reasons[0].startswith(SUSPECT + CONTRADICTED):
            self.contradicted.add(event.config_key)
        elif event.kind is EventKind.CANARY and event.verdict is not Verdict.INVALID:
            self.key = event.config_key
            self._judge(event.verdict)

    def _judge(self, verdict: Verdict) -> None:
        self._verdicts.append(verdict)
        if self._verdicts != [Verdict.OK] and not is_decided(self._verdicts, self.iterations, is_certain=False):
            return
        self.has_failed = majority(self._verdicts) is Verdict.OVERLOADED
        self._verdicts.clear()
        if not self.has_failed:
            self._unconfirmed.clear()

    @property
    def is_undecided(self) -> bool:
        """Whether the canary has run, and has to run again before it is good or has failed."""
        return bool(self._verdicts)

    def unconfirmed(self, key: ConfigKey | None) -> list[ExecutionEvent]:
        """Return the valid runs since the last good canary, or since the last OK run of the canary's configuration."""
        for place in reversed(range(len(self._unconfirmed))):
            run = self._unconfirmed[place]
            if run.config_key == key and run.verdict is Verdict.OK:
                return self._unconfirmed[place + 1 :]
        return list(self._unconfirmed)

    def is_due(self, key: ConfigKey) -> bool:
        """Whether the canary, the configuration with this key, has to run before any other run."""
        if self.has_failed or self.is_undecided:
            return True
        runs, settings = self.unconfirmed(key), self.settings
        if not runs:
            return False
        if settings.every_runs is not None and len(runs) >= settings.every_runs:
            return True
        waited_s = self.clock() - runs[0].started_at
        return settings.every_minutes is not None and waited_s >= _S_PER_MINUTE * settings.every_minutes

    def rest(self) -> float:
        """Give the node time to recover, and return how long, in seconds."""
        self.sleep(self.rest_s)
        return self.rest_s

    def why_failed(self) -> str:
        """Return why the runs since the last good canary are suspect."""
        assert self.key is not None  # noqa: S101 - callers ask after a canary has failed
        return f"the canary {config_text(config_pairs(self.key))} was OVERLOADED after this run"
