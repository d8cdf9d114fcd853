"""Rewards: what an agent is paid for.

Notation: ``n`` environments side by side (1 in a single one), ``F`` functions. ``spent`` is the share of the budget
that a step spent: of the runs or of the seconds, whichever is nearer to its end; 0 without a budget.

- ``frontier``: ``reward = resolved - spent``, where ``resolved`` is the share of the map that became known. Summed over
  an episode that is the share of the map resolved less the share of the budget spent.
- ``goodput``: ``reward = (best - best before) / total - spent``, where ``best`` is the highest goodput measured so far:
  the requests per second of all functions whose success rate and p95 latency meet a stated objective, each function's
  rate times its success rate; ``total`` is the sum of the functions' highest rates. Summed over an episode that is the
  best goodput found, as a share, less the share of the budget spent.
- ``module:Class``: a class of the user's own, ``Class(space, **arguments)``, with the method ``reward``. Where there
  are several scenarios, ``space`` is that of the first: all have its shape, each has functions of its own.
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
"""Reward of an action that asks for what is already known: nothing runs, a little is lost."""

_MS_PER_S = 1000.0


@dataclass(frozen=True, slots=True)
class Step:
    """What a step brought, ``n`` environments side by side: those, of all, in which something was measured.

    Nothing here may be changed: arrays are read-only.
    """

    resolved: NDArray[np.float64]  # (n,): share of the map that became known
    spent: NDArray[np.float64]  # (n,): share of the budget
    labels: NDArray[np.int8]  # (n,): -1 OK, 1 overloaded, 0 where the budget ended before a verdict
    rates_rps: NDArray[np.int32]  # (n, F): 0 where a function is absent
    values: NDArray[np.float32]  # (n, 3 + 2 F): see peva_env.observation, ``last_measurement``
    mask: NDArray[np.int8]  # (n, 3 + 2 F): where that was measured

    def __post_init__(self) -> None:
        for array in (self.labels, self.rates_rps, self.values, self.mask):
            array.flags.writeable = False

    @property
    def success_rate(self) -> NDArray[np.float32]:
        """Success rates, (n, F); 0 where not measured."""
        return self.values[:, N_RUN_VALUES : N_RUN_VALUES + self.rates_rps.shape[1]]

    @property
    def p95_ms(self) -> NDArray[np.float32]:
        """95th percentiles of the latency, (n, F); infinite where not measured, as where nothing succeeded."""
        first = N_RUN_VALUES + self.rates_rps.shape[1]
        return np.where(self.mask[:, first:], self.values[:, first:] * np.float32(_MS_PER_S), np.float32(np.inf))


@runtime_checkable
class Objective(Protocol):
    """What an agent is paid for."""

    def reward(self, step: Step, memo: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the reward of a step in each environment, (n,).

        ``memo`` (n,) is the objective's own to change in place: one number per environment, 0 when an episode begins.
        """
        ...


def pay(objective: Objective, step: Step, memo: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the reward of a step, checked: (n,) finite numbers, in an array of their own.

    Raises:
        ConfigError: the objective raised, or returned something else.
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
    """Pays the share of the map that a step resolves, less the share of the budget that it spends."""

    def __init__(self, space: ConfigSpace) -> None:
        """Take the space, as every objective does; this one needs to know nothing of it."""

    def reward(self, step: Step, memo: NDArray[np.float64]) -> NDArray[np.float64]:  # noqa: ARG002
        """Return ``resolved - spent``."""
        return step.resolved - step.spent


class GoodputObjective:
    """Pays the increase of the best goodput found, less the share of the budget that a step spends.

    Args:
        space: the configurations.
        p95_ms: a function meets its objective if 95 % of its successful requests are answered within this time,
        success_rate: and at least this share of the offered ones succeeds.
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
        """Return the increase of the best goodput as a share of the highest rates' sum, less ``spent``."""
        meets = (step.success_rate >= self._success_rate) & (step.p95_ms <= self._p95_ms)
        goodput_rps = (step.rates_rps * step.success_rate * meets).sum(axis=1, dtype=np.float64)
        best = np.maximum(memo, goodput_rps / self._total_rps)
        gain = best - memo
        memo[:] = best
        return gain - step.spent


OBJECTIVES: Mapping[str, type[Any]] = {"frontier": FrontierObjective, "goodput": GoodputObjective}
"""The objectives that come with the package, by name."""


def make_objective(name: str, arguments: Mapping[str, Any], space: ConfigSpace) -> Objective:
    """Build an objective: one of ``OBJECTIVES``, or ``module:Class``.

    Raises:
        ConfigError: there is none of that name, or it does not take these arguments.
    """
    if name not in OBJECTIVES and ":" not in name:
        raise ConfigError(f"reward = {name!r}: must be one of {', '.join(OBJECTIVES)}, or 'module:Class' of your own")
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
