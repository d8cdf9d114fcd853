"""Loading a user's class from its entry point."""

import importlib
from typing import Any

from peva_env.errors import PevaError


def load_class(entrypoint: str, *, what: str, error: type[PevaError]) -> type[Any]:
    """Return the class at ``module:Class``. The module's code runs.

    Args:
        entrypoint: ``module:Class``.
        what: the purpose of the class, for error messages.
        error: raised if the class is missing, the entry point is malformed, or importing the module fails.
    """
    module_name, _, class_name = entrypoint.partition(":")
    if not module_name or not class_name:
        raise error(f"{what} {entrypoint!r} must be module:Class, for example my_module:MyClass")
    try:
        module = importlib.import_module(module_name)
    except Exception as problem:
        absent = isinstance(problem, ModuleNotFoundError) and problem.name and module_name.startswith(problem.name)
        reason = f"there is no module {problem.name!r}" if absent else f"importing {module_name!r} failed: {problem!r}"  # type: ignore[attr-defined]
        raise error(f"{what} {entrypoint!r} cannot be loaded: {reason}") from problem
    found = getattr(module, class_name, None)
    if not isinstance(found, type):
        raise error(f"{what} {entrypoint!r} cannot be loaded: {module_name!r} has no class {class_name!r}")
    return found
