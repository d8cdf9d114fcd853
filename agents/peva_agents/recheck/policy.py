"""The policy of a re-check."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from peva_agents.learnt import LearntPolicy
from peva_agents.recheck.earlier import earlier_verdicts
from peva_agents.recheck.order import in_order_of_risk
from peva_env.contracts import ExecutionEvent, PolicyContext, Tensors
from peva_env.features import valid_runs
from peva_env.inference import UNKNOWN_LABEL, EarlierMap
from peva_env.planning import Candidates
from peva_env.space import Config, Dominance


class RecheckPolicy:
    """Chooses the certificate of an earlier map, then what is unknown because a verdict has changed.

    The order of the certificate finds a loss first: the highest OK configurations before the lowest overloaded ones,
    and for each function in turn the one in which the smallest rise of this function alone was too much. What is
    unknown after the certificate is searched by the learnt policy, for which each earlier measurement votes.

    Args:
        before: the earlier map's measurements; by default all others in the memory, of which the majority counts.
        seed: seed of the search.
        has_changed: whether a verdict has changed for certain; by default any verdict that differs has.
        completes: whether to search also what the earlier map does not know.
    """

    def __init__(
        self,
        before: Tensors | None = None,
        seed: int | None = None,
        *,
        has_changed: Callable[[], bool] = lambda: True,
        completes: bool = False,
    ) -> None:
        self._before = before
        self._has_changed = has_changed
        self._completes = completes
        self._search = LearntPolicy(seed=seed, transfers=True)

    def setup(self, context: PolicyContext) -> None:
        """Read the earlier map.

        Raises:
            ConfigError: there is none that says anything of the plan.
        """
        dominance: Dominance = "two_sided" if context.dominance == "two_sided" else "within_sets"
        before = context.tensors if self._before is None else self._before
        own = valid_runs(context.history) if self._before is None else []
        self._space = context.space
        self.earlier = EarlierMap(earlier_verdicts(before, own), context.space, dominance)
        self.certificate = Candidates.of(context.space, in_order_of_risk(self.earlier))
        self._search.setup(replace(context, tensors=before))

    def worth_measuring(self, candidates: Sequence[Config]) -> Candidates:
        """Return the candidates of the certificate in its order; without any, those to search after a change."""
        listed = Candidates.of(self._space, candidates)
        left = np.isin(self.certificate.indices, listed.indices)
        if left.any():
            return self.certificate.take(left.nonzero()[0])
        if self._completes:
            return listed
        was_known = self.earlier.labels[listed.indices] != UNKNOWN_LABEL
        return listed.take(was_known.nonzero()[0] if self._has_changed() else [])

    def choose_batch(self, *, candidates: Sequence[Config], desired_size: int) -> Candidates:
        """Return the next configurations of the certificate; after these, what the search chooses."""
        worth = self.worth_measuring(candidates)
        if not len(worth) or np.isin(worth.indices, self.certificate.indices).any():
            return worth[:desired_size]
        return self._search.choose_batch(candidates=worth, desired_size=desired_size)

    def update_online(self, event: ExecutionEvent) -> None:
        """Learn from a run."""
        self._search.update_online(event)

    def update_batch(self, events: list[ExecutionEvent]) -> None:
        """Learn from several runs."""
        self._search.update_batch(events)

    def predict(self, configs: Sequence[Config]) -> NDArray[np.float64]:
        """Return each configuration's probability of being overloaded, by the search's policy."""
        return self._search.predict(configs)
