"""The hyperparameters of a training: our defaults, and the user's."""

import inspect
from difflib import get_close_matches
from functools import partial
from pathlib import Path
from typing import Any

from peva_agents.models import algorithm, policy_class
from peva_agents.training.config import is_large_map
from peva_env.config.offline import TrainingConfig
from peva_env.errors import ConfigError
from peva_env.space import ConfigSpace
from peva_env.views import CANDIDATES, DEFAULT_K, ROW

_OURS = {"self", "policy", "env", "seed", "verbose", "tensorboard_log", "policy_kwargs"}
_SIZES = {"n_steps", "batch_size", "n_epochs", "buffer_size", "net_arch", "train_freq", "stats_window_size"}
_REPLAY_BYTES = 400_000_000
_UNITS_OF_A_ROW = 48
_OF_CANDIDATES = {
    "learning_rate": 1e-3,  # falling: see build
    "n_steps": 64,
    "n_epochs": 3,
    "gae_lambda": 0.95,
    "gamma": 0.99,
    "ent_coef": 0.003,
}
_WINDOW = 512
"""Episodes in the mean return of the curve; simulated nodes differ so much that fewer make a ragged curve."""


def hyperparameters(config: TrainingConfig, space: ConfigSpace) -> dict[str, Any]:
    """Return the hyperparameters of an algorithm: our defaults, overridden by those of the configuration.

    Raises:
        ConfigError: there is no hyperparameter of that name, or the batch size does not divide the collected steps.
    """
    known = sorted({*inspect.signature(algorithm(config.algo)).parameters, "net_arch"} - _OURS)
    for name in config.hyperparameters.keys() - set(known):
        near = get_close_matches(name, known, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"there are: {', '.join(known)}"
        raise ConfigError(f"{config.algo} has no hyperparameter {name!r}; {hint}")
    for name, value in config.hyperparameters.items():
        _require_value(name, value)
    chosen = _defaults(config, space) | config.hyperparameters
    if config.algo != "dqn":
        most = 512 if config.view == CANDIDATES else 1024
        chosen["batch_size"] = _batch_size(config.n_envs or 1, chosen["n_steps"], chosen.get("batch_size"), most)
    return chosen


def _require_value(name: str, value: Any) -> None:
    numbers = value if name == "net_arch" and isinstance(value, list) else [value]
    least = 1 if name in _SIZES else None
    right = all(isinstance(number, int if least else int | float) and number >= (least or 0) for number in numbers)
    if not right and not (name == "device" and isinstance(value, str)):
        wanted = "whole numbers of at least 1" if least else "a number of at least 0"
        raise ConfigError(f"hyperparameter {name} = {value!r}: must be {wanted}")


def _batch_size(n_envs: int, n_steps: int, given: int | None, most: int) -> int:
    """Return the given batch size, or the largest usual one up to ``most`` that divides the collected steps."""
    collected = n_envs * n_steps
    usual_sizes = [size for size in (1024, 512, 256, 128, 64, 32) if size <= most]
    size = given or next((usual for usual in usual_sizes if not collected % usual), collected)
    if collected % size:
        raise ConfigError(
            f"batch_size = {size} does not divide the {collected} steps that are collected at a time "
            f"(n_envs = {n_envs} times n_steps = {n_steps})"
        )
    return size


def _defaults(config: TrainingConfig, space: ConfigSpace) -> dict[str, Any]:
    sees_candidates = config.view == CANDIDATES
    large = not sees_candidates and is_large_map(space)
    layers = [_UNITS_OF_A_ROW] if sees_candidates else [128, 128] if large else [256, 256]
    common = {"net_arch": layers, "device": "cpu", "stats_window_size": _WINDOW}
    if config.algo == "dqn":
        most = _REPLAY_BYTES // (2 * (4 * DEFAULT_K * len(ROW) if sees_candidates else space.n_configs))
        return common | {
            "learning_rate": 5e-4,
            "gamma": 0.7,  # of many actions the highest value is mostly noise; the near future is clearer
            "buffer_size": min(100_000, most),
            "learning_starts": min(5_000, (config.total_steps or 1) // 10),
            "batch_size": 128 if large else 256,
            "train_freq": 1,
            "gradient_steps": 8,
            "target_update_interval": 1_000,
            "exploration_fraction": 0.3,
            "exploration_final_eps": 0.02,
        }
    if sees_candidates:
        return common | _OF_CANDIDATES
    shared = common | {"learning_rate": 7e-4, "n_steps": 64, "n_epochs": 4, "gae_lambda": 0.95}
    if config.algo == "ppo":  # without masks it must unlearn known actions, whose cost comes later
        return shared | {"gamma": 0.99, "ent_coef": 0.01}
    return shared | {"gamma": 1.0}


def build(config: TrainingConfig, env: Any, space: ConfigSpace, tensorboard: Path) -> Any:
    """Build an untrained model.

    Raises:
        ConfigError: the algorithm does not accept the value of a hyperparameter.
    """
    chosen = hyperparameters(config, space)
    net_arch = chosen.pop("net_arch")
    if config.view == CANDIDATES and config.algo != "dqn":
        chosen["learning_rate"] = partial(_falling, chosen["learning_rate"])
    try:
        return algorithm(config.algo)(
            policy_class(config.algo, config.view),
            env,
            seed=config.seed,
            tensorboard_log=str(tensorboard),
            policy_kwargs={"net_arch": net_arch},
            **chosen,
        )
    except (AssertionError, RuntimeError, TypeError, ValueError) as error:
        raise ConfigError(f"{config.algo} cannot be built with these hyperparameters: {error}") from error


def _falling(start: float, share_left: float) -> float:
    """Return the learning rate, which falls in proportion to the share of the steps that is left."""
    return start * max(share_left, 0.05)
