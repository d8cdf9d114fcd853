"""Chance as a baseline: any configuration that is not known yet, all alike."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from peva_env.config import DfaasConfig
from peva_env.contracts import CampaignView
from peva_env.frontier import is_dense
from peva_env.space import config_key

_DRAWS = 10_000
"""So often in a row a draw may hit what was measured already, before nothing more is asked."""


class UniformAgent:
    """Draws among the legal actions.

    The seed is the configuration's, 0 if it has none; it is drawn from on and on, so that the campaigns of one agent
    differ. Of a space too large for a mask it draws any configuration that it has not asked for or found measured.
    """

    name = "uniform"

    def __init__(self, config: DfaasConfig | None = None) -> None:
        self._rng = np.random.default_rng((config.seed if config else None) or 0)

    def begin(self, campaign: CampaignView) -> None:
        """Look at the space, and at what is measured already."""
        self._campaign = campaign
        self._space = campaign.policy_context().space
        self._asked = set(campaign.run_context.existing_index)

    def act(self, observation: Any, info: Mapping[str, Any]) -> Any | None:  # noqa: ARG002
        """Return an action, or None where nothing is left."""
        if not is_dense(self._space):
            return self._drawn_without_mask()
        legal = np.flatnonzero(info["action_mask"])
        return int(self._rng.choice(legal)) if len(legal) else None

    def _drawn_without_mask(self) -> Any | None:
        for _ in range(_DRAWS):
            config = self._space.config(int(self._rng.random() * self._space.n_configs))
            if config_key(config) not in self._asked:
                self._asked.add(config_key(config))
                return self._campaign.action(config)
        return None
