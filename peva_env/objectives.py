"""Rewards of an agent.

Notation: ``n`` environments side by side (1 in a single environment), ``F`` functions. ``spent`` is the share of the
budget that a step spent: the decrease of the smaller of the two remaining shares, runs and seconds; 0 without a limit.

- ``frontier``: ``reward = resolved - spent``, where ``resolved`` is the share of the map that became known. The sum
  over an episode is the share of the map resolved minus the share of the budget spent.
- ``goodput``: ``reward = (best - best before) / total - spent``, where ``best`` is the highest goodput measured so far:
  the requests per second of all functions whose success rate and p95 latency meet a stated objective, each function's
  rate times its success rate; ``total`` is the sum of the functions' highest rates. The sum over an episode is the best
  goodput found, as a share of ``total``, minus the share of the budget spent.
- ``module:Class``: a user's class, ``Class(space, **arguments)``, with the method ``reward``. With several scenarios,
  ``space`` is the space of the first: all have its shape, but their functions differ.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from peva_env.errors import ConfigError
from peva_env.observation import N_RUN_VALUES
from peva_env.space import ConfigSpace
from peva_env.system import load_class

ILLEGAL_REWARD = -0.001
"""Reward of an action on a known configuration, which is a no-op."""

_MS_PER_S = 1000.0


@dataclass(frozen=True, slots=True)
class Step:
    """The results of a step in the ``n`` environments in which a run was made.

    The arrays are read-only.
    """

    resolved: NDArray[np.float64]  # (n,): share of the map that became known
    spent: NDArray[np.float64]  # (n,): share of the budget
    labels: NDArray[np.int8]  # (n,): -1 OK, 1 overloaded, 0 where the budget ended before a verdict
    rates_rps: NDArray[np.int32]  # (n, F): 0 where a function is absent
    values: NDArray[np.float32]  # (n, 3 + 2 F): see peva_env.observation, ``last_measurement``
    mask: NDArray[np.int8]  # (n, 3 + 2 F): 1 where the value was measured

    def __post_init__(self) -> None:
        for array in (self.labels, self.rates_rps, self.values, self.mask):
            array.flags.writeable = False

    @property
    def success_rate(self) -> NDArray[np.float32]:
        """Success rates, (n, F); 0 where not measured."""
        return self.values[:, N_RUN_VALUES : N_RUN_VALUES + self.rates_rps.shape[1]]

    @property
    def p95_ms(self) -> NDArray[np.float32]:
        """95th percentiles of the latency, (n, F); infinite where not measured, for example without a success."""
        first = N_RUN_VALUES + self.rates_rps.shape[1]
        return np.where(self.mask[:, first:], self.values[:, first:] * np.float32(_MS_PER_S), np.float32(np.inf))


@runtime_checkable
class Objective(Protocol):
    """Computes the reward of each step."""

    def reward(self, step: Step, memo: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the reward of a step in each environment, (n,).

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
    except Exception as error:
        raise ConfigError(f"reward {name} failed: {error!r}") from error
    if rewards.shape != memo.shape or not np.isfinite(rewards).all():
        shown = np.array2string(rewards, threshold=4)
        raise ConfigError(f"reward {name}: must return {len(memo)} finite numbers, one for each row; got {shown}")
    return rewards


class FrontierObjective:
    """Rewards the share of the map that a step resolves, minus the share of the budget that it spends."""

    def __init__(self, space: ConfigSpace) -> None:
        """Accept the space, as every objective does; it is not used."""

    def reward(self, step: Step, memo: NDArray[np.float64]) -> NDArray[np.float64]:  # noqa: ARG002
        """Return ``resolved - spent``."""
        return step.resolved - step.spent


class GoodputObjective:
    """Rewards the increase of the best goodput found, minus the share of the budget that a step spends.

    Args:
        space: the configurations.
        p95_ms: upper limit of the p95 latency of a function's successful requests.
        success_rate: lower limit of the share of its offered requests that succeed.
    """

    def __init__(self, space: ConfigSpace, *, p95_ms: float = 500.0, success_rate: float = 0.95) -> None:
        if not p95_ms > 0 or not 0 <= success_rate <= 1:
            raise ConfigError(
                "reward = 'goodput': p95_ms must be above 0 and success_rate between 0 and 1; "
                f"got {p95_ms} and {success_rate}"
            )
        self._p95_ms = p95_ms
        self._success_rate = success_rate
        self._total_rps = float(sum(rates[-1] for rates in space.rates_rps)) or 1.0

    def reward(self, step: Step, memo: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the increase of the best goodput as a share of the sum of the highest rates, minus ``spent``."""
        meets = (step.success_rate >= self._success_rate) & (step.p95_ms <= self._p95_ms)
        goodput_rps = (step.rates_rps * step.success_rate * meets).sum(axis=1, dtype=np.float64)
        best = np.maximum(memo, goodput_rps / self._total_rps)
        gain = best - memo
        memo[:] = best
        return gain - step.spent


OBJECTIVES: Mapping[str, type[Any]] = {"frontier": FrontierObjective, "goodput": GoodputObjective}
"""The objectives that come with the package, by name."""


def make_objective(name: str, arguments: Mapping[str, Any], space: ConfigSpace) -> Objective:
    """Build an objective by its name in ``OBJECTIVES``, or from ``module:Class``.

    Raises:
        ConfigError: the name is unknown, or the objective does not accept the arguments.
    """
    if name not in OBJECTIVES and ":" not in name:
        raise ConfigError(f"reward = {name!r}: must be one of {', '.join(OBJECTIVES)}, or a 'module:Class'")
    kind = OBJECTIVES.get(name) or load_class(name, what="reward", error=ConfigError)
    try:
        objective: Objective = kind(space, **arguments)
    except ConfigError:
        raise
    except Exception as error:
        raise ConfigError(f"reward = {name!r}: cannot be built: {error}") from error
    if not callable(getattr(objective, "reward", None)):
        raise ConfigError(f"reward = {name!r}: it lacks the method reward(step, memo)")
    return objective
