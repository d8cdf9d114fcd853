"""peva-env: a Gymnasium environment in which an agent decides which load test to run next on a FaaS node."""

import importlib
from typing import TYPE_CHECKING, Any

import gymnasium

__version__ = "0.1.0"

if TYPE_CHECKING:
    from peva_env.config import DfaasConfig, load_config
    from peva_env.contracts import (
        ConfigScheduler,
        ExecutionEvent,
        MeasurementSource,
        MemoryEngine,
        PolicyAlgorithm,
        PolicyContext,
        Verdict,
    )
    from peva_env.env import PevaEnv
    from peva_env.errors import PevaError
    from peva_env.space import Config, ConfigKey, ConfigSpace, config_id, config_key, dominates

__all__ = [
    "Config",
    "ConfigKey",
    "ConfigScheduler",
    "ConfigSpace",
    "DfaasConfig",
    "ExecutionEvent",
    "MeasurementSource",
    "MemoryEngine",
    "PevaEnv",
    "PevaError",
    "PolicyAlgorithm",
    "PolicyContext",
    "Verdict",
    "config_id",
    "config_key",
    "dominates",
    "load_config",
]

_HOMES = {
    "config": ("DfaasConfig", "load_config"),
    "contracts": (
        "ConfigScheduler",
        "ExecutionEvent",
        "MeasurementSource",
        "MemoryEngine",
        "PolicyAlgorithm",
        "PolicyContext",
        "Verdict",
    ),
    "env": ("PevaEnv",),
    "errors": ("PevaError",),
    "space": ("Config", "ConfigKey", "ConfigSpace", "config_id", "config_key", "dominates"),
}
"""Where each public name lives; it is imported when it is first used, so that ``import peva_env`` stays quick."""

for _version in (0, 1):
    gymnasium.register(
        id=f"peva/FaasLive-v{_version}",
        entry_point="peva_env.make:make_live_env",
        nondeterministic=True,
        kwargs={"version": _version},
    )
    gymnasium.register(
        id=f"peva/FaasSim-v{_version}",
        entry_point="peva_env.make:make_sim_env",
        vector_entry_point="peva_env.make:make_sim_vec",
        kwargs={"version": _version},
    )
    gymnasium.register(
        id=f"peva/FaasReplay-v{_version}",
        entry_point="peva_env.make:make_replay_env",
        vector_entry_point="peva_env.make:make_replay_vec",
        kwargs={"version": _version},
    )


def __getattr__(name: str) -> Any:
    for module, names in _HOMES.items():
        if name in names:
            return getattr(importlib.import_module(f"peva_env.{module}"), name)
    raise AttributeError(f"module 'peva_env' has no attribute {name!r}")
