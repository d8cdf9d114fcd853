"""A walk along the frontier, one step a run: the classic search of a sorted matrix."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from peva_agents.policy_agent import PolicyAgent
from peva_env.config import DfaasConfig
from peva_env.contracts import PolicyContext
from peva_env.planning import Candidates, NoOpPolicy
from peva_env.space import Config, ConfigSpace

type Indices = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Plane:
    """The configurations that differ in their last two functions' rates only: they follow each other in the plan.

    A column is one rate of the first of the two, ``height`` the number of rates of the second. A configuration of one
    function is in a plane of one column.
    """

    first: int
    n_configs: int
    height: int

    @classmethod
    def of(cls, space: ConfigSpace, config: Config) -> "Plane":
        """Return the plane of a configuration of a space."""
        rates = dict(zip(space.functions, space.rates_rps, strict=True))
        fixed, spanned = config[:-2], [rates[name] for name, _ in config[-2:]]
        lowest = [(name, of_name[0]) for (name, _), of_name in zip(config[-2:], spanned, strict=True)]
        n_configs = int(np.prod([len(of_name) for of_name in spanned]))
        return cls(space.index(fixed + lowest), n_configs, len(spanned[-1]))

    def holds(self, indices: Indices) -> NDArray[np.bool_]:
        """Return whether each configuration is in the plane."""
        inside: NDArray[np.bool_] = (indices >= self.first) & (indices < self.first + self.n_configs)
        return inside


class StaircasePolicy(NoOpPolicy):
    """Walks down a column of a plane until the node is OK, then goes on in the next column, at that height.

    A plane is spanned by the last two functions of a configuration, all other rates fixed. The walk begins where the
    first of the two has its lowest rate and the second its highest. An overloaded verdict settles the rest of the row,
    an OK one the rest of the column, so that n x m rates take at most n + m - 1 runs, and for n = m no search does
    better in the worst case. When one column is left, it is halved instead. Of many planes the next is that of the
    middle candidate: its verdicts resolve parts of the planes on both sides.

    The bound holds where the map infers to both sides, at least within a set of functions. The walk is saddleback
    search: D. Gries, "The science of programming" (1981), and R. Bird, "Improving saddleback search", Mathematics of
    Program Construction (2006). That F functions of n rates each take runs in the order of n^(F-1), as planes do, is
    shown by Linial and Saks, "Searching ordered structures", Journal of Algorithms 6 (1985).
    """

    def setup(self, context: PolicyContext) -> None:
        """Prepare for the space, and start in no plane."""
        self._space = context.space
        self._plane = Plane(0, 0, 1)

    def choose_batch(self, *, candidates: Sequence[Config], desired_size: int) -> Candidates:
        """Return the next steps of the walk, in the order in which they come if the verdicts are overloaded."""
        candidates = Candidates.of(self._space, candidates)
        if len(candidates) and not self._plane.holds(candidates.indices).any():
            middle = np.argsort(candidates.indices)[len(candidates) // 2]
            self._plane = Plane.of(self._space, candidates[int(middle)])
        inside = self._plane.holds(candidates.indices).nonzero()[0]
        return candidates.take(inside[self._walk(candidates.indices[inside])][:desired_size])

    def _walk(self, indices: Indices) -> Indices:
        inside = indices - self._plane.first
        columns, rows = inside // self._plane.height, inside % self._plane.height
        steps: Indices = np.lexsort((-rows, columns))
        in_one_column = len(indices) > 0 and columns.min() == columns.max()
        return np.roll(steps, -(len(steps) // 2)) if in_one_column else steps


class StaircaseAgent(PolicyAgent):
    """The walk along the frontier as an agent; the configuration's seed draws candidates where all are too many."""

    def __init__(self, config: DfaasConfig | None = None) -> None:
        super().__init__(StaircasePolicy(), name="staircase", seed=config.seed if config else None)
