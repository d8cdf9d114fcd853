"""Disagreement: near it no verdict is final before all iterations of its configuration have run.

A configuration disagrees if its own valid runs have different verdicts, or if another one contradicts it. This concerns
adaptive repeats alone, because without them every verdict has all its iterations.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from peva_env.inference import MonotoneMap
from peva_env.memory import InProcessMemoryEngine
from peva_env.space import Config, ConfigKey, config_key

type Pair = tuple[ConfigKey, ConfigKey]


@dataclass(frozen=True, slots=True)
class Disagreements:
    """How many runs a configuration needs in view of its own runs, and of those of its direct neighbours."""

    memory: InProcessMemoryEngine
    known: MonotoneMap
    iterations: int

    def missing_runs(self, config: Config) -> int:
        """Return an upper bound on a configuration's missing valid runs; 0 if its verdict is final."""
        key, ledger = config_key(config), self.memory.ledger
        is_contradicted = key in self.known.measured and self.known.verdict(config) is None
        missing = ledger.missing_runs(key, again=is_contradicted)
        lacking = self.iterations - len(ledger.verdicts(key))
        if missing or lacking <= 0:
            return missing
        near = [config, *self.known.space.neighbours(config)]
        return lacking if any(self._disagrees(one) for one in near) else 0

    def hasty(self, configs: Iterable[Config]) -> Iterator[ConfigKey]:
        """Yield the neighbours of those of these configurations that disagree whose verdict came too early."""
        for config in configs:
            for near in self.known.space.neighbours(config) if self._disagrees(config) else ():
                key = config_key(near)
                if key in self.known.measured and len(self.memory.ledger.verdicts(key)) < self.iterations:
                    yield key

    def contradictions(self) -> set[Pair]:
        """Return the contradicting pairs of the map; none in a space too large to search for them."""
        if self.known.labels is None:
            return set()
        return {(config_key(low), config_key(high)) for low, high in self.known.contradictions()}

    def _disagrees(self, config: Config) -> bool:
        key = config_key(config)
        if len(set(self.memory.ledger.verdicts(key))) > 1:
            return True
        return any(key in pair for pair in self.contradictions())
