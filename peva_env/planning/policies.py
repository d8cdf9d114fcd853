"""The default policy, and the loading of a user's policy."""

import inspect
from collections.abc import Sequence

from peva_env.contracts import ExecutionEvent, PolicyAlgorithm
from peva_env.errors import PolicyLoadError
from peva_env.space import Config
from peva_env.system import exception_text, load_class, raise_end, same_folder


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
    """Return an instance of the class at ``module:Class``, or a ``NoOpPolicy`` for None or "". The module's code runs.

    Raises:
        PolicyLoadError: the entry point is malformed, the module or class is missing or raises an exception, or the
            class lacks a method of the contract.
    """
    if not entrypoint:
        return NoOpPolicy()
    policy_class = load_class(entrypoint, what="policy", error=PolicyLoadError)
    missing = [name for name in _CONTRACT if not callable(getattr(policy_class, name, None))]
    if missing:
        raise PolicyLoadError(f"policy {entrypoint!r} is not a PolicyAlgorithm: it lacks {', '.join(missing)}")
    try:
        with same_folder():
            policy: PolicyAlgorithm = policy_class()
    except BaseException as error:
        raise_end(error)
        raise PolicyLoadError(
            f"policy {entrypoint!r} cannot be made without arguments: {exception_text(error)}"
        ) from error
    return policy
