"""What is known of every configuration: measured, or inferred from a measured one.

Notation: ``labels`` holds one int8 per configuration in plan order: -1 OK, 0 unknown, 1 overloaded. The configurations
of one set of functions form a contiguous block, seen here as a grid with one axis per function, so that "all rates at
least these" is one slice of it.

The rule is PEVA-FAAS's: what dominates an overloaded configuration (same functions, all rates >=, one >) is overloaded.
"""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from peva_env.contracts import Verdict
from peva_env.space import Config, ConfigKey, ConfigSpace, config_key

DENSE_LIMIT = 2**20
"""Largest number of configurations whose labels are held in an array; beyond it only measured ones are remembered."""

_LABELS = {Verdict.OK: -1, Verdict.OVERLOADED: 1}


def is_dense(space: ConfigSpace) -> bool:
    """Tell whether a space is small enough to hold one label per configuration."""
    return space.n_configs <= DENSE_LIMIT


@dataclass
class _Frontier:
    """Minimal overloaded configurations of one set of functions: an antichain of rate tuples."""

    minimal: list[tuple[int, ...]] = field(default_factory=list)

    def add(self, rates: tuple[int, ...]) -> None:
        if self.below(rates) is None:
            self.minimal = [kept for kept in self.minimal if not _covers(kept, rates)]
            self.minimal.append(rates)

    def below(self, rates: tuple[int, ...]) -> tuple[int, ...] | None:
        return next((base for base in self.minimal if _covers(rates, base)), None)


class MonotoneMap:
    """Labels of a space's configurations, kept up to date as verdicts arrive.

    ``labels`` is None for spaces beyond ``DENSE_LIMIT``; everything else works for any size.
    """

    def __init__(self, space: ConfigSpace) -> None:
        self.space = space
        self.measured: dict[ConfigKey, Verdict] = {}
        self.labels: NDArray[np.int8] | None = np.zeros(space.n_configs, np.int8) if is_dense(space) else None
        self.n_unknown = space.n_configs
        self._frontiers: dict[tuple[str, ...], _Frontier] = {}

    def verdict(self, config: Config) -> Verdict | None:
        """Return what is known of a configuration, measured or inferred, or None."""
        names, rates = config_key(config)
        if (names, rates) in self.measured:
            return self.measured[names, rates]
        frontier = self._frontiers.get(names)
        return Verdict.OVERLOADED if frontier and frontier.below(rates) else None

    def dominated(self, config: Config) -> Config | None:
        """Return an overloaded configuration that this one dominates, or None."""
        names, rates = config_key(config)
        frontier = self._frontiers.get(names)
        base = frontier.below(rates) if frontier else None
        return None if base is None or base == rates else list(zip(names, base, strict=True))

    def update(self, config: Config, verdict: Verdict) -> NDArray[np.int64]:
        """Enter a measured verdict and return the indices that became known by it, in plan order.

        For a space beyond ``DENSE_LIMIT`` that is the configuration itself only, and ``n_unknown`` is an upper bound.
        A measurement outranks an inference: it replaces the label of its own configuration.

        Raises:
            ValueError: the verdict is INVALID, which is never a label, or the configuration is not in the space.
        """
        if verdict not in _LABELS:
            raise ValueError(f"{verdict} is not a label: {config} stays as it was")
        index = self.space.index(config)
        names, rates = config_key(config)
        was_known = self.verdict(config) is not None
        self.measured[names, rates] = verdict
        if verdict is Verdict.OVERLOADED:
            self._frontiers.setdefault(names, _Frontier()).add(rates)
        if self.labels is None:
            resolved = np.array([] if was_known else [index], np.int64)
        else:
            resolved = self._label(self.labels, config, index, verdict)
        self.n_unknown -= len(resolved)
        return resolved

    def _label(self, labels: NDArray[np.int8], config: Config, index: int, verdict: Verdict) -> NDArray[np.int64]:
        offset, shape = self.space.block([name for name, _ in config])
        block = labels[offset : offset + int(np.prod(shape))]
        if verdict is Verdict.OVERLOADED:
            corner = np.unravel_index(index - offset, shape)
            above = np.zeros(shape, bool)
            above[tuple(slice(int(level), None) for level in corner)] = True
            resolved = offset + np.flatnonzero(above.ravel() & (block == 0))
            labels[resolved] = 1
        else:
            resolved = np.array([index] if labels[index] == 0 else [], np.int64)
        labels[index] = _LABELS[verdict]
        return resolved


def _covers(rates: tuple[int, ...], base: tuple[int, ...]) -> bool:
    return all(rate >= low for rate, low in zip(rates, base, strict=True))
