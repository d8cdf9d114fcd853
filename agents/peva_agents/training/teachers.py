"""Agents that a policy learns from at the start of a training, and what they choose in campaigns."""

from collections.abc import Callable, Sequence
from functools import cache
from itertools import chain
from math import ceil
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from peva_agents.learnt import LearntPolicy
from peva_agents.training.worlds import worlds_of
from peva_agents.turns import Turns, in_order
from peva_env.config.offline import TrainingConfig
from peva_env.observation import Observation
from peva_env.planning import Candidates
from peva_env.wrappers import CandidateView

_ASTRAY = 0.2
"""The share of the steps that are drawn at random, so that the policy also learns where the agent does not lead."""


_SHARPNESS = 10.0
"""How much likelier a candidate is whose score is higher by 1: by this power of e."""


class Teacher(Protocol):
    """An agent that is cloned."""

    def begin(self, view: CandidateView) -> None:
        """Prepare for a campaign, which has begun."""
        ...

    def likely(self) -> NDArray[np.float64]:
        """Return how likely the agent would run the candidate in each row that the view shows, (K,)."""
        ...


class BisectionTeacher:
    """Chooses the first row: the candidate that resolves most in the worse case."""

    def begin(self, view: CandidateView) -> None:
        """Keep the view."""
        self._view = view

    def likely(self) -> NDArray[np.float64]:
        """Return 1 for the first row, and 0 for the others."""
        likely = np.zeros(len(self._view.action_masks()))
        likely[0] = 1
        return likely


class LearntTeacher:
    """Scores the candidates that the view shows as the agent ``learnt`` does; the higher, the likelier.

    All scores are shown to the policy, not only the best, since many are nearly as good (Rusu et al., Policy
    distillation, ICLR 2016).
    """

    def begin(self, view: CandidateView) -> None:
        """Attach the policy to the campaign."""
        env: Any = view.unwrapped
        self._view, self._env = view, env
        self._policy = LearntPolicy(seed=0)
        env.attach_policy(self._policy, agent="learnt")
        self._policy.setup(env.policy_context())

    def likely(self) -> NDArray[np.float64]:
        """Return probabilities whose logarithms are in proportion to the scores."""
        space, masks = self._env.space, self._view.action_masks()
        rows = np.flatnonzero(masks)
        shown = Candidates(space, [space.index(self._view.config(int(row))) for row in rows])
        compared = self._policy.compare(shown, Candidates(space, np.flatnonzero(self._env.action_masks())))
        weights = np.exp(_SHARPNESS * (compared.score - compared.score.max()))
        likely = np.zeros(len(masks))
        likely[rows] = weights / weights.sum()
        return likely


class Choices(NamedTuple):
    """Choices of an agent: observations as arrays of ``n`` rows, how likely it takes an action, and which are legal."""

    observations: Observation
    likely: NDArray[np.float32]  # (n, N)
    masks: NDArray[np.bool_]  # (n, N)


type _Choice = tuple[Observation, NDArray[np.float64], NDArray[np.bool_]]


def choices(players: Turns, make_teacher: Callable[[], Teacher], n: int, config: TrainingConfig) -> Choices:
    """Collect ``n`` choices of an agent on nodes or maps of the training part, as many in each shape of space.

    Raises:
        PevaError: the agent cannot go on, or a worker died.
    """
    settings = config.model_dump_json()
    worlds = worlds_of(settings)
    n_shapes = len(worlds.spaces)
    wanted = [(n + number) // n_shapes for number in range(n_shapes)]
    campaigns: list[list[list[_Choice]]] = [[] for _ in wanted]
    while missing := _missing_campaigns(campaigns, wanted, config.budget_runs):
        tasks = [
            (settings, make_teacher, number, seed)
            for number, more in missing.items()
            for seed in worlds.seeds("train", more, first=len(campaigns[number]))
        ]
        (played,) = in_order(players, (_campaign, tasks))
        for (_, _, number, _), campaign in zip(tasks, played, strict=True):
            campaigns[number].append(campaign)
    found = [one for own, m in zip(campaigns, wanted, strict=True) for one in list(chain(*own))[:m]]
    observations = {name: np.stack([one[0][name] for one in found]) for name in found[0][0]}
    likely = np.stack([likely for _, likely, _ in found]).astype(np.float32)
    return Choices(observations, likely, np.stack([masks for *_, masks in found]))


def _missing_campaigns(
    campaigns: Sequence[Sequence[Sequence[_Choice]]], wanted: Sequence[int], longest: int
) -> dict[int, int]:
    """Return how many more campaigns each shape needs, by its number: as many as are missing if they are as long.

    The first are taken to be ``longest``, so that hardly one is played in vain.
    """
    missing = {}
    for number, (own, m) in enumerate(zip(campaigns, wanted, strict=True)):
        n_found = sum(map(len, own))
        mean_length = n_found / len(own) if n_found else longest
        if n_found < m:
            missing[number] = ceil((m - n_found) / mean_length)
    return missing


def _campaign(settings: str, make_teacher: Callable[[], Teacher], number: int, seed: int) -> list[_Choice]:
    """Return the choices of an agent in one campaign, which it drives but for steps that are drawn."""
    view, teacher, rng = _view(settings, number), make_teacher(), np.random.default_rng((number, seed))
    observation, _ = view.reset(seed=seed)
    teacher.begin(view)
    found: list[_Choice] = []
    ended = not view.action_masks().any()
    while not ended:
        likely, masks = teacher.likely(), view.action_masks()
        found.append((observation, likely, masks))
        row = int(likely.argmax())
        if rng.random() < _ASTRAY:
            row = int(rng.choice(np.flatnonzero(masks)))
        observation, _, terminated, truncated, _ = view.step(row)
        ended = terminated or truncated
    return found


@cache
def _view(settings: str, number: int) -> CandidateView:
    return CandidateView(worlds_of(settings).single("train", number=number))
