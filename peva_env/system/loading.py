"""Loading a user's class from its entry point."""

import importlib
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

from peva_env.errors import PevaError
from peva_env.system.interrupts import raise_end
from peva_env.system.text import exception_text


@contextmanager
def same_folder() -> Iterator[None]:
    """Run a user's code in a block, and return to the working folder after it: relative paths stay what they were."""
    folder = Path.cwd()
    try:
        yield
    finally:
        os.chdir(folder)


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
        with same_folder():
            module = importlib.import_module(module_name)
    except BaseException as problem:  # a script may end Python when it is imported
        raise_end(problem)
        missing = problem.name if isinstance(problem, ModuleNotFoundError) and problem.name else None
        absent = missing is not None and module_name.startswith(missing)
        reason = (
            f"there is no module {missing!r}"
            if absent
            else f"importing {module_name!r} failed: {exception_text(problem)}"
        )
        top = sys.modules.get(module_name.partition(".")[0]) if absent else None
        raise error(f"{what} {entrypoint!r} cannot be loaded: {reason}{_hint(top)}") from problem
    found = getattr(module, class_name, None)
    if not isinstance(found, type):
        raise error(
            f"{what} {entrypoint!r} cannot be loaded: {module_name!r} has no class {class_name!r}{_hint(module)}"
        )
    return found


def _hint(module: ModuleType | None) -> str:
    """Return what to do if this module was found instead of the user's own; nothing for one of the working folder."""
    if module is None:
        return ""
    file = getattr(module, "__file__", None)
    own = Path.cwd().resolve() / module.__name__.partition(".")[0]
    # Not any file below the working folder: virtual environments often lie there.
    if file is not None and (
        Path(file).resolve().is_relative_to(own) or Path(file).resolve() == own.with_suffix(".py")
    ):
        return ""
    return f"; {module.__name__!r} is {file or 'built in'}: if that is not your module, rename yours"
