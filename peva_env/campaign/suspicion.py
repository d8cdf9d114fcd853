"""Suspicion: marks runs that are no longer believed, and takes back what followed from them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from peva_env.campaign.artifacts import ArtifactWriter
from peva_env.campaign.canary import CONTRADICTED, Canary, lightest_ok
from peva_env.campaign.disagreement import Pair
from peva_env.contracts import CampaignObserver, DoubtingObserver, ExecutionEvent, Verdict
from peva_env.inference import MonotoneMap
from peva_env.memory import InProcessMemoryEngine, mark
from peva_env.rules import majority
from peva_env.space import ConfigKey, config_key, config_pairs, config_text
from peva_env.system import uninterrupted


@dataclass(slots=True)
class Suspicion:
    """Marks runs of one campaign; ``n_marked`` counts them. A run is marked at most once."""

    canary: Canary
    memory: InProcessMemoryEngine
    artifacts: ArtifactWriter
    known: MonotoneMap
    n_marked: int = 0

    def begin(self, history: Iterable[ExecutionEvent]) -> None:
        """Start from the events of a campaign, and mark what a killed process had no time to mark."""
        self.canary.begin(history, self.memory.completed_at)
        if self.canary.has_failed:
            self.canary_failed(())

    def canary_failed(self, observers: Sequence[CampaignObserver]) -> None:
        """Mark all runs since the last good canary; what followed from them becomes unknown."""
        runs = self.canary.unconfirmed(self.canary.key)
        if not runs:
            return
        self._mark(runs, self.canary.why_failed(), observers)
        self._take_back(dict.fromkeys(run.config_key for run in runs))

    def contradicted(self, pairs: Iterable[Pair], observers: Sequence[CampaignObserver]) -> list[ConfigKey]:
        """Mark the unconfirmed runs of new contradictions, and return their configurations, to be measured again.

        A configuration is marked at most once for this cause, and not if it has been measured again already, so that
        noise at the frontier cannot go on for ever. It stays contradicted until it has been measured again.
        """
        found: list[ConfigKey] = []
        good = lightest_ok(self.known)
        for low, high in sorted(pairs):
            why = f"{CONTRADICTED}{_text(low)} was {Verdict.OVERLOADED} and {_text(high)} {Verdict.OK}"
            for key in (low, high):
                unconfirmed = self.canary.unconfirmed(config_key(good) if good else None)
                runs = [run for run in unconfirmed if run.config_key == key]
                was_measured_again = not self.memory.ledger.missing_runs(key, again=True)
                if runs and not was_measured_again and key not in self.canary.contradicted:
                    self._mark(runs, why, observers)
                    found.append(key)
        return found

    def contradicted_before(self) -> list[ConfigKey]:
        """Enter the verdicts of marked runs that contradict others, and return their configurations.

        An earlier start of the campaign was killed before it had measured them again.
        """
        keys = [
            key
            for key in sorted(self.canary.contradicted)
            if not self.memory.is_seen(key) and config_pairs(key) in self.known.space
        ]
        for key in keys:
            runs = [run for run in self.memory.stored_history if run.config_key == key]
            self.known.update(config_pairs(key), majority(run.verdict for run in runs if run.is_valid))
        disputed = self.known.disputed()
        self.known.forget(*(config_pairs(key) for key in keys if config_pairs(key) not in disputed))
        return [key for key in keys if config_pairs(key) in disputed]

    def _mark(self, runs: Sequence[ExecutionEvent], why: str, observers: Sequence[CampaignObserver]) -> None:
        marks = [mark(run, why, self.memory.clock.now()) for run in runs]
        with uninterrupted():
            history = self.memory.ingest_marks(marks)
            self.artifacts.record_marks(marks)
            self.canary.begin(history, self.memory.completed_at)
        self.n_marked += len(marks)
        for observer in observers:
            if isinstance(observer, DoubtingObserver):
                observer.suspected(marks)

    def _take_back(self, keys: Iterable[ConfigKey]) -> None:
        """Let the map believe the remaining runs of measured configurations, if they suffice, and forget the others."""
        measured = [key for key in keys if key in self.known.measured]
        self.known.forget(*map(config_pairs, measured))
        for key in filter(self.memory.is_seen, measured):
            self.known.update(config_pairs(key), majority(self.memory.ledger.verdicts(key)))


def _text(key: ConfigKey) -> str:
    return config_text(config_pairs(key))
