"""Loading a user's class from its entry point."""

import importlib
from pathlib import Path
from types import ModuleType
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
        where = f"{module_name!r} ({getattr(module, '__file__', None) or 'built in'})"
        hint = "" if _is_here(module) else "; if that is not your module, rename yours: an installed one has its name"
        raise error(f"{what} {entrypoint!r} cannot be loaded: {where} has no class {class_name!r}{hint}")
    return found


def _is_here(module: ModuleType) -> bool:
    """Tell whether a module is of the working folder."""
    file = getattr(module, "__file__", None)
    return file is not None and Path(file).resolve().is_relative_to(Path.cwd())
