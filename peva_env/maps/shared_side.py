"""One of two maps that are compared, in the space that both share: its labels, the sure ones, and their proofs."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from peva_env.contracts import Verdict
from peva_env.inference import LABELS, OK_LABEL, VERDICTS, MonotoneMap, RateGrid
from peva_env.maps.node_map import NodeMap
from peva_env.rules import Evidence
from peva_env.space import Config, ConfigKey, ConfigSpace, config_key, config_pairs


@dataclass(frozen=True, slots=True)
class Proof:
    """A measured configuration from which a verdict follows, and what its runs say.

    ``margin`` is the mean margin of its runs, None if they have none. ``n_agreeing`` of ``n_runs`` have the verdict.
    ``confidence`` is that of the verdict, 0..1; see ``peva_env.rules.evidence``.
    """

    config: Config
    verdict: Verdict
    margin: float | None
    n_runs: int
    n_agreeing: int
    confidence: float


class SharedSide:
    """A map in a space that may have more rates than its own. A label is unknown where nothing follows from its runs.

    A label is *sure* if it follows from measured configurations alone whose own verdicts are sure at the level.
    """

    def __init__(self, node_map: NodeMap, space: ConfigSpace, grid: RateGrid, level: float) -> None:
        self.map = node_map
        self.level = level
        self._space, self._grid = space, grid
        measured = node_map.known.measured.items()
        self._measured = {key: verdict for key, verdict in measured if config_pairs(key) in space}
        self.labels = self._labels_from(self._measured)
        self.sure = self._labels_from(key for key in self._measured if self.map.evidence[key].is_sure(level))

    def evidence(self, index: int) -> tuple[ConfigKey, Evidence] | None:
        """Return the measured configuration that speaks most for the label of a configuration; None if unknown."""
        label = int(self.labels[index])
        if label not in VERDICTS:
            return None
        own = config_key(self._space.config(index))
        keys = [own] if own in self._measured else []
        if label != OK_LABEL or self.map.known.dominance != "one_sided":
            bases = self._bases[label]
            reached = self._grid.reached(index, -label, bases, self.map.known.dominance)
            keys += [config_key(self._space.config(int(base))) for base in bases[reached] if base != index]
        alike = [key for key in keys if LABELS[self._measured[key]] == label]
        best = max(alike, key=lambda key: self.map.evidence[key].confidence, default=None)
        return None if best is None else (best, self.map.evidence[best])

    def proof(self, index: int) -> Proof | None:
        """Return the proof of a configuration's label, None if it is unknown."""
        found = self.evidence(index)
        if found is None:
            return None
        key, own = found
        return Proof(config_pairs(key), own.verdict, own.margin, own.n_runs, own.n_agreeing, own.confidence)

    def n_runs(self, config: Config) -> int:
        """Return the number of valid runs of a configuration."""
        return len(self.map.runs.get(config_key(config), ()))

    @cached_property
    def _bases(self) -> Mapping[int, NDArray[np.int64]]:
        """The measured configurations outside quarantine, by label."""
        apart = set(map(config_key, self.map.known.quarantined()))
        believed = {key: verdict for key, verdict in self._measured.items() if key not in apart}
        found: dict[int, list[int]] = {label: [] for label in VERDICTS}
        for key, verdict in believed.items():
            found[LABELS[verdict]].append(self._space.index(config_pairs(key)))
        return {label: np.array(indices, np.int64) for label, indices in found.items()}

    def _labels_from(self, keys: Iterable[ConfigKey]) -> NDArray[np.int8]:
        chosen = {key: self._measured[key] for key in keys}
        known = MonotoneMap(self._space, dominance=self.map.known.dominance, grid=self._grid)
        known.update_all(chosen)
        known.quarantine(*(config for config in self.map.known.quarantined() if config_key(config) in chosen))
        assert known.labels is not None  # noqa: S101 - the space is dense
        return known.labels
