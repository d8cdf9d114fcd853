"""The candidate view of one running campaign, for an agent that plays in the view of the map or without a map."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from peva_env.config import OverloadConfig
from peva_env.contracts import CampaignView, ExecutionEvent
from peva_env.features import Measured, valid_runs
from peva_env.features.side_by_side import Runs
from peva_env.inference import MonotoneMap
from peva_env.observation import Observation
from peva_env.planning import Candidates
from peva_env.space import Config
from peva_env.views import NO_CANDIDATE, CandidateRows, choice_of

_ONLY = np.zeros(1, np.int64)  # the one campaign


class CampaignRows:
    """Shows what ``peva_env.wrappers.CandidateView`` shows, from the events of a campaign, offline or live.

    It is attached to the campaign as a policy, because policies receive the events.

    Args:
        campaign: the campaign, which has begun.
        k: number of candidates.
        seed: seed of the draws of candidates.
    """

    def __init__(self, campaign: CampaignView, k: int, seed: int) -> None:
        context = campaign.policy_context()
        limits = OverloadConfig.model_validate(context.config.get("overload") or {})
        self._campaign, self._space, self._seed = campaign, context.space, seed
        self._rows = CandidateRows(1, context.space, limits, k)
        self._choice = choice_of(context.space, self._known.dominance, k)
        self._measured = Measured(context.space)
        self._n_steps = 0
        self._rows.begin(_ONLY)
        self.update_batch(valid_runs(context.history))

    def look(self, observation: Observation) -> Observation:
        """Choose the candidates of the next step, and show them; ``observation`` holds the budget."""
        known = self._known
        shown = self._choice.of_one(known, self._seed, self._n_steps)
        self._n_steps += 1
        unknown_share = np.array([known.n_unknown / known.n_configs])
        return self._rows.observe(_ONLY, shown, unknown_share, observation["budget"][None].astype(np.float64))

    def config(self, row: int) -> Config | None:
        """Return the configuration of a row that was shown last, or None for a row without a candidate."""
        index = int(self._rows.shown[0, row])
        return None if index == NO_CANDIDATE else self._space.config(index)

    def choose_batch(self, *, candidates: Sequence[Config], desired_size: int) -> Candidates:
        """Choose nothing: the agent chooses."""
        raise NotImplementedError

    def update_online(self, event: ExecutionEvent) -> None:
        """Enter a run."""
        self.update_batch([event])

    def update_batch(self, events: list[ExecutionEvent]) -> None:
        """Enter runs; the means of a configuration that was run before change, so that all are entered again."""
        before = len(self._measured)
        self._measured.learn(events)
        n_new = len(self._measured) - before
        only_new = n_new == len(events)
        if not only_new:
            self._rows.forget(_ONLY)
        measured = self._measured.measurements(at_most=n_new if only_new else None)
        for row in range(len(measured) if n_new or not only_new else 0):
            self._rows.enter(_ONLY, Runs.of(measured, row))
        for event in events:
            self._rows.spend(_ONLY, np.array([event.cost_s]))

    @property
    def _known(self) -> MonotoneMap:
        known: Any = self._campaign.known
        assert isinstance(known, MonotoneMap)  # noqa: S101 - every environment's is one
        return known
