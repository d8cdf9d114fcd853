"""Records of the configurations that a live campaign need not run: their verdicts follow from others."""

from collections.abc import Sequence
from dataclasses import dataclass

from peva_env.campaign.artifacts import ArtifactWriter
from peva_env.campaign.campaign import why_known
from peva_env.contracts import NOT_RUN, DfaasRunContext, EventKind, ExecutionEvent
from peva_env.inference import MonotoneMap
from peva_env.memory import InProcessMemoryEngine
from peva_env.space import Config, config_key
from peva_env.system import uninterrupted


@dataclass(frozen=True, slots=True)
class NotRunRecorder:
    """Records known configurations in memory and artifacts, each once."""

    memory: InProcessMemoryEngine
    artifacts: ArtifactWriter
    known: MonotoneMap
    context: DfaasRunContext
    context_hash: str

    def record(self, configs: Sequence[Config]) -> None:
        """Record once each known configuration that was not run."""
        events = [self._event(config) for config in configs if config_key(config) not in self.known.measured]
        new = [event for event in events if not self.memory.ledger.is_recorded(event.config_key, event.kind)]
        if new:
            with uninterrupted():
                self.memory.ingest_skips(new)
                self.artifacts.record_skips(event.config_key for event in new if event.kind is EventKind.SKIPPED)

    def _event(self, config: Config) -> ExecutionEvent:
        verdict = self.known.verdict(config)
        assert verdict is not None  # noqa: S101 - callers pass known configurations only
        now = self.memory.clock.now()
        return ExecutionEvent(
            config_key=config_key(config),
            iteration=NOT_RUN[verdict].iteration,
            verdict=verdict,
            run_id=self.context.run_id,
            repetition=self.context.repetition,
            kind=NOT_RUN[verdict].kind,
            reasons=(why_known(self.known, config) or "",),
            started_at=now,
            ended_at=now,
            context_hash=self.context_hash,
        )
