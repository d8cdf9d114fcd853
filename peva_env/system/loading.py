"""A user's own classes, found by entry point."""

import importlib
from typing import Any

from peva_env.errors import PevaError


def load_class(entrypoint: str, *, what: str, error: type[PevaError]) -> type[Any]:
    """Return the class at ``module:Class``. The module's code runs.

    Args:
        entrypoint: where the class is.
        what: what it is to the user, for messages.
        error: what is raised if it is not there, the entry point is malformed, or the module fails.
    """
    module_name, _, class_name = entrypoint.partition(":")
    if not module_name or not class_name:
        raise error(f"{what} {entrypoint!r} must be module:Class, for example my_module:MyClass")
    try:
        module = importlib.import_module(module_name)
    except Exception as problem:
        absent = isinstance(problem, ModuleNotFoundError) and problem.name and module_name.startswith(problem.name)
        told = f"there is no module {problem.name!r}" if absent else f"importing {module_name!r} failed: {problem!r}"  # type: ignore[attr-defined]
        raise error(f"{what} {entrypoint!r} cannot be loaded: {told}") from problem
    found = getattr(module, class_name, None)
    if not isinstance(found, type):
        raise error(f"{what} {entrypoint!r} cannot be loaded: {module_name!r} has no class {class_name!r}")
    return found
