"""The start of a training from a Minari dataset: what the dataset must show, and what its agents chose."""

from typing import Any

import gymnasium
import numpy as np

from peva_agents.training.teachers import Choices
from peva_agents.training.worlds import TrainingWorlds
from peva_env.config.offline import TrainingConfig
from peva_env.datasets import Demonstrations
from peva_env.errors import ConfigError
from peva_env.views import CANDIDATES, CONTEXT, MAP, ROW

_MOST_STEPS = 40_000
_MOST_BYTES = 500_000_000
"""Of a dataset with more steps or larger observations than this, some steps are drawn."""

_FEWEST_STEPS = 100


def require_demos(config: TrainingConfig, worlds: TrainingWorlds) -> Demonstrations:
    """Return the dataset that a training begins with.

    Raises:
        ConfigError: there is no such dataset, or its observations or actions are not those of the training; the message
            says what would do.
    """
    demos = Demonstrations(config.demos or "")
    own = worlds.vectors("train", 1)[0]
    problem = _problem(demos, config, own.single_observation_space, own.single_action_space)
    if problem:
        raise ConfigError(f"--demos {demos.name}: {problem}")
    return demos


def demonstrated(config: TrainingConfig, worlds: TrainingWorlds) -> Choices:
    """Return what the agents of the dataset chose.

    Raises:
        ConfigError: as ``require_demos``; or masks are missing.
    """
    demos = require_demos(config, worlds)
    step_bytes = 4 * (gymnasium.spaces.flatdim(demos.observation_space) + gymnasium.spaces.flatdim(demos.action_space))
    steps = demos.steps(min(_MOST_STEPS, _MOST_BYTES // step_bytes), config.seed)
    likely = np.zeros(steps.masks.shape, np.float32)
    likely[np.arange(len(likely)), steps.actions] = 1
    return Choices(dict(steps.observations), likely, steps.masks)


def _problem(
    demos: Demonstrations, config: TrainingConfig, observations: gymnasium.Space[Any], actions: gymnasium.Space[Any]
) -> str | None:
    """Return what is wrong with a dataset and what would do, or None."""
    shown = _view_of(demos.observation_space)
    again = f"export it again by this version: peva-env export --view {config.view}"
    if shown is None:
        return f"its observations are of no view of peva-env, but changed by a wrapper; {again}"
    if shown != config.view:
        return (
            f"shows {shown!r}, but this training is of the view {config.view!r}; "
            f"export with --view {config.view}, or train with --view {shown}"
        )
    if changed := _changed_features(demos):
        return f"was recorded with other features ({changed}); {again}"
    if demos.action_space != actions:
        return _other_size(demos, config, actions)
    if not _same_bounds(demos.observation_space, observations):
        return f"its observations have other parts or bounds than those of this training; {again}"
    if demos.n_steps < _FEWEST_STEPS:
        return f"has {demos.n_steps} steps, and cloning needs {_FEWEST_STEPS}; export more --episodes"
    return None


def _other_size(demos: Demonstrations, config: TrainingConfig, actions: Any) -> str:
    theirs = getattr(demos.action_space, "n", "too many")
    if config.view == CANDIDATES:
        return f"shows {theirs} candidates, but a training {actions.n}; export with peva-env export --view candidates"
    return (
        f"is of {theirs} configurations, but this training of {actions.n}; give peva-env export the same --sim and "
        "--rates, or --data, or train with --view candidates on such a dataset"
    )


def _view_of(space: gymnasium.Space[Any]) -> str | None:
    """Return the view of a space of observations; None for one that is changed."""
    parts = set(space) if isinstance(space, gymnasium.spaces.Dict) else set()
    return CANDIDATES if "candidates" in parts else MAP if "map" in parts else None


def _changed_features(demos: Demonstrations) -> str | None:
    """Return how the features differ that a dataset says it has; None for equal ones, or if it says nothing."""
    if demos.features is None:
        return None
    for part, own in (("candidates", ROW), ("context", CONTEXT)):
        ours, theirs = [feature.name for feature in own], list(demos.features.get(part, ()))
        if changed := sorted(set(ours) ^ set(theirs)):
            return f"{', '.join(changed[:3])} differ"
        if ours != theirs:
            return "their order differs"
    return None


def _same_bounds(theirs: Any, ours: Any) -> bool:
    return theirs.keys() == ours.keys() and all(
        theirs[name].shape == ours[name].shape
        and np.array_equal(theirs[name].low, ours[name].low)
        and np.array_equal(theirs[name].high, ours[name].high)
        for name in ours
    )
