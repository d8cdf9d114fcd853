"""A walk along the frontier, one step per run: saddleback search, the classic search of a sorted matrix."""

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
    """The configurations that differ only in the rates of their last two functions; they are contiguous in the plan.

    A column is one rate of the first of these two functions; ``height`` is the number of rates of the second. A
    configuration of one function lies in a plane of one column.
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
    """Walks down a column of a plane until the node is OK, then continues in the next column at the same height.

    A plane is spanned by the last two functions of a configuration; all other rates are fixed. The walk begins at the
    lowest rate of the first of the two functions and the highest rate of the second. An overloaded verdict resolves the
    rest of the row, and an OK verdict the rest of the column. So n x m rates take at most n + m - 1 runs, and for n = m
    no search has a lower worst case. If only one column has candidates, it is bisected instead. The next plane is the
    plane of the middle candidate, because its verdicts resolve parts of the planes on both sides.

    The bound holds under two-sided dominance, at least within each set of functions. The walk is saddleback search: D.
    Gries, "The science of programming" (1981), and R. Bird, "Improving saddleback search", Mathematics of Program
    Construction (2006). Linial and Saks, "Searching ordered structures", Journal of Algorithms 6 (1985), show that F
    functions of n rates each need runs in the order of n^(F-1), as this walk through all planes does.
    """

    def setup(self, context: PolicyContext) -> None:
        """Prepare for the space; the first choice selects the first plane."""
        self._space = context.space
        self._plane = Plane(0, 0, 1)

    def choose_batch(self, *, candidates: Sequence[Config], desired_size: int) -> Candidates:
        """Return the next steps of the walk, in their order if all their verdicts are overloaded."""
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
    """The walk along the frontier as an agent; the configuration's seed draws samples in very large spaces."""

    def __init__(self, config: DfaasConfig | None = None) -> None:
        super().__init__(StaircasePolicy(), name="staircase", seed=config.seed if config else None)
