"""The ledger of a campaign: how many runs each configuration has, how many it lacks, and what they said."""

from collections.abc import Callable, Iterable

from peva_env.contracts import EventKind, ExecutionEvent, Verdict
from peva_env.memory.key_set import KeySet
from peva_env.rules import is_decided
from peva_env.space import ConfigKey


class RunLedger:
    """Counts the runs of one campaign.

    A configuration is *complete* when it has ``iterations`` valid runs; where ``is_certain`` is given, when it has as
    many as decide its verdict (``peva_env.rules.is_decided``). A complete configuration stays complete.

    Args:
        iterations: valid runs that make a configuration complete.
        is_certain: whether further runs would hardly say otherwise than this valid run; without it all iterations are
            asked for.
    """

    def __init__(self, iterations: int = 1, *, is_certain: Callable[[ExecutionEvent], bool] | None = None) -> None:
        self._iterations = iterations
        self._is_certain = is_certain
        self.begin(())

    def begin(self, history: Iterable[ExecutionEvent]) -> None:
        """Forget the campaign before, and take over the events that this one goes on from."""
        self._verdicts: dict[ConfigKey, list[Verdict]] = {}
        self._certain = KeySet()  # configurations with a run that is certain
        self._complete = KeySet()
        self._next_iteration: dict[ConfigKey, int] = {}
        self._not_run: set[tuple[ConfigKey, EventKind]] = set()
        for event in history:
            self.record(event)

    def record(self, event: ExecutionEvent) -> None:
        """Take note of an event of this campaign."""
        key = event.config_key
        if event.kind not in (EventKind.MEASURED, EventKind.CANARY):
            self._not_run.add((key, event.kind))
            return
        self._next_iteration[key] = max(self.next_iteration(key), event.iteration + 1)
        if not event.is_valid:
            return
        self._verdicts.setdefault(key, []).append(event.verdict)
        if self._is_certain and self._is_certain(event):
            self._certain.add(key)
        if not self.missing_runs(key):
            self._complete.add(key)

    def is_complete(self, key: ConfigKey) -> bool:
        """Tell whether a configuration has all its valid runs."""
        return key in self._complete

    def is_recorded(self, key: ConfigKey, kind: EventKind) -> bool:
        """Tell whether a configuration is recorded as skipped, or as inferred."""
        return (key, kind) in self._not_run

    def missing_runs(self, key: ConfigKey, *, again: bool = False) -> int:
        """Return how many valid runs a configuration still lacks at most; ``again`` asks for twice as many in all."""
        verdicts = self._verdicts.get(key, [])
        if again:
            return max(0, 2 * self._iterations - len(verdicts))
        if self._is_certain and is_decided(verdicts, self._iterations, is_certain=key in self._certain):
            return 0
        return max(0, self._iterations - len(verdicts))

    def next_iteration(self, key: ConfigKey) -> int:
        """Return the number of a configuration's next run; INVALID runs and canaries are numbered too."""
        return self._next_iteration.get(key, 0)

    def verdicts(self, key: ConfigKey) -> list[Verdict]:
        """Return the verdicts of a configuration's valid runs, in the order in which they ran."""
        return list(self._verdicts.get(key, ()))
