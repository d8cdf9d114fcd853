"""What drives an environment, found by name: ``peva_env`` itself never imports it."""

from collections.abc import Callable
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from peva_env.config import DfaasConfig
from peva_env.errors import ConfigError, PolicyError


def agent_factory(name: str) -> Callable[[DfaasConfig], Any]:
    """Return what makes the agent of this name (entry points ``peva_env.agents``).

    Raises:
        ConfigError: there is none.
        PolicyError: it cannot be loaded.
    """
    found = {entry.name: entry for entry in entry_points(group="peva_env.agents")}
    if name not in found:
        raise ConfigError(f"--agent {name!r}: there is no such agent; there are: {', '.join(sorted(found))}")
    try:
        factory: Callable[[DfaasConfig], Any] = found[name].load()
    except Exception as error:
        raise PolicyError(f"--agent {name!r} cannot be loaded: {error!r}") from error
    return factory


def campaign_loop() -> Callable[..., Any]:
    """Return the loop that runs every agent on every environment (entry point ``campaign`` of ``peva_env.loops``)."""
    loop: EntryPoint = entry_points(group="peva_env.loops")["campaign"]
    run_campaign: Callable[..., Any] = loop.load()
    return run_campaign
