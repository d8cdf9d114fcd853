"""The rewards that come with the package.

``spent`` is what a step is charged (``peva_env.objectives.charges``), ``u`` the share of the map that is unknown after
it, and ``C`` the sum of ``spent`` over an episode: 1 if it ends with unknown configurations, at most 1 otherwise.

==============  ==================================================  =============================================
reward          of a step                                           summed over an episode
==============  ==================================================  =============================================
``frontier``    share of the map that became known - ``spent``      share known - ``C``
``goodput``     increase of the best goodput - ``spent``            best goodput - ``C``
``early``       ``-u * spent``                                      minus the area under ``u``, over the budget
``seconds``     as ``frontier``, but seconds are charged            share known - seconds charged
``right``       newly right - newly wrong - ``spent``, and at the   ``2 * right - 1 - C``
                end ``-u``                                          (``right``: share of the map that is true)
==============  ==================================================  =============================================

Why nothing pays more than measuring. Let ``G`` be what is gained: the share known, the best goodput, or twice the share
that is right. Each depends on the measurements alone, and a measurement of an unknown configuration never lowers it.

1. *Giving up.* Let an agent measure nothing from some step on, with gain ``G`` until then. It ends with unknown
   configurations, so its return is ``G - 1`` (``early``: what is unknown is charged for the whole rest of the budget).
   An agent that goes on measuring ends with ``G' >= G`` and ``C <= 1`` (``early``: with ``u' <= u`` all along).
2. *Stalling on the way.* Without its no-ops a play has the same measurements, so the same ``G`` (``early``: the same
   ``u``, each value of it at an earlier share of the budget), and ``C`` is no larger.

Both hold for each single play, not only on average, as far as ``G`` never falls: a known configuration is not measured
again, or its new verdict contradicts nothing; and offline, where an outcome does not depend on the step it is drawn in.
Not claimed: that *every* measurement is worth a no-op. A measurement that says little still spends a run of the budget,
which an agent that would have completed the map with its very last run then lacks.
"""

import numpy as np
from numpy.typing import NDArray

from peva_env.errors import ConfigError
from peva_env.objectives.step import Step
from peva_env.space import ConfigSpace


class FrontierObjective:
    """Rewards the share of the map that a step resolves, minus the share of the budget that it is charged."""

    def __init__(self, space: ConfigSpace) -> None:
        """Accept the space, as every objective does; it is not used."""

    def reward(self, step: Step, memo: NDArray[np.float64]) -> NDArray[np.float64]:  # noqa: ARG002
        """Return ``resolved - spent``."""
        return step.resolved - step.spent


class GoodputObjective:
    """Rewards the increase of the best goodput found, minus the share of the budget that a step is charged.

    Goodput is the sum, over the functions whose success rate and p95 latency meet a stated objective, of rate times
    success rate, as a share of the sum of the functions' highest rates.

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


class EarlyObjective:
    """Charges the share of the map that is still unknown, for each share of the budget: the sooner known, the better.

    The sum over an episode is minus the area under the curve of the unknown share over the budget.
    """

    def __init__(self, space: ConfigSpace) -> None:
        """Accept the space, as every objective does; it is not used."""

    def reward(self, step: Step, memo: NDArray[np.float64]) -> NDArray[np.float64]:  # noqa: ARG002
        """Return ``-unknown * spent``."""
        return -step.unknown * step.spent


class SecondsObjective:
    """Rewards as ``frontier`` does, but charges machine seconds instead of the share of the budget.

    A run is charged its seconds as a share of ``limit_s``. All else is as for the budget: a no-op is charged as much as
    a run of the budget, the end with unknown configurations all that is left of ``limit_s``, and no episode more than
    1.

    Args:
        space: the configurations.
        limit_s: seconds that are worth as much as the whole map; by default the environment's ``budget_seconds``.
    """

    def __init__(self, space: ConfigSpace, *, limit_s: float | None = None) -> None:  # noqa: ARG002
        if limit_s is None:
            raise ConfigError("reward = 'seconds': give budget_seconds, or reward_kwargs={'limit_s': SECONDS}")
        if isinstance(limit_s, bool) or not isinstance(limit_s, int | float) or not 0 < limit_s < float("inf"):
            raise ConfigError(f"reward = 'seconds': limit_s = {limit_s!r}: must be a number of seconds above 0")
        self._limit_s = limit_s

    def reward(self, step: Step, memo: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return ``resolved`` minus the share of the seconds; ``memo`` is the share charged so far."""
        left = 1 - memo
        charge = np.minimum(np.where(step.ran, step.cost_s / self._limit_s, step.spent), left)
        charge = np.where(step.ended, left, charge)
        memo += charge
        return step.resolved - charge


class RightObjective:
    """Pays for labels that are true, charges wrong ones, and charges what is unknown at the end as if it were wrong.

    True is what the simulated node does without noise, or the majority of the recorded runs: see ``Step.truth``. If an
    unknown label were not charged, giving up would pay more than a measurement that noise can make wrong. What an agent
    predicts does not count: a reward for predictions would pay for stopping.
    """

    def __init__(self, space: ConfigSpace) -> None:
        """Accept the space, as every objective does; it is not used."""

    def reward(self, step: Step, memo: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return (newly right - newly wrong) / ``n``, minus ``spent``, minus the unknown share at the end.

        ``n`` is the number of configurations that can be measured; ``memo`` is the share right minus the share wrong.
        """
        truth = step.truth
        agreeing = (step.map * truth).sum(axis=1, dtype=np.int64) / np.count_nonzero(truth, axis=1)
        gain: NDArray[np.float64] = agreeing - memo
        memo[:] = agreeing
        return gain - step.spent - step.unknown * step.ended
