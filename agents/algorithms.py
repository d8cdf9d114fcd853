"""The algorithms of Stable-Baselines3 that can be trained, and their hyperparameters."""

import importlib
import importlib.util
import inspect
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from agents.training_config import TrainingConfig, is_large
from peva_env.errors import ConfigError
from peva_env.space import ConfigSpace

_CLASSES = {
    "maskable-ppo": ("sb3_contrib", "MaskablePPO"),
    "ppo": ("stable_baselines3", "PPO"),
    "dqn": ("stable_baselines3", "DQN"),
}
_NEEDED = ("stable_baselines3", "sb3_contrib", "torch", "tensorboard")
_OURS = {"self", "policy", "env", "seed", "verbose", "tensorboard_log", "policy_kwargs"}
_REPLAY_BYTES = 400_000_000
_WINDOW = 512
"""Episodes that the mean return is told of: simulated nodes differ so much that fewer make a ragged curve."""


def require_sb3() -> None:
    """Accept that all that training needs is installed.

    Raises:
        ConfigError: it is not; how to get it.
    """
    missing = [name for name in _NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        raise ConfigError(f"training needs {missing[0]}, which is not installed: pip install 'peva-env[train]'")


def algorithm(name: str) -> type[Any]:
    """Return the class of an algorithm."""
    module, attribute = _CLASSES[name]
    found: type[Any] = getattr(importlib.import_module(module), attribute)
    return found


def hyperparameters(config: TrainingConfig, space: ConfigSpace) -> dict[str, Any]:
    """Return what an algorithm is built with: our defaults, overridden by the configuration's.

    Raises:
        ConfigError: there is no hyperparameter of that name, or the batches do not divide what is collected.
    """
    known = sorted({*inspect.signature(algorithm(config.algo)).parameters, "net_arch"} - _OURS)
    for name in config.hyperparameters.keys() - set(known):
        near = get_close_matches(name, known, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"there are: {', '.join(known)}"
        raise ConfigError(f"{config.algo} has no hyperparameter {name!r}; {hint}")
    chosen = _defaults(config, space) | config.hyperparameters
    collected = chosen.get("n_steps", 1) * (config.n_envs or 1)
    if "n_steps" in chosen and "batch_size" not in config.hyperparameters:
        chosen["batch_size"] = next(size for size in (1024, 512, 256, 128, 64, 32, collected) if not collected % size)
    if "n_steps" in chosen and collected % chosen["batch_size"]:
        raise ConfigError(
            f"batch_size = {chosen['batch_size']} does not divide the {collected} steps that are collected at a time "
            f"(n_envs = {config.n_envs} times n_steps = {chosen['n_steps']})"
        )
    return chosen


def _defaults(config: TrainingConfig, space: ConfigSpace) -> dict[str, Any]:
    large = is_large(space)
    common = {"net_arch": [128, 128] if large else [512, 512], "device": "cpu", "stats_window_size": _WINDOW}
    if config.algo == "dqn":
        most = _REPLAY_BYTES // (2 * space.n_configs)
        return common | {
            "learning_rate": 5e-4,
            "gamma": 0.99,
            "buffer_size": min(100_000, most),
            "learning_starts": min(5_000, (config.total_steps or 1) // 10),
            "batch_size": 128 if large else 256,
            "train_freq": 1,
            "gradient_steps": 2,
            "target_update_interval": 2_000,
            "exploration_fraction": 0.3,
            "exploration_final_eps": 0.02,
        }
    shared = common | {"learning_rate": 5e-4, "n_steps": 64, "n_epochs": 4, "gae_lambda": 0.95}
    if config.algo == "ppo":  # without masks it must first unlearn to ask for what is known, which only costs later
        return shared | {"gamma": 0.99, "ent_coef": 0.01}
    return shared | {"gamma": 1.0}


def build(config: TrainingConfig, env: Any, space: ConfigSpace, tensorboard: Path) -> Any:
    """Build a model that has learned nothing yet.

    Raises:
        ConfigError: the algorithm does not take a hyperparameter's value.
    """
    chosen = hyperparameters(config, space)
    net_arch = chosen.pop("net_arch")
    try:
        return algorithm(config.algo)(
            "MultiInputPolicy",
            env,
            seed=config.seed,
            tensorboard_log=str(tensorboard),
            policy_kwargs={"net_arch": net_arch},
            **chosen,
        )
    except (AssertionError, RuntimeError, TypeError, ValueError) as error:
        raise ConfigError(f"{config.algo} cannot be built with these hyperparameters: {error}") from error
