"""The supported algorithms of Stable-Baselines3, and the classes of their policies."""

import importlib
import importlib.util
from typing import Any

from peva_env.errors import ConfigError
from peva_env.system import install_text, uninterrupted
from peva_env.views import CANDIDATES

_CLASSES = {
    "maskable-ppo": ("sb3_contrib", "MaskablePPO"),
    "ppo": ("stable_baselines3", "PPO"),
    "dqn": ("stable_baselines3", "DQN"),
}

_OF_CANDIDATES = {"maskable-ppo": "MaskableCandidatePolicy", "ppo": "CandidatePolicy", "dqn": "CandidateDQNPolicy"}

_NEEDED = ("stable_baselines3", "sb3_contrib", "torch", "tensorboard")


def require_sb3() -> None:
    """Check that all packages that training needs are installed.

    Raises:
        ConfigError: a package is missing; the message says how to install it.
    """
    missing = [name for name in _NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        raise ConfigError(f"training needs {missing[0]}, which is not installed: {install_text('train')}")


def one_thread() -> None:
    """Let PyTorch use one thread: small networks gain little by more threads, and lose much when cores are busy.

    A command calls this before anything else imports PyTorch. An interrupt waits for the seconds of that: within C++
    code, a ``KeyboardInterrupt`` can abort the process with a message of its own.
    """
    with uninterrupted():
        torch: Any = importlib.import_module("torch")
    torch.set_num_threads(1)


def algorithm(name: str) -> type[Any]:
    """Return the class of an algorithm."""
    module, attribute = _CLASSES[name]
    found: type[Any] = getattr(importlib.import_module(module), attribute)
    return found


def policy_class(name: str, view: str) -> type[Any]:
    """Return the class of an algorithm's policy in a view."""
    found: type[Any]
    if view == CANDIDATES:
        found = getattr(importlib.import_module("peva_agents.models.candidate_network"), _OF_CANDIDATES[name])
    elif name == "dqn":
        found = importlib.import_module("peva_agents.models.masked_q").MaskedDQNPolicy
    else:
        found = algorithm(name).policy_aliases["MultiInputPolicy"]
    return found
