"""Thousands of offline campaigns side by side, stepped in NumPy without a Python loop over them.

Notation: ``n`` environments, ``N`` configurations, ``F`` functions, ``V = 3 + 2 F`` values of a measurement. The state
is a structure of arrays with the leading axis ``n``. Environment ``i`` has the same steps as a single environment with
the same seed.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from gymnasium.error import ResetNeeded
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space
from numpy.typing import NDArray

from peva_env.campaign import CampaignState, OfflineSetup, PrefetchedEpisodes, chosen_scenario
from peva_env.contracts import Verdict
from peva_env.errors import ConfigError
from peva_env.inference import OK_LABEL
from peva_env.objectives import EpisodeRewards
from peva_env.observation import Observation
from peva_env.sources import Outcomes
from peva_env.space import Config
from peva_env.views import MAP, STOP, vector_view

type Info = dict[str, Any]
type Arrays = NDArray[Any]

_VERDICT_TEXTS = np.array([str(Verdict.OK), "", str(Verdict.OVERLOADED)])


class PevaVectorEnv(VectorEnv[Observation, Arrays, Arrays]):
    """``num_envs`` offline campaigns.

    ``space`` is the space of the first scenario. The spaces of other scenarios have the same shape, but other function
    names; ``config`` returns the configuration with the function names of the environment's own scenario.

    ``reset`` takes one seed (environment ``i`` gets ``seed + i``) or a list of ``n`` seeds. Its options are
    ``scenario`` and ``reset_mask`` (n,) bool, which selects the environments to reset. Infos are arrays with one row
    per environment: ``action_mask``, ``n_unknown``, ``n_resolved``, ``n_runs``, ``cost_s`` and ``verdict`` (empty if
    unknown).

    Args:
        num_envs: number of environments.
        setup: their world, settings and objective.
        autoreset_mode: when an environment whose episode has ended begins the next one: any of gymnasium's modes.
        view: what agents see: ``map``, or ``candidates``; see ``peva_env.views``.
        k: number of candidates, 64 by default.

    Raises:
        ConfigError: the space is too large to hold a label for each configuration, or there is no such view.
    """

    def __init__(
        self,
        num_envs: int,
        setup: OfflineSetup,
        autoreset_mode: AutoresetMode | str = AutoresetMode.NEXT_STEP,
        *,
        view: str = MAP,
        k: int | None = None,
    ) -> None:
        space = setup.world.space(0)
        if not isinstance(num_envs, int) or isinstance(num_envs, bool) or num_envs < 1:
            raise ConfigError(f"num_envs = {num_envs!r}: must be a whole number of at least 1")
        if not space.is_dense:
            raise ConfigError(f"{space.n_configs:,} configurations are too many to step side by side; give fewer rates")
        self.num_envs = num_envs
        self.world = setup.world
        self.space = space
        self.autoreset_mode = _parse_autoreset_mode(autoreset_mode)
        self.metadata = {"render_modes": [], "autoreset_mode": self.autoreset_mode}
        self.render_mode = None
        recorded = setup.world.recorded(np.arange(len(setup.world.scenarios)))
        self._state = CampaignState(num_envs, space, recorded, setup.settings)
        self._view = vector_view(view, k, self._state, space, setup)
        self.single_observation_space = self._view.observation_space
        self.single_action_space = self._view.action_space
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.action_space = batch_space(self.single_action_space, num_envs)
        limits = setup.settings
        self._rewards = EpisodeRewards(setup.objective, num_envs, limits.budget_runs, limits.budget_seconds)
        self._episodes = PrefetchedEpisodes(setup.world, num_envs)
        self._indices = np.zeros(num_envs, np.int64)  # the configurations that the last actions named; -1 for none
        self._ended = np.zeros(num_envs, np.bool_)
        self._has_begun = False

    def reset(
        self, *, seed: int | Sequence[int | None] | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, Info]:
        """Begin the next episode of each environment, or of those in ``options["reset_mask"]``.

        Raises:
            ConfigError: an unknown option or scenario, or seeds of another kind or number.
        """
        others = dict(options or {})
        mask = _checked_mask(others.pop("reset_mask", None), self.num_envs)
        if mask is not None and not self._has_begun:
            raise ResetNeeded("the first reset must be of all environments, without a reset_mask")
        scenario = chosen_scenario(others, self.world.scenarios)
        where = np.arange(self.num_envs) if mask is None else mask.nonzero()[0]
        self._episodes.seed(_seeds(seed, self.num_envs), where)
        self._begin(where, scenario)
        observation = self._view.observation()
        infos = self._with_masks(self._infos(np.zeros(self.num_envs, np.bool_)), slice(None))
        return observation, infos | self._with_masks(self._scenario_info(), where)

    def step(self, actions: Arrays) -> tuple[Observation, Arrays, Arrays, Arrays, Info]:
        """Measure the configuration of each environment's action, unless it is known.

        Raises:
            ResetNeeded: there was no reset, or an episode has ended and autoreset is disabled.
            IndexError: an action is not in the action space; nothing changes.
        """
        if not self._has_begun:
            raise ResetNeeded("there are no campaigns yet: call reset() first")
        begins = self._ended.nonzero()[0]
        if begins.size and self.autoreset_mode is AutoresetMode.DISABLED:
            raise ResetNeeded(f"{begins.size} episodes have ended: reset them with options={{'reset_mask': ...}}")
        self._indices = self._view.indices(self._checked_actions(actions, begins))
        if begins.size:
            self._begin(begins)
        rewards, terminated, truncated, legal = self._advance(self._indices, begins)
        infos: Info = {}
        ended = terminated | truncated
        just_ended = ended.nonzero()[0]
        if just_ended.size and self.autoreset_mode is AutoresetMode.SAME_STEP:
            infos = self._final_infos(just_ended, legal)
            self._begin(just_ended)
            legal[just_ended] = False
            begins = just_ended
        else:
            self._ended = ended
        observation = self._view.observation()
        infos |= self._with_masks(self._infos(legal), slice(None))
        if begins.size:
            infos |= self._with_masks(self._scenario_info(), begins)
        return observation, rewards, terminated, truncated, infos

    def action_masks(self) -> NDArray[np.bool_]:
        """Return the legal actions of each environment, (n, N) or (n, K).

        Raises:
            ResetNeeded: there was no reset.
        """
        if not self._has_begun:
            raise ResetNeeded("there are no campaigns yet: call reset() first")
        return self._view.mask().view(np.bool_)

    def config(self, env: int, action: int) -> Config:
        """Return the configuration of an action in an environment; its scenario defines the functions.

        Raises:
            IndexError: the action names none.
        """
        actions = np.zeros(self.num_envs, np.int64)
        actions[env] = action
        return self.world.space(int(self._episodes.scenarios[env])).config(int(self._view.indices(actions)[env]))

    @property
    def n_configs(self) -> NDArray[np.int64]:
        """The number of configurations that can be measured in each environment's scenario, (n,), in a new array."""
        return self._state.n_configs.copy()

    def _advance(
        self, indices: Arrays, begins: NDArray[np.int64]
    ) -> tuple[Arrays, NDArray[np.bool_], NDArray[np.bool_], NDArray[np.bool_]]:
        """Step all environments except ``begins``, which have just begun.

        Returns rewards, terminations, truncations, and which environments made a run, (n,) each.
        """
        state, named, stops = self._state, indices >= 0, indices == STOP
        indices = np.where(named, indices, 0)
        legal = state.is_legal(indices) & named
        legal[begins] = False
        left_before = state.budgets.least_left()
        outcomes = self._episodes.current.outcomes(indices, state.iterations(indices))
        self._view.enter(legal.nonzero()[0], indices, outcomes)
        state.measure(indices, legal, outcomes)
        left = state.budgets.least_left()
        state.budgets.spent_steps += 1
        state.budgets.spent_steps[begins] = 0
        is_complete = state.n_unknown == 0
        terminated = is_complete | stops
        truncated = state.budgets.exhausted(left) & ~terminated
        for ended in (terminated, truncated):
            ended[begins] = False
        stepping = np.ones(self.num_envs, np.bool_)
        stepping[begins] = False
        rewards = np.zeros(self.num_envs)
        rows = stepping.nonzero()[0]
        if rows.size:
            cut_short = truncated | (stops & ~is_complete)
            rewards[rows] = self._rewarded(rows, indices, named, outcomes, left_before - left, legal, cut_short)
        return rewards, terminated, truncated, legal

    def _rewarded(
        self,
        rows: NDArray[np.int64],
        indices: Arrays,
        named: NDArray[np.bool_],
        outcomes: Outcomes,
        spent: Arrays,
        legal: NDArray[np.bool_],
        cut_short: NDArray[np.bool_],
    ) -> Arrays:
        """Return the rewards of environments ``rows`` (k,).

        ``indices`` (n,) are the configurations asked for where ``named`` (n,) is true; ``legal`` (n,) is true where a
        run was made, ``cut_short`` (n,) where the episode ends with unknown configurations.
        """
        state, ran = self._state, legal.take(rows)
        n_configs, asked = state.n_configs.take(rows), indices.take(rows)
        return self._rewards.of_step(
            rows,
            spent=spent.take(rows),
            ran=ran,
            ended=cut_short.take(rows),
            resolved=state.n_resolved.take(rows) / n_configs,
            labels=outcomes.labels.take(rows) * ran,
            rates_rps=state.rates_rps.take(asked, axis=0) * ran[:, None],
            values=outcomes.values.take(rows, axis=0),
            mask=outcomes.mask.take(rows, axis=0),
            unknown=state.n_unknown.take(rows) / n_configs,
            index=np.where(named.take(rows), asked, -1),
            cost_s=state.cost_s.take(rows),
            find_newly=lambda: state.newly(rows),
            find_map=lambda: state.map(rows),
            find_truth=lambda: self._episodes.truth(rows),
        )

    def _begin(self, where: NDArray[np.int64], scenario: int | None = None) -> None:
        """Begin the next episode of environments ``where``."""
        self._episodes.begin(where, scenario)
        self._state.begin(where, self._episodes.scenarios[where])
        self._rewards.begin(where, self._state.n_configs[where])
        self._view.begin(where, self._episodes.seeds[where])
        self._ended[where] = False
        self._has_begun = True

    def _checked_actions(self, actions: Arrays, begins: NDArray[np.int64]) -> Arrays:
        given = np.asarray(actions)
        if given.shape != (self.num_envs,) or given.dtype.kind not in "iu":
            raise IndexError(f"actions must be {self.num_envs} whole numbers; got {given.dtype} of shape {given.shape}")
        checked = given.astype(np.int64)
        checked[begins] = 0
        for extreme in (checked.min(), checked.max()):
            if not 0 <= extreme < self._view.action_space.n:
                raise IndexError(f"action {extreme} is outside 0..{self._view.action_space.n - 1}")
        return checked

    def _infos(self, legal: NDArray[np.bool_], rows: Any = slice(None)) -> dict[str, Arrays]:
        """Return the infos of environments ``rows``; ``legal`` (n,): which environments made a run."""
        state, ran, indices = self._state, legal[rows], self._indices[rows]
        own_labels = state.labels_of(np.maximum(indices, 0), rows) * (indices >= 0)
        own_labels = np.where(ran, state.last_labels[rows], own_labels)
        return {
            "action_mask": self._view.mask(rows),
            "n_unknown": state.n_unknown[rows].copy(),
            "n_resolved": state.n_resolved[rows] * ran,
            "n_runs": ran.astype(np.int64),
            "cost_s": state.cost_s[rows] * ran,
            "verdict": _VERDICT_TEXTS.take(own_labels - OK_LABEL),
        }

    def _final_infos(self, ended: NDArray[np.int64], legal: NDArray[np.bool_]) -> Info:
        """Return the last observations and infos of ended episodes, in gymnasium's form; 0 in other rows."""
        finals = {"final_obs": self._view.observation(ended), "final_info": self._infos(legal, ended)}
        return self._with_masks({name: self._scatter(rows, ended) for name, rows in finals.items()}, ended)

    def _scatter(self, rows: Mapping[str, Arrays], where: NDArray[np.int64]) -> Info:
        arrays = {name: np.zeros((self.num_envs, *values.shape[1:]), values.dtype) for name, values in rows.items()}
        for name, values in rows.items():
            arrays[name][where] = values
        return self._with_masks(arrays, where)

    def _scenario_info(self) -> Info:
        n_unrecorded = self.space.n_configs - self._state.n_configs
        return {"scenario": self._episodes.scenarios.copy(), "n_unrecorded": n_unrecorded}

    def _with_masks(self, arrays: Mapping[str, Any], where: Any) -> Info:
        """Add to each array ``name`` a mask ``_name`` (n,), which is true at ``where``: the rows that are set."""
        mark = np.zeros(self.num_envs, np.bool_)
        mark[where] = True
        return {**arrays, **{f"_{name}": mark for name in arrays}}


def _parse_autoreset_mode(mode: AutoresetMode | str) -> AutoresetMode:
    try:
        return AutoresetMode(mode)
    except ValueError:
        known = ", ".join(mode.value for mode in AutoresetMode)
        raise ConfigError(f"autoreset_mode = {mode!r}: must be one of {known}") from None


def _seeds(seed: int | Sequence[int | None] | None, n: int) -> Sequence[int | None]:
    if seed is None or (isinstance(seed, int) and not isinstance(seed, bool)):
        seeds: Sequence[int | None] = [None if seed is None else seed + i for i in range(n)]
    elif isinstance(seed, list | tuple) and len(seed) == n:
        seeds = seed
    else:
        raise ConfigError(f"seed {seed!r}: give a whole number, or a list of {n}, one for each environment")
    for item in seeds:
        if item is not None and (not isinstance(item, int) or isinstance(item, bool) or item < 0):
            raise ConfigError(f"seed {item!r}: must be a whole number of 0 or more, as a Python int")
    return seeds


def _checked_mask(mask: Any, n: int) -> NDArray[np.bool_] | None:
    if mask is None:
        return None
    if not isinstance(mask, np.ndarray) or mask.dtype != np.bool_ or mask.shape != (n,) or not mask.any():
        raise ConfigError(f"reset_mask must be a bool array of shape ({n},) with at least one True")
    return mask
