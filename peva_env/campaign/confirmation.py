"""Confirming a map: the cells of its certificate are run again until each verdict has the confidence asked for.

The rest of the map follows from them, so that nothing else need be run again. The confidence is that of
``peva_env.rules.evidence``, which may be looked at after every run.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

from peva_env.config import OverloadConfig
from peva_env.contracts import ExecutionEvent, Verdict
from peva_env.inference import MonotoneMap
from peva_env.rules import Evidence, RunMargins, Scatter, evidence_of, run_margins
from peva_env.space import Config, ConfigKey, config_key

MOST_RUNS = 9
"""Valid runs after which a configuration is not run again, confirmed or not: so near a limit that it is noise."""


@dataclass(slots=True)
class Confirmation:
    """Says which configuration of a map's certificate has to be run again.

    Args:
        level: the confidence, above 0.5 and below 1.
        rules: judge the runs.
        duration_s: the planned length of a run.
        known: the map.
        iterations: valid runs of each configuration without a confirmation.
    """

    level: float
    rules: OverloadConfig
    duration_s: float
    known: MonotoneMap
    iterations: int
    _runs: dict[ConfigKey, list[tuple[Verdict, RunMargins]]] = field(init=False, default_factory=dict)

    def begin(self, history: Iterable[ExecutionEvent]) -> None:
        """Discard all runs, and record those of a history."""
        self._runs.clear()
        for event in history:
            self.record(event)

    def record(self, event: ExecutionEvent) -> None:
        """Record a run, unless it is not valid."""
        if event.is_valid:
            own = self._runs.setdefault(event.config_key, [])
            own.append((event.verdict, run_margins(event, self.rules, self.duration_s)))

    def next(self) -> Config | None:
        """Return the configuration to run next, the least sure one; None if none is left."""
        open_ones = [(config, one) for config, one in self._certificate() if self._is_open(one)]
        return min(open_ones, key=lambda pair: pair[1].confidence)[0] if open_ones else None

    @property
    def has_run_more(self) -> bool:
        """Whether some configurations have more runs than is asked of all, in this start or an earlier one."""
        return any(len(own) > self.iterations for own in self._runs.values())

    def unconfirmed(self) -> list[Config]:
        """Return the configurations of the certificate whose verdicts are not confirmed."""
        return [config for config, one in self._certificate() if not one.is_sure(self.level)]

    def _is_open(self, evidence: Evidence) -> bool:
        return evidence.n_runs < MOST_RUNS and not evidence.is_sure(self.level)

    def _certificate(self) -> list[tuple[Config, Evidence]]:
        """Return the configurations of the certificate, with what their runs say."""
        scatter = Scatter([margins for _, margins in own] for own in self._runs.values())
        certificate = self.known.certificate()
        return [(config, self._evidence(config, scatter)) for config in (*certificate.overloaded, *certificate.ok)]

    def _evidence(self, config: Config, scatter: Scatter) -> Evidence:
        own = self._runs.get(config_key(config), [])
        return evidence_of([verdict for verdict, _ in own], [margins for _, margins in own], scatter)
