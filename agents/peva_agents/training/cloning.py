"""The start of a training: behaviour cloning of an agent, or the weights of another model.

A policy that is cloned learns, supervised, which candidate the agent would choose, in campaigns that the agent mostly
drives (Pomerleau, ALVINN, NIPS 1988). Then it learns by reinforcement as always.
"""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from peva_agents.learnt import LearntPolicy
from peva_agents.models import artefact, load_weights
from peva_agents.training.worlds import TrainingWorlds
from peva_env.config.offline import TEACHERS, TrainingConfig
from peva_env.errors import ConfigError
from peva_env.observation import Observation
from peva_env.planning import Candidates
from peva_env.wrappers import CandidateView

_N_CHOICES = 6_000
_N_EPOCHS, _BATCH_SIZE, _LEARNING_RATE = 60, 256, 3e-3
_HELD_OUT = 10
"""One choice in this many is not learned on, but tells how often the policy agrees with the agent."""

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


_TEACHERS: Mapping[str, Callable[[], Teacher]] = {"bisection": BisectionTeacher, "learnt": LearntTeacher}


class Choices(NamedTuple):
    """Choices of an agent: observations as arrays of ``n`` rows, and the rows that it chose, (n,)."""

    observations: Observation
    rows: NDArray[np.int64]


def require_start(config: TrainingConfig) -> None:
    """Check that a training can begin as it is asked to.

    Raises:
        ConfigError: the model is of another algorithm or view.
        PolicyLoadError: the file does not exist, or is not a model of ``peva-env train``.
    """
    if config.init is None or config.init in TEACHERS:
        return
    told = artefact(Path(config.init))
    own, other = (config.view, config.algo), (told["view"]["name"], told["config"]["algo"])
    if own != other:
        raise ConfigError(
            f"init = {config.init!r}: is a model of {other[1]} with the view {other[0]!r}, but this training is of "
            f"{own[1]} with the view {own[0]!r}; give --algo {other[1]} --view {other[0]}"
        )


def start(policy: Any, config: TrainingConfig, worlds: TrainingWorlds, say: Callable[[str], None]) -> None:
    """Let a policy begin as the settings ask: cloned, with the weights of a model, or as it is.

    Raises:
        PolicyLoadError: the weights of the model do not fit.
    """
    if config.init in TEACHERS:
        agreement = clone(policy, choices(worlds, _TEACHERS[config.init](), _N_CHOICES), config.seed)
        say(f"cloned {config.init} from {_N_CHOICES:,} choices; it agrees with {agreement:.0%} of others")
    elif config.init is not None:
        load_weights(policy, Path(config.init))


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


def clone(policy: Any, taught: Choices, seed: int) -> float:
    """Fit a policy to choices; return the share of the held-out choices with which it agrees."""
    import torch  # it takes seconds to import, errors come first

    order = np.random.default_rng(seed).permutation(len(taught.rows))
    n_held_out = len(order) // _HELD_OUT
    held_out, learned = order[:n_held_out], order[n_held_out:]
    rng, optimizer = np.random.default_rng(seed), torch.optim.Adam(policy.parameters(), lr=_LEARNING_RATE)
    for _ in range(_N_EPOCHS):
        rng.shuffle(learned)
        for part in np.array_split(learned, max(1, len(learned) // _BATCH_SIZE)):
            distribution = policy.get_distribution(_tensors(policy, taught, part)).distribution
            loss = -distribution.log_prob(torch.as_tensor(taught.rows[part])).mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    with torch.no_grad():
        logits = policy.get_distribution(_tensors(policy, taught, held_out)).distribution.logits
    return float((logits.numpy().argmax(axis=1) == taught.rows[held_out]).mean())


def _tensors(policy: Any, taught: Choices, part: NDArray[np.int64]) -> Any:
    return policy.obs_to_tensor({name: values[part] for name, values in taught.observations.items()})[0]
