"""Views of many campaigns side by side.

Notation: ``n`` campaigns, ``m`` of them; ``N`` configurations, ``K`` candidates.
"""

from typing import Any, Protocol

import gymnasium
import numpy as np
from numpy.typing import NDArray

from peva_env.campaign import CampaignState, OfflineSetup
from peva_env.observation import Observation, observation_space
from peva_env.sources import Outcomes, Seeds
from peva_env.space import ConfigSpace
from peva_env.views.candidate_rows import CandidateRows, runs_of
from peva_env.views.choice import DenseChoice
from peva_env.views.names import CANDIDATES, candidates_of, require_supported
from peva_env.views.rules import rules_of

type Numbers = NDArray[np.int64]


STOP = -2
"""What the action *stop* names, in place of a configuration."""


class VectorView(Protocol):
    """What the agents of ``n`` campaigns see, and what their actions name."""

    observation_space: gymnasium.Space[Any]
    action_space: gymnasium.spaces.Discrete

    def begin(self, where: Numbers, seeds: Seeds) -> None:
        """Begin campaigns ``where`` (m,), with the seeds of their episodes (m,)."""
        ...

    def indices(self, actions: Numbers) -> Numbers:
        """Return the configurations (n,) that actions (n,) name, by index in plan order.

        A row without a candidate names ``NO_CANDIDATE``, *stop* names ``STOP``.
        """
        ...

    def enter(self, where: Numbers, indices: Numbers, outcomes: Outcomes) -> None:
        """Enter the outcomes (n,) of campaigns ``where`` (m,), in which configurations ``indices`` (n,) were run."""
        ...

    def observation(self, where: Any = slice(None)) -> Observation:
        """Return what campaigns ``where`` show, in new arrays."""
        ...

    def mask(self, where: Any = slice(None)) -> NDArray[np.int8]:
        """Return 1 for the legal actions of campaigns ``where``, in a new array; ask for the observation first."""
        ...


class MapView:
    """All configurations; see ``peva_env.observation``."""

    def __init__(self, state: CampaignState, space: ConfigSpace, setup: OfflineSetup) -> None:
        self._state = state
        self._n_configs, self._has_stop = space.n_configs, setup.settings.actions.stop
        extras = setup.settings.extras
        self.observation_space: gymnasium.Space[Any] = observation_space(space, with_map=True, extras=extras)
        self.action_space = gymnasium.spaces.Discrete(space.n_configs + self._has_stop)

    def begin(self, where: Numbers, seeds: Seeds) -> None:
        """Do nothing: the state has begun."""

    def indices(self, actions: Numbers) -> Numbers:
        """Return the actions: they are indices, except *stop*."""
        return np.where(actions == self._n_configs, STOP, actions) if self._has_stop else actions

    def enter(self, where: Numbers, indices: Numbers, outcomes: Outcomes) -> None:
        """Do nothing: the state has them."""

    def observation(self, where: Any = slice(None)) -> Observation:
        """Return maps, last measurements and budgets."""
        return self._state.observation(where)

    def mask(self, where: Any = slice(None)) -> NDArray[np.int8]:
        """Return 1 for the configurations that would be run, (m, N), or with *stop* (m, N + 1)."""
        mask = self._state.mask(where)
        return np.pad(mask, ((0, 0), (0, 1)), constant_values=1) if self._has_stop else mask


class CandidatesView:
    """``K`` candidates of each campaign, by the same features whatever the space."""

    def __init__(self, state: CampaignState, space: ConfigSpace, setup: OfflineSetup, k: int) -> None:
        n = len(state.n_unknown)
        self._state = state
        self._rows = CandidateRows(n, space, rules_of(setup.arguments), k)
        self._choice = DenseChoice(space, setup.settings.dominance, k)
        self._seeds = np.zeros(n, np.uint64)
        self._each = np.arange(n)
        self.observation_space: gymnasium.Space[Any] = self._rows.observation_space
        self.action_space = self._rows.action_space

    def begin(self, where: Numbers, seeds: Seeds) -> None:
        """Begin campaigns."""
        self._seeds[where] = seeds
        self._rows.begin(where)

    def indices(self, actions: Numbers) -> Numbers:
        """Return the configurations in the rows that actions name."""
        indices: Numbers = self._rows.shown[self._each, actions]
        return indices

    def enter(self, where: Numbers, indices: Numbers, outcomes: Outcomes) -> None:
        """Enter outcomes."""
        if where.size:
            runs = runs_of(
                self._choice.shares(indices[where]),
                outcomes.labels[where],
                outcomes.values[where],
                outcomes.mask[where],
                outcomes.mean_ms[where],
            )
            self._rows.enter(where, runs)
            self._rows.spend(where, outcomes.cost_s[where])

    def observation(self, where: Any = slice(None)) -> Observation:
        """Choose candidates and show them."""
        campaigns, state = self._each[where], self._state
        unknown, steps = state.mask(campaigns).view(np.bool_), state.budgets.spent_steps[campaigns]
        shown = self._choice.choose(unknown, self._seeds[campaigns], steps)
        unknown_share = state.n_unknown[campaigns] / state.n_configs[campaigns]
        return self._rows.observe(campaigns, shown, unknown_share, state.budgets.left[:, campaigns].T)

    def mask(self, where: Any = slice(None)) -> NDArray[np.int8]:
        """Return 1 for rows with a candidate."""
        return self._rows.masks(where).view(np.int8)


def vector_view(name: str, k: int | None, state: CampaignState, space: ConfigSpace, setup: OfflineSetup) -> VectorView:
    """Return a view by its name.

    Raises:
        ConfigError: there is no such view, ``k`` is not a number of candidates, or the view lacks what is asked for.
    """
    n_candidates = candidates_of(name, k)
    require_supported(name, setup.settings.actions, setup.settings.extras)
    if name == CANDIDATES:
        return CandidatesView(state, space, setup, n_candidates)
    return MapView(state, space, setup)
