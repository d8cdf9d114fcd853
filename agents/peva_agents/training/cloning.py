"""The start of a training: behaviour cloning of an agent or of a dataset, or the weights of another model.

A policy that is cloned learns, supervised, which of the legal actions the agent would choose: in campaigns that the
agent mostly drives, or in those of a dataset (Pomerleau, ALVINN, NIPS 1988). Then it learns by reinforcement as always.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from peva_agents.models import NO_SCORE, artefact, load_weights
from peva_agents.training.demos import demonstrated, require_demos
from peva_agents.training.teachers import BisectionTeacher, Choices, LearntTeacher, Teacher, choices
from peva_agents.training.worlds import TrainingWorlds
from peva_agents.turns import Turns
from peva_env.config.offline import TEACHERS, TrainingConfig
from peva_env.errors import ConfigError

_N_CHOICES = 6_000
_N_EPOCHS, _BATCH_SIZE, _LEARNING_RATE = 60, 256, 3e-3
_HELD_OUT = 10
"""One choice in this many is not learned on, but tells how often the policy agrees with the agent."""

_TEACHERS: Mapping[str, Callable[[], Teacher]] = {"bisection": BisectionTeacher, "learnt": LearntTeacher}


def require_start(config: TrainingConfig, worlds: TrainingWorlds) -> None:
    """Check that a training can begin as it is asked to.

    Raises:
        ConfigError: the model or the dataset does not exist, or is of another algorithm, view or environment.
        PolicyLoadError: the file is not a model of ``peva-env train``.
    """
    if config.demos is not None:
        require_demos(config, worlds)
    if config.init is None or config.init in TEACHERS:
        return
    told = artefact(Path(config.init))
    own, other = (config.view, config.algo), (told["view"]["name"], told["config"]["algo"])
    if own != other:
        raise ConfigError(
            f"init = {config.init!r}: is a model of {other[1]} with the view {other[0]!r}, but this training is of "
            f"{own[1]} with the view {own[0]!r}; give --algo {other[1]} --view {other[0]}"
        )


def start(
    players: Turns, policy: Any, config: TrainingConfig, worlds: TrainingWorlds, say: Callable[[str], None]
) -> None:
    """Let a policy begin as the settings ask: cloned, with the weights of a model, or as it is.

    Raises:
        ConfigError: the dataset cannot be used.
        PevaError: a worker died.
        PolicyLoadError: the weights of the model do not fit.
    """
    if config.demos is not None:
        taught = demonstrated(config, worlds)
        agreement = clone(policy, taught, config.seed)
        say(f"cloned {config.demos} from {len(taught.likely):,} choices; it agrees with {agreement:.0%} of others")
    elif config.init in TEACHERS:
        agreement = clone(policy, choices(players, _TEACHERS[config.init], _N_CHOICES, config), config.seed)
        say(f"cloned {config.init} from {_N_CHOICES:,} choices; it agrees with {agreement:.0%} of others")
    elif config.init is not None:
        load_weights(policy, Path(config.init))


def clone(policy: Any, taught: Choices, seed: int) -> float:
    """Fit a policy to choices; return the share of the held-out choices with which it agrees."""
    import torch  # it takes seconds to import, errors come first

    order = np.random.default_rng(seed).permutation(len(taught.likely))
    n_held_out = len(order) // _HELD_OUT
    held_out, learned = order[:n_held_out], order[n_held_out:]
    rng, optimizer = np.random.default_rng(seed), torch.optim.Adam(policy.parameters(), lr=_LEARNING_RATE)
    for _ in range(_N_EPOCHS):
        rng.shuffle(learned)
        for part in np.array_split(learned, max(1, len(learned) // _BATCH_SIZE)):
            likely = torch.as_tensor(taught.likely[part])
            loss = torch.nn.functional.cross_entropy(_logits(policy, taught, part), likely)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    with torch.no_grad():
        logits = _logits(policy, taught, held_out)
    return float((logits.numpy().argmax(axis=1) == taught.likely[held_out].argmax(axis=1)).mean())


def _logits(policy: Any, taught: Choices, part: NDArray[np.int64]) -> Any:
    """Return the logits of the actions (n, N), very low ones for actions that were not legal."""
    import torch

    tensors = policy.obs_to_tensor({name: values[part] for name, values in taught.observations.items()})[0]
    illegal = torch.as_tensor(~taught.masks[part])
    return policy.get_distribution(tensors).distribution.logits.masked_fill(illegal, NO_SCORE)
