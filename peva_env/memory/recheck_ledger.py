"""The ledger of a re-check: a run that agrees with an earlier map is enough, one that may show a change is repeated."""

from collections.abc import Iterable, Mapping, Sequence

from peva_env.contracts import ExecutionEvent, Verdict
from peva_env.inference import EarlierMap, PooledVariance, chance_of_fall
from peva_env.memory.ledger import RunLedger
from peva_env.rules import majority
from peva_env.space import ConfigKey, config_key, config_pairs

_LEAST_RUNS = 3
"""Runs below which no change is certain."""

_MOST_RUNS = 12
"""Runs after which a change that is still not certain is left at that."""

_LIKELY = 0.06
"""A difference that chance explains with a higher probability is not measured again."""

_LEVEL = {Verdict.OVERLOADED: 0.01, Verdict.OK: 0.002}
"""Probability that chance alone makes some loss, or some gain, of an unchanged node certain: each configuration of the
certificate gets its equal share of it (Bonferroni). Good news can wait for more evidence than bad news."""

_ASSUMED = PooledVariance.assumed(0.03, 2)
"""Scatter of margins before any was measured: 3 % of the threshold, which counts like three runs of a configuration."""

_AT_THE_LIMIT = (0.0,)
"""In place of earlier margins that are not stored: the threshold, on the right side of which the earlier runs were."""

_LEAD = 2
"""On a node that is known to have changed: runs by which a further change must lead."""


class RecheckLedger(RunLedger):
    """Counts the runs of a campaign that re-checks an earlier map.

    A configuration is complete when the majority of its runs agrees with the earlier verdict; where the earlier map
    says nothing, after one run. If the majority differs, the margins of its runs are compared with the earlier margins
    by Student's test. While chance is an unlikely explanation it is run again, until the change is *certain*, or until
    it has ``most_runs`` runs. What differs and is not certain is *unsure*. As soon as one change is certain, a
    further one in the same direction is certain if two more runs say so than not.

    Args:
        earlier: the earlier map.
        margins: the margins of the earlier runs of each measured configuration.
        most_runs: the largest number of runs of a configuration.
    """

    def __init__(
        self, earlier: EarlierMap, margins: Mapping[ConfigKey, Sequence[float]], *, most_runs: int = _MOST_RUNS
    ) -> None:
        self._earlier = earlier
        self._margins_before = margins
        self._most_runs = most_runs
        # Margins of runs that are all OK hardly scatter, since no success is above 1: they would say too little.
        self._scatter = _ASSUMED + PooledVariance.of(own for own in margins.values() if min(own, default=0.0) < 0)
        super().__init__()

    def begin(self, history: Iterable[ExecutionEvent]) -> None:
        """Forget the campaign before, and take over the events that this one goes on from."""
        self._margins: dict[ConfigKey, list[float]] = {}
        self.certain: dict[ConfigKey, Verdict] = {}
        super().begin(history)

    def record(self, event: ExecutionEvent) -> None:
        """Take note of an event of this campaign."""
        key = event.config_key
        if event.is_valid:
            self._margins.setdefault(key, []).extend([] if event.margin is None else [event.margin])
            verdicts = [*self.verdicts(key), event.verdict]
            self.certain.pop(key, None)
            if self._differ(key, verdicts) and self._are_certain(key, verdicts):
                self.certain[key] = majority(verdicts)
        super().record(event)

    def missing_runs(self, key: ConfigKey, *, again: bool = False) -> int:
        """Return an upper bound on a configuration's missing valid runs; ``again`` asks for two in all."""
        verdicts = self.verdicts(key)
        if not verdicts or again:
            return max(0, 1 + again - len(verdicts))
        if key in self.certain or not self._differ(key, verdicts):
            return 0
        now = majority(verdicts)
        is_tied = 2 * verdicts.count(now) == len(verdicts)
        if not is_tied and not self._has_changed(now) and self._chance(key, now) > _LIKELY:
            return 0
        return max(0, self._most_runs - len(verdicts))

    @property
    def unsure(self) -> list[ConfigKey]:
        """The configurations whose majority differs from the earlier verdict, though not by more than chance."""
        return [key for key, own in self._verdicts.items() if key not in self.certain and self._differ(key, own)]

    def _differ(self, key: ConfigKey, verdicts: Sequence[Verdict]) -> bool:
        """Tell whether the majority of some runs differs from the earlier verdict of their configuration."""
        config = config_pairs(key)
        before = self._earlier.verdict(config) if config in self._earlier.space else None
        return before is not None and majority(verdicts) is not before

    def _are_certain(self, key: ConfigKey, verdicts: Sequence[Verdict]) -> bool:
        now = majority(verdicts)
        lead = 2 * verdicts.count(now) - len(verdicts)
        if lead >= _LEAD and self._has_changed(now):
            return True
        return len(verdicts) >= _LEAST_RUNS and self._chance(key, now) <= _LEVEL[now] / self._earlier.n_certificate

    def _has_changed(self, now: Verdict) -> bool:
        """Tell whether another configuration has changed to a verdict for certain."""
        return now in self.certain.values()

    def _chance(self, key: ConfigKey, now: Verdict) -> float:
        """Return the probability that the margins of a configuration differ this much by chance."""
        basis = self._earlier.basis(config_pairs(key))
        stored = self._margins_before.get(config_key(basis), ()) if basis else ()
        before, after = stored or _AT_THE_LIMIT, self._margins.get(key, ())
        higher, lower = (before, after) if now is Verdict.OVERLOADED else (after, before)
        return chance_of_fall(higher, lower, self._scatter + PooledVariance.of([after]))
