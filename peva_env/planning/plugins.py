"""Agents, the campaign loop, the trainer and the arena, found by entry point: ``peva_env`` never imports them."""

from collections.abc import Callable
from difflib import get_close_matches
from functools import partial
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any

from peva_env.config import DfaasConfig
from peva_env.errors import ConfigError, PolicyError

_MODELS = {".zip": "sb3", ".npz": "learnt"}
"""The agent that runs a model's file, by the suffix of the file."""

_NAMED_OTHERWISE = {"custom", "sb3"}
"""Agents that run a class or a file of the user, whose name stands for theirs."""


def agent_factory(name: str) -> Callable[[DfaasConfig], Any]:
    """Return the factory of an agent.

    Args:
        name: an entry point of ``peva_env.agents``; or the file of a saved model, a ``.zip`` of ``peva-env train`` or
            an ``.npz`` with the networks of a learnt agent; or ``module:Class`` of a user's policy.

    Raises:
        ConfigError: there is no such agent.
        PolicyError: the agent cannot be loaded.
    """
    found = {entry.name: entry for entry in entry_points(group="peva_env.agents")}
    for suffix, kind in _MODELS.items():
        if name.endswith(suffix) and kind in found:
            return partial(_loaded(found[kind]), path=Path(name))
    if ":" in name:
        return own_policy(name)
    if name not in found:
        names = sorted(found.keys() - _NAMED_OTHERWISE)
        near = get_close_matches(name, names, n=1)
        meant = f"did you mean {near[0]}? There" if near else "there"
        raise ConfigError(
            f"agent {name!r}: there is no such agent; {meant} are: {', '.join(names)}, a model's file, or module:Class"
        )
    return _loaded(found[name])


def own_policy(entrypoint: str) -> Callable[[DfaasConfig], Any]:
    """Return the factory of an agent that runs the policy at ``module:Class``."""
    return partial(_loaded(entry_points(group="peva_env.agents")["custom"]), entrypoint=entrypoint)


def trainer() -> Callable[..., Any]:
    """Return the trainer (entry point ``sb3`` of ``peva_env.trainers``)."""
    train: Callable[..., Any] = entry_points(group="peva_env.trainers")["sb3"].load()
    return train


def arena() -> Callable[..., Any]:
    """Return the arena (entry point ``arena`` of ``peva_env.arenas``)."""
    compare: Callable[..., Any] = entry_points(group="peva_env.arenas")["arena"].load()
    return compare


def fleet_command(name: str) -> Callable[..., Any]:
    """Return a command of fleets (entry points ``run``, ``status``, ``stop``, ``merge`` of ``peva_env.fleets``)."""
    command: Callable[..., Any] = entry_points(group="peva_env.fleets")[name].load()
    return command


def campaign_loop() -> Callable[..., Any]:
    """Return the loop that runs every agent on every environment (entry point ``campaign`` of ``peva_env.loops``)."""
    loop: EntryPoint = entry_points(group="peva_env.loops")["campaign"]
    run_campaign: Callable[..., Any] = loop.load()
    return run_campaign


def _loaded(entry: EntryPoint) -> Callable[..., Any]:
    try:
        factory: Callable[..., Any] = entry.load()
    except Exception as error:
        raise PolicyError(f"--agent {entry.name!r} cannot be loaded: {error!r}") from error
    return factory
