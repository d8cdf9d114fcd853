"""What is known of every configuration: measured, or inferred from a measured one.

Notation: ``N`` configurations in plan order, ``F`` functions; ``labels`` holds one int8 per configuration: -1 OK,
0 unknown, 1 overloaded.

Dominance, by name:

- ``one_sided``: what has the same functions as an overloaded configuration, and no lower rate, is overloaded. This is
  PEVA-FAAS's rule.
- ``two_sided``: that, and what has no higher rate than an OK configuration is OK. A function that is absent counts as
  one at rate 0, so that this also crosses from one set of functions to another.
"""

from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from peva_env.contracts import Verdict
from peva_env.space import Config, ConfigKey, ConfigSpace, config_key

type Dominance = Literal["one_sided", "two_sided"]

DENSE_LIMIT = 2**20
"""Largest number of configurations whose labels are held in an array; beyond it only measured ones are remembered."""

OK_LABEL, UNKNOWN_LABEL, OVERLOADED_LABEL = -1, 0, 1

LABELS = {Verdict.OK: OK_LABEL, Verdict.OVERLOADED: OVERLOADED_LABEL}
VERDICTS = {label: verdict for verdict, label in LABELS.items()}


def is_dense(space: ConfigSpace) -> bool:
    """Tell whether a space is small enough to hold one label per configuration."""
    return space.n_configs <= DENSE_LIMIT


class RateGrid:
    """The rates of every configuration as arrays: what dominance compares.

    ``rates_rps`` is int32 (F, N), 0 for a function that is absent; ``level_shares`` float32 (N, F), the number of the
    rate among the function's rates as a share of them, 0 = absent; ``sets`` numbers the sets of functions, (N,).
    """

    def __init__(self, space: ConfigSpace) -> None:
        self.rates_rps = np.zeros((len(space.functions), space.n_configs), np.int32)
        self.level_shares = np.zeros((space.n_configs, len(space.functions)), np.float32)
        self.sets = np.zeros(space.n_configs, np.int32)
        self._bounds: list[slice] = []
        position = {name: i for i, name in enumerate(space.functions)}
        for number, names in enumerate(space.function_sets()):
            offset, shape = space.block(names)
            block = slice(offset, offset + int(np.prod(shape)))
            levels = np.unravel_index(np.arange(block.stop - block.start), shape)
            for name, level in zip(names, levels, strict=True):
                rates_rps = np.array(space.rates_rps[position[name]])
                self.rates_rps[position[name], block] = rates_rps[level]
                self.level_shares[block, position[name]] = (level + 1).astype(np.float32) / np.float32(len(rates_rps))
            self.sets[block] = number
            self._bounds.append(block)

    def scope(self, index: int, dominance: Dominance) -> slice:
        """Return the configurations that dominance can reach from one: its set of functions, or all."""
        return self._bounds[self.sets[index]] if dominance == "one_sided" else slice(None)

    def reached(self, index: int, label: int, scope: slice) -> NDArray[np.bool_]:
        """Return which of a scope have no lower rates (overloaded) or no higher ones (OK) than a configuration."""
        compare = np.greater_equal if label == OVERLOADED_LABEL else np.less_equal
        reached: NDArray[np.bool_] = compare(self.rates_rps[0, scope], self.rates_rps[0, index])
        for rates_rps in self.rates_rps[1:]:
            reached &= compare(rates_rps[scope], rates_rps[index])
        return reached


@dataclass
class _Antichain:
    """The extreme ones of some configurations: the lowest overloaded ones (``sign`` 1) or the highest OK ones (-1)."""

    sign: int
    extreme: list[tuple[tuple[int, ...], Config]] = field(default_factory=list)

    def add(self, rates: tuple[int, ...], config: Config) -> None:
        if self.beyond(rates) is None:
            self.extreme = [kept for kept in self.extreme if not self._reaches(rates, kept[0])]
            self.extreme.append((rates, config))

    def beyond(self, rates: tuple[int, ...]) -> Config | None:
        return next((config for base, config in self.extreme if self._reaches(base, rates)), None)

    def _reaches(self, base: tuple[int, ...], rates: tuple[int, ...]) -> bool:
        return all(self.sign * (rate - end) >= 0 for rate, end in zip(rates, base, strict=True))


class MonotoneMap:
    """Labels of a space's configurations, kept up to date as verdicts arrive.

    ``labels`` is None for spaces beyond ``DENSE_LIMIT``; everything else works for any size. ``recorded`` (N,) says
    which configurations can be measured, all without it: only these are labelled, and counted by ``n_unknown``.
    """

    def __init__(
        self,
        space: ConfigSpace,
        *,
        dominance: Dominance = "one_sided",
        grid: RateGrid | None = None,
        recorded: NDArray[np.bool_] | None = None,
    ) -> None:
        self.space = space
        self.dominance: Dominance = dominance
        self.labels: NDArray[np.int8] | None = np.zeros(space.n_configs, np.int8) if is_dense(space) else None
        self.n_configs = space.n_configs if recorded is None else int(np.count_nonzero(recorded))
        self.n_unknown = self.n_configs
        self.recorded = recorded
        self._grid = (grid or RateGrid(space)) if self.labels is not None else None
        self._entered: list[tuple[int, int]] = []  # index and label, not yet in what follows
        self._measured: dict[ConfigKey, Verdict] = {}
        self._frontiers: dict[tuple[int, tuple[str, ...]], _Antichain] = {}

    @property
    def measured(self) -> dict[ConfigKey, Verdict]:
        """The verdicts that were measured."""
        self._catch_up()
        return self._measured

    def verdict(self, config: Config) -> Verdict | None:
        """Return what is known of a configuration, measured or inferred, or None."""
        if self.labels is not None and config in self.space:
            return VERDICTS.get(int(self.labels[self.space.index(config)]))
        own = self.measured.get(config_key(config))
        evidence = None if own else self.evidence(config)
        return own or (evidence[1] if evidence else None)

    def evidence(self, config: Config) -> tuple[Config, Verdict] | None:
        """Return another configuration that was measured, and its verdict, from which this one's follows, or None."""
        self._catch_up()
        names, rates = self._place(config)
        for label in (OVERLOADED_LABEL, OK_LABEL):
            frontier = self._frontiers.get((label, names))
            base = frontier.beyond(rates) if frontier else None
            if base is not None and base != sorted(config):
                return base, VERDICTS[label]
        return None

    def update(self, config: Config, verdict: Verdict) -> NDArray[np.int64]:
        """Enter a measured verdict and return the indices that became known by it, in plan order.

        For a space beyond ``DENSE_LIMIT`` that is the configuration itself only, and ``n_unknown`` is an upper bound.
        A measurement outranks an inference: it replaces the label of its own configuration.

        Raises:
            ValueError: the verdict is INVALID, which is never a label, or the configuration is not in the space.
        """
        if verdict not in LABELS:
            raise ValueError(f"{verdict} is not a label: {config} stays as it was")
        return self.enter(self.space.index(config), LABELS[verdict])

    def enter(self, index: int, label: int) -> NDArray[np.int64]:
        """Do the same by index and label."""
        if self.labels is None or self._grid is None:
            was_known = self.verdict(self.space.config(index)) is not None
            resolved = np.array([] if was_known else [index], np.int64)
        else:
            resolved = self._label(self.labels, self._grid, index, label)
        self._entered.append((index, label))
        self.n_unknown -= len(resolved)
        return resolved

    def _label(self, labels: NDArray[np.int8], grid: RateGrid, index: int, label: int) -> NDArray[np.int64]:
        if label == OK_LABEL and self.dominance == "one_sided":
            fresh = np.array([index] if labels[index] == UNKNOWN_LABEL else [], np.int64)
        else:
            scope = grid.scope(index, self.dominance)
            reached = grid.reached(index, label, scope)
            reached &= labels[scope] == UNKNOWN_LABEL
            if self.recorded is not None:
                reached &= self.recorded[scope]
            fresh = reached.nonzero()[0] + (scope.start or 0)
        labels[fresh] = label
        labels[index] = label
        return fresh

    def _catch_up(self) -> None:
        """Take in what was entered: only who asks for reasons pays for them."""
        for index, label in self._entered:
            config = self.space.config(index)
            self._measured[config_key(config)] = VERDICTS[label]
            if label == OVERLOADED_LABEL or self.dominance == "two_sided":
                names, rates = self._place(config)
                self._frontiers.setdefault((label, names), _Antichain(label)).add(rates, config)
        self._entered.clear()

    def _place(self, config: Config) -> tuple[tuple[str, ...], tuple[int, ...]]:
        """Return the functions among which configurations are compared, and this one's rates of them."""
        if self.dominance == "one_sided":
            return config_key(config)
        rates_rps = dict(config)
        return self.space.functions, tuple(rates_rps.get(name, 0) for name in self.space.functions)
