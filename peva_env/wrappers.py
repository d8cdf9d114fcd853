"""Wrappers of environments: other views of a campaign."""

from typing import Any

import gymnasium
import numpy as np
from gymnasium.utils import RecordConstructorArgs
from numpy.typing import NDArray

from peva_env.campaign import ConfigOutcome
from peva_env.env import PevaEnv
from peva_env.errors import ConfigError
from peva_env.features import Measured, highest_rps, valid_runs
from peva_env.features.side_by_side import Runs
from peva_env.inference import LABELS
from peva_env.observation import Observation
from peva_env.space import Config
from peva_env.views import DEFAULT_K, NO_CANDIDATE, CandidateRows, Choice, choice_of, require_k, rules_of, runs_of

_ONLY = np.zeros(1, np.int64)  # the one campaign


class CandidateView(gymnasium.Wrapper[Observation, Any, Observation, Any], RecordConstructorArgs):
    """Shows ``k`` candidates, each by the same numbers without a unit, whatever the space: what one network can learn.

    - Observation: ``candidates`` (K, d) float32, a row for each candidate, and ``context`` (c,) float32. Their features
      are ``peva_env.views.ROW`` and ``peva_env.views.CONTEXT``; rows without a candidate are 0.
    - Action: the index of a row, ``Discrete(k)``. A row without a candidate is a no-op, like a known configuration.
    - ``info["action_mask"]`` (K,) int8 and ``action_masks()``: which rows have a candidate. With fewer unknown
      configurations than ``k``, the last rows have none; ``k`` may be larger than the space.

    A third of the candidates are the unknown configurations that resolve most in the worse case, the others are drawn
    at random. The same seed and actions give the same candidates, here and in environments side by side.

    Args:
        env: a ``PevaEnv``, or wrappers around one that keep its actions.
        k: number of candidates.

    Raises:
        ConfigError: there is no ``PevaEnv`` in it, or ``k`` is not a number of candidates.
    """

    def __init__(self, env: gymnasium.Env[Observation, Any], k: int = DEFAULT_K) -> None:
        RecordConstructorArgs.__init__(self, k=k)
        gymnasium.Wrapper.__init__(self, env)
        if not isinstance(env.unwrapped, PevaEnv):
            raise ConfigError(f"{type(env.unwrapped).__name__} has no candidates: CandidateView needs a PevaEnv")
        self._base = env.unwrapped
        space = self._base.space
        self._k = require_k(k)
        self._rows = CandidateRows(1, space, rules_of(self._base.host.config_data()), self._k)
        self._choice: Choice | None = None
        self._measured = Measured(space)
        self.observation_space: gymnasium.Space[Any] = self._rows.observation_space
        self.action_space = self._rows.action_space

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """Begin a campaign; see ``PevaEnv.reset``."""
        _, info = self.env.reset(seed=seed, options=options)
        if self._choice is None:
            self._choice = choice_of(self._base.space, self._base.known.dominance, self._k)
        self._measured = Measured(self._base.space)
        self._measured.learn(valid_runs(self._base.history))
        self._rows.begin(_ONLY)
        self._enter_again()
        return self._look(info)

    def step(self, action: Any) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        """Measure a candidate.

        Raises:
            IndexError: the action is not the index of a row; nothing changes.
        """
        index = self._index(action)
        if index is None:
            _, reward, terminated, truncated, info = self._base.skip(f"row {action} has no candidate")
        else:
            _, given, terminated, truncated, info = self.env.step(self._base.action(self._base.space.config(index)))
            reward = float(given)
            self._enter(index, self._base.outcome)
        observation, info = self._look(info)
        return observation, reward, terminated, truncated, info

    def action_masks(self) -> NDArray[np.bool_]:
        """Return which rows have a candidate, (K,)."""
        masks: NDArray[np.bool_] = self._rows.masks()[0]
        return masks

    def config(self, action: int) -> Config:
        """Return the configuration of a row.

        Raises:
            IndexError: there is no such row, or it has no candidate.
        """
        index = self._index(action)
        if index is None:
            raise IndexError(f"row {action} has no candidate")
        return self._base.space.config(index)

    def _index(self, action: Any) -> int | None:
        """Return the index in plan order of a row's candidate, or None."""
        if not self.action_space.contains(action):
            raise IndexError(f"action {action!r} is outside 0..{self._k - 1}")
        index = int(self._rows.shown[0, int(action)])
        return None if index == NO_CANDIDATE else index

    def _look(self, info: dict[str, Any]) -> tuple[Observation, dict[str, Any]]:
        """Choose candidates and show them."""
        base = self._base
        assert self._choice is not None  # noqa: S101 - reset has set it
        shown = self._choice.of_one(base.known, base.episode_seed, base.budget.spent_steps)
        unknown_share = np.array([base.known.n_unknown / base.known.n_configs])
        observation = self._rows.observe(_ONLY, shown, unknown_share, np.array([base.budget.left]))
        observation = {name: rows[0] for name, rows in observation.items()}
        return observation, {**info, "action_mask": self.action_masks().astype(np.int8)}

    def _enter(self, index: int, outcome: ConfigOutcome) -> None:
        """Enter the outcome of a step."""
        if outcome.events:  # live: all runs of a configuration count, also earlier ones
            self._measured.learn(valid_runs(outcome.events))
            self._enter_again()
        elif outcome.measurement is not None and outcome.verdict is not None:
            space = self._base.space
            rates = space.rates_of([space.config(index)]) / highest_rps(space)
            values, mask, mean_ms = outcome.measurement
            label = np.array([LABELS[outcome.verdict]])
            self._rows.enter(_ONLY, runs_of(rates, label, values[None], mask[None], mean_ms[None]))
        self._rows.spend(_ONLY, np.array([outcome.cost_s]))

    def _enter_again(self) -> None:
        """Enter all configurations that were measured, by the means of their runs."""
        measured = self._measured.measurements()
        self._rows.forget(_ONLY)
        for row in range(len(measured)):
            self._rows.enter(_ONLY, Runs.of(measured, row))
