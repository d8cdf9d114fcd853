"""Training examples of the learnt agent's estimate: features of candidates, and whether they were truly overloaded."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from peva_agents.beliefs import Network, Networks
from peva_agents.bisection import BisectionPolicy
from peva_agents.learnt import LearntPolicy
from peva_agents.loop import run_campaign
from peva_agents.policy_agent import PolicyAgent
from peva_agents.uniform import UniformPolicy
from peva_env.campaign import OfflineSetup, true_labels
from peva_env.contracts import ExecutionEvent, PolicyContext, PreparedPolicy
from peva_env.env import PevaEnv
from peva_env.inference import OK_LABEL, OVERLOADED_LABEL
from peva_env.planning import Candidates
from peva_env.space import Config

_SAMPLED_AFTER = frozenset([*range(1, 11), *range(12, 31, 2), *range(35, 100, 5), *range(100, 401, 25)])
"""The numbers of runs after which examples are taken; neighbouring ones would be nearly the same."""

_UNTRAINED = Networks(Network(np.zeros(1), np.ones(1), ()))


@dataclass(frozen=True, slots=True)
class Examples:
    """Some candidates at one moment of a campaign: their features, and which are truly overloaded.

    ``weight`` is shared out among the candidates.
    """

    features: NDArray[np.float32]  # (k, d)
    overloaded: NDArray[np.bool_]  # (k,)
    weight: float


@dataclass
class ExampleRecorder:
    """A policy that lets ``driver`` choose, and records examples from the candidates as ``observer`` sees them."""

    driver: Any
    observer: LearntPolicy
    truth: NDArray[np.int8]  # (N,)
    weight: float
    examples: list[Examples] = field(default_factory=list)
    n_runs: int = 0

    def setup(self, context: PolicyContext) -> None:
        """Set up both policies."""
        self.observer.setup(context)
        if self.driver is not self.observer and isinstance(self.driver, PreparedPolicy):
            self.driver.setup(context)

    def choose_batch(self, *, candidates: Sequence[Config], desired_size: int) -> Sequence[Config]:
        """Record examples, and return what the driver chooses."""
        if self.n_runs in _SAMPLED_AFTER and isinstance(candidates, Candidates):
            sampled = self.observer.sample(candidates)
            counts = self.observer.counts(sampled, candidates)
            features = self.observer.features(self.observer.shares(sampled), counts).astype(np.float32)
            overloaded = self.truth[sampled.indices] == OVERLOADED_LABEL
            self.examples.append(Examples(features, overloaded, self.weight))
        chosen: Sequence[Config] = self.driver.choose_batch(candidates=candidates, desired_size=desired_size)
        return chosen

    def update_online(self, event: ExecutionEvent) -> None:
        """Give an event to both policies."""
        self.update_batch([event])

    def update_batch(self, events: list[ExecutionEvent]) -> None:
        """Give events to both policies."""
        self.n_runs += len(events)
        self.observer.update_batch(events)
        if self.driver is not self.observer:
            self.driver.update_batch(events)


@dataclass(frozen=True)
class ExampleCollector:
    """Plays ``n_campaigns`` a round in each scenario of some worlds and collects examples, each of the same weight."""

    setup: OfflineSetup
    n_campaigns: int
    weight: float = 1.0

    def campaigns(self, first_seed: int) -> list[tuple[int, int]]:
        """Return the number of the scenario and the seed of each campaign of a round, seeded from ``first_seed`` on."""
        seeds = range(first_seed, first_seed + self.n_campaigns)
        return [(number, seed) for number in range(len(self.setup.world.scenarios)) for seed in seeds]

    def collect(self, networks: Networks | None, number: int, seed: int) -> list[Examples]:
        """Return the examples of one campaign; none if its true map has one label alone.

        The networks drive the campaign; without networks, uniform choice or bisection does, by the seed.
        """
        truth = true_labels(self.setup.world, seed, number)
        if len(set(truth.tolist()) - {0}) < len((OK_LABEL, OVERLOADED_LABEL)):
            return []
        recorder = self._recorder(networks, seed, truth)
        scenario = self.setup.world.scenarios[number]
        run_campaign(self._env, PolicyAgent(recorder), seed=seed, options={"scenario": scenario})
        return recorder.examples

    @cached_property
    def _env(self) -> PevaEnv:
        return PevaEnv(self.setup.campaigns(), self.setup.objective)

    def _recorder(self, networks: Networks | None, seed: int, truth: NDArray[np.int8]) -> ExampleRecorder:
        observer = LearntPolicy(networks or _UNTRAINED, seed)
        driver: Any = observer
        if networks is None:
            driver = BisectionPolicy(seed) if seed % 2 else UniformPolicy(seed)
        return ExampleRecorder(driver, observer, truth, self.weight)
