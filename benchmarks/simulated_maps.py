"""Maps of simulated nodes as campaigns measure them: run by run, by bisection, until nothing is unknown."""

from collections import defaultdict
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from peva_env.campaign.confirmation import Confirmation
from peva_env.config import OverloadConfig
from peva_env.contracts import EndStatus, ExecutionEvent
from peva_env.inference import UNKNOWN_LABEL, Blocks, MonotoneMap
from peva_env.maps import CampaignRecord, NodeMap
from peva_env.maps.map_of_runs import map_of_runs
from peva_env.rules import majority
from peva_env.sources.simulated import SimulatedWorld
from peva_env.sources.simulated.node_model import Nodes
from peva_env.sources.simulated.source import SimulatedSource
from peva_env.space import Config, ConfigKey, config_key

RATES_RPS = range(20, 241, 20)
NOISE = 0.03
_DURATION_S = 30.0
_FAR = 1_000
"""Iterations between two campaigns on one node: the number of a run decides its noise."""


def simulated_world(node: Any = "random", *, noise: float = NOISE) -> SimulatedWorld:
    """Return a world of nodes with two functions at twelve rates each."""
    return SimulatedWorld({"a": RATES_RPS, "b": RATES_RPS}, node, min_functions=2, noise=noise, duration_s=_DURATION_S)


@dataclass
class SimulatedCampaign:
    """One campaign on the node of a seed; ``number`` tells campaigns on one node apart.

    ``slots`` is the share of its slots that the first function has. A contradicted configuration is measured again, up
    to twice its iterations, as in a live campaign.
    """

    world: SimulatedWorld
    seed: int
    number: int = 0
    iterations: int = 1
    slots: float = 1.0
    runs: dict[ConfigKey, list[ExecutionEvent]] = field(default_factory=lambda: defaultdict(list))

    def __post_init__(self) -> None:
        self.space = self.world.space()
        self.known = MonotoneMap(self.space, dominance="within_sets")
        episode = self.world.begin(np.array([self.seed], np.uint64), np.zeros(1, np.int64))
        nodes = Nodes(episode.nodes.rows.copy())
        nodes.slots[0] *= self.slots
        self._source = SimulatedSource(replace(episode, nodes=nodes))
        self.truth = self._source.episode.truth(np.arange(self.space.n_configs))
        self._blocks = Blocks(self.space)
        self._rng = np.random.default_rng([self.seed, self.number])

    @property
    def n_runs(self) -> int:
        """The number of runs so far."""
        return sum(map(len, self.runs.values()))

    def measure(self, config: Config, n: int) -> None:
        """Run a configuration ``n`` times more, and enter the majority of all its runs."""
        own = self.runs[config_key(config)]
        for _ in range(n):
            iteration = self.number * _FAR + len(own)
            own.append(self._source.measure(config, iteration=iteration, rng=self._rng))
        self.known.update(config, majority(run.verdict for run in own))

    def complete(self, most_runs: int | None = None) -> None:
        """Measure until nothing is unknown, or ``most_runs`` are spent."""
        while self.known.n_unknown and (most_runs is None or self.n_runs < most_runs):
            for config in self.known.disputed():
                if len(self.runs[config_key(config)]) < 2 * self.iterations:
                    self.measure(config, self.iterations)
                self.known.quarantine(*(one for one in [config] if one in self.known.disputed()))
            if self.known.n_unknown:
                self.measure(self._middle(), self.iterations)

    def confirm(self, level: float) -> None:
        """Run the certificate's configurations again until each verdict is confirmed, or has its most runs."""
        confirmation = Confirmation(level, OverloadConfig(), _DURATION_S, self.known, self.iterations)
        while True:
            self.complete()
            confirmation.begin(run for own in self.runs.values() for run in own)
            config = confirmation.next()
            if config is None:
                return
            self.measure(config, 1)

    def node_map(self) -> NodeMap:
        """Return the map as ``peva_env.maps.read_map`` reads it from a memory."""
        context = {"overload": OverloadConfig().as_context(), "duration_s": _DURATION_S}
        name = f"campaign {self.number}"
        status = EndStatus.BUDGET if self.known.n_unknown else EndStatus.COMPLETE
        record = CampaignRecord(name, status, None, "bisection", self.seed, None, 0.0, 1.0, None, None)
        return NodeMap(
            memory=name,
            context_hash="simulated",
            context=context,
            repetition=1 + self.number,
            campaigns=(record,),
            known=map_of_runs(self.space, self.runs, "within_sets"),
            events=tuple(replace(run, run_id=name) for own in self.runs.values() for run in own),
        )

    def _middle(self) -> Config:
        """Return the unknown configuration that resolves most in the worse case; ties at random."""
        assert self.known.labels is not None
        unknown = self.known.labels == UNKNOWN_LABEL
        worst = np.minimum(self._blocks.at_or_above(unknown), self._blocks.at_or_below(unknown)) + 0.0
        worst += self._rng.random(len(worst)) / 2
        return self.space.config(int(np.where(unknown, worst, -1.0).argmax()))


def before_and_after(
    world: SimulatedWorld, seed: int, iterations: int, *, slots: float = 1.0
) -> tuple[SimulatedCampaign, SimulatedCampaign]:
    """Return two complete campaigns on the node of a seed; in the second its first function has fewer slots."""
    before = SimulatedCampaign(world, seed, 0, iterations)
    after = SimulatedCampaign(world, seed, 1, iterations, slots)
    before.complete()
    after.complete()
    return before, after
