"""Agents that a policy learns from at the start of a training, and what they choose in campaigns."""

from collections.abc import Iterator
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from peva_agents.learnt import LearntPolicy
from peva_agents.training.worlds import TrainingWorlds
from peva_env.observation import Observation
from peva_env.planning import Candidates
from peva_env.wrappers import CandidateView

_ASTRAY = 0.2
"""The share of the steps that are drawn at random, so that the policy also learns where the agent does not lead."""


class Teacher(Protocol):
    """An agent that is cloned."""

    def begin(self, view: CandidateView) -> None:
        """Prepare for a campaign, which has begun."""
        ...

    def choose(self) -> int:
        """Return the row of the candidate that the agent would run."""
        ...


class BisectionTeacher:
    """Chooses the first row: the candidate that resolves most in the worse case."""

    def begin(self, view: CandidateView) -> None:
        """Do nothing."""

    def choose(self) -> int:
        """Return 0."""
        return 0


class LearntTeacher:
    """Chooses as the agent ``learnt`` does among the candidates that the view shows."""

    def begin(self, view: CandidateView) -> None:
        """Attach the policy to the campaign."""
        env: Any = view.unwrapped
        self._view, self._space = view, env.space
        self._policy = LearntPolicy(seed=0)
        env.attach_policy(self._policy, agent="learnt")
        self._policy.setup(env.policy_context())

    def choose(self) -> int:
        """Return the row of the highest score."""
        rows = np.flatnonzero(self._view.action_masks()).tolist()
        by_index = {self._space.index(self._view.config(row)): row for row in rows}
        candidates = Candidates(self._space, list(by_index))
        (chosen,) = self._policy.choose_batch(candidates=candidates, desired_size=1)
        return by_index[self._space.index(chosen)]


class Choices(NamedTuple):
    """Choices of an agent: observations as arrays of ``n`` rows, and the rows that it chose, (n,)."""

    observations: Observation
    rows: NDArray[np.int64]


def choices(worlds: TrainingWorlds, teacher: Teacher, n: int) -> Choices:
    """Collect ``n`` choices of an agent on nodes or maps of the training part, as many in each shape of space."""
    n_shapes = len(worlds.spaces)
    found = []
    for number in range(n_shapes):
        view = CandidateView(worlds.single("train", number=number))
        stream = _stream(view, teacher, iter(worlds.seeds("train", n)), np.random.default_rng(worlds.seed))
        found += [next(stream) for _ in range((n + number) // n_shapes)]
    observations = {name: np.stack([observation[name] for observation, _ in found]) for name in found[0][0]}
    return Choices(observations, np.array([row for _, row in found]))


def _stream(
    view: CandidateView, teacher: Teacher, seeds: Iterator[int], rng: np.random.Generator
) -> Iterator[tuple[Observation, int]]:
    for seed in seeds:
        observation, _ = view.reset(seed=seed)
        teacher.begin(view)
        ended = not view.action_masks().any()
        while not ended:
            row = teacher.choose()
            yield observation, row
            if rng.random() < _ASTRAY:
                row = int(rng.choice(np.flatnonzero(view.action_masks())))
            observation, _, terminated, truncated, _ = view.step(row)
            ended = terminated or truncated
