"""Policies: the default one, and how a user's own is found."""

import importlib
import inspect
from collections.abc import Sequence
from typing import Any

from peva_env.contracts import ExecutionEvent, PolicyAlgorithm
from peva_env.errors import PolicyError
from peva_env.space import Config


class NoOpPolicy:
    """Takes the candidates as they come and learns nothing."""

    def choose_batch(self, *, candidates: Sequence[Config], desired_size: int) -> Sequence[Config]:
        """Return the first ``desired_size`` candidates."""
        return candidates[:desired_size]

    def update_online(self, event: ExecutionEvent) -> None:
        """Learn nothing from an event."""

    def update_batch(self, events: list[ExecutionEvent]) -> None:
        """Learn nothing from events."""


_CONTRACT = tuple(name for name, _ in inspect.getmembers(PolicyAlgorithm, inspect.isfunction) if name[0] != "_")


def load_policy_algorithm(entrypoint: str | None) -> PolicyAlgorithm:
    """Return an instance of the class at ``module:Class``, or a ``NoOpPolicy`` for None. The module's code runs.

    Raises:
        PolicyError: a malformed entry point, a module or class that is not there or fails, a missing method.
    """
    if entrypoint is None:
        return NoOpPolicy()
    policy_class = _find_class(entrypoint)
    missing = [name for name in _CONTRACT if not callable(getattr(policy_class, name, None))]
    if missing:
        raise PolicyError(f"policy {entrypoint!r} is not a PolicyAlgorithm: it lacks {', '.join(missing)}")
    try:
        policy: PolicyAlgorithm = policy_class()
    except Exception as error:
        raise PolicyError(f"policy {entrypoint!r} cannot be made without arguments: {error!r}") from error
    return policy


def _find_class(entrypoint: str) -> type[Any]:
    module_name, _, class_name = entrypoint.partition(":")
    if not module_name or not class_name:
        raise PolicyError(f"policy {entrypoint!r} must be module:Class, for example my_policies:Greedy")
    try:
        module = importlib.import_module(module_name)
    except Exception as error:
        absent = isinstance(error, ModuleNotFoundError) and error.name and module_name.startswith(error.name)
        problem = f"there is no module {error.name!r}" if absent else f"importing {module_name!r} failed: {error!r}"  # type: ignore[attr-defined]
        raise PolicyError(f"policy {entrypoint!r} cannot be loaded: {problem}") from error
    found = getattr(module, class_name, None)
    if not isinstance(found, type):
        raise PolicyError(f"policy {entrypoint!r} cannot be loaded: {module_name!r} has no class {class_name!r}")
    return found
