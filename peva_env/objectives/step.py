"""What a reward is computed from: the results of one step in ``n`` environments side by side.

Notation: ``n = 1`` in a single environment, ``N`` configurations, ``F`` functions.
"""

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from peva_env.errors import ConfigError
from peva_env.observation import N_RUN_VALUES
from peva_env.system import exception_text

_MS_PER_S = 1000.0


@dataclass(frozen=True, slots=True)
class Step:
    """The results of a step. The arrays are read-only.

    In a step without a run (a no-op, or *stop*) ``labels``, ``rates_rps``, ``resolved`` and ``cost_s`` are 0, and
    ``values`` and ``mask`` are those of the run before.

    ``newly``, ``map`` and ``truth`` are computed when they are read, which takes longer than the other arrays.
    """

    resolved: NDArray[np.float64]  # (n,): share of the map that became known
    spent: NDArray[np.float64]  # (n,): share of the budget that the step is charged: see peva_env.objectives.charges
    labels: NDArray[np.int8]  # (n,): -1 OK, 1 overloaded, 0 where the budget ended before a verdict
    rates_rps: NDArray[np.int32]  # (n, F): 0 where a function is absent
    values: NDArray[np.float32]  # (n, 3 + 2 F): see peva_env.observation, ``last_measurement``
    mask: NDArray[np.int8]  # (n, 3 + 2 F): 1 where the value was measured
    ran: NDArray[np.bool_]  # (n,): whether there was a run
    ended: NDArray[np.bool_]  # (n,): whether the episode ends with this step and with unknown configurations
    unknown: NDArray[np.float64]  # (n,): share of the map that is unknown after the step
    index: NDArray[np.int64]  # (n,): the configuration asked for, in plan order; -1 for *stop* or none of the plan
    cost_s: NDArray[np.float64]  # (n,): machine seconds of the runs, cooldown plus run
    find_newly: Callable[[], NDArray[np.bool_]]
    find_map: Callable[[], NDArray[np.int8]]
    find_truth: Callable[[], NDArray[np.int8]]

    def __post_init__(self) -> None:
        for name in _ARRAYS:
            getattr(self, name).flags.writeable = False

    @property
    def success_rate(self) -> NDArray[np.float32]:
        """Success rates, (n, F); 0 where not measured."""
        return self.values[:, N_RUN_VALUES : N_RUN_VALUES + self.rates_rps.shape[1]]

    @property
    def p95_ms(self) -> NDArray[np.float32]:
        """95th percentiles of the latency, (n, F); infinite where not measured, for example without a success."""
        n_functions = self.rates_rps.shape[1]
        own = slice(N_RUN_VALUES + n_functions, N_RUN_VALUES + 2 * n_functions)
        return np.where(self.mask[:, own], self.values[:, own] * np.float32(_MS_PER_S), np.float32(np.inf))

    @property
    def newly(self) -> NDArray[np.bool_]:
        """Which configurations became known, (n, N).

        Raises:
            ConfigError: the space has more than 2^20 configurations.
        """
        return self.find_newly()

    @property
    def map(self) -> NDArray[np.int8]:
        """The labels after the step, (n, N): -1 OK, 0 unknown, 1 overloaded.

        Raises:
            ConfigError: the space has more than 2^20 configurations.
        """
        return self.find_map()

    @property
    def truth(self) -> NDArray[np.int8]:
        """The true labels, (n, N): -1 OK, 1 overloaded, 0 where nothing is recorded.

        In a simulation the labels without noise; in a replay the majority of the recorded runs.

        Raises:
            ConfigError: the environment is live, so that nobody knows.
        """
        return self.find_truth()

    def rows(self, where: NDArray[np.bool_]) -> "Step":
        """Return the step in the environments at ``where`` (n,)."""
        return replace(
            self,
            **{name: getattr(self, name)[where] for name in _ARRAYS},
            find_newly=lambda: self.newly[where],
            find_map=lambda: self.map[where],
            find_truth=lambda: self.truth[where],
        )


_ARRAYS = tuple(field.name for field in fields(Step) if not field.name.startswith("find_"))


@runtime_checkable
class Objective(Protocol):
    """Computes the reward of each step."""

    def reward(self, step: Step, memo: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the reward of a step in each environment, (n,); also of steps without a run, see ``Step.ran``.

        ``memo`` (n,) is state that only the objective changes, in place: one number per environment, reset to 0 when an
        episode begins.
        """
        ...


def checked_rewards(objective: Objective, step: Step, memo: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the rewards of a step, (n,), in a new array.

    Raises:
        ConfigError: the objective raised an exception, or did not return ``n`` finite numbers.
    """
    name = type(objective).__name__
    try:
        rewards = np.array(objective.reward(step, memo), np.float64)
    except ConfigError:
        raise
    except Exception as error:
        raise ConfigError(f"reward {name} failed: {exception_text(error)}") from error
    if rewards.shape != memo.shape or not np.isfinite(rewards).all():
        shown = np.array2string(rewards, threshold=4)
        raise ConfigError(f"reward {name}: must return {len(memo)} finite numbers, one for each row; got {shown}")
    return rewards
