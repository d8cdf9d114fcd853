"""Finding the code of a function, and checking that the node can run it."""

import hashlib
import importlib.util
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from peva_env.config import FunctionConfig
from peva_env.errors import PlatformError
from peva_env.platforms.local.functions import SAMPLES
from peva_env.system import install_text

DEFAULT_CONCURRENCY = 8
"""Requests served at once, unless the configuration or the sample says otherwise."""

_RUNTIME = ("functions_framework", "uvicorn")


@dataclass(frozen=True, slots=True)
class FunctionCode:
    """The code of one function: an absolute path, the Python function in that file, and its concurrency limit."""

    file: Path
    target: str
    concurrency: int
    sha256: str


def resolve_all(functions: Sequence[FunctionConfig]) -> dict[str, FunctionCode]:
    """Find the code of every function, by name.

    Raises:
        PlatformError: code or runtime is missing, or two functions have the same name or port; nothing was started.
    """
    _require_runtime()
    _require_unique("name", [function.name for function in functions])
    _require_unique("port", [function.port for function in functions if function.port is not None])
    return {function.name: resolve(function) for function in functions}


def resolve(function: FunctionConfig) -> FunctionCode:
    """Find the code of one function: its ``source``, relative to the current folder, or the sample of its name.

    Raises:
        PlatformError: the code does not exist or cannot be read; one line that says what would be right.
    """
    if function.source is None:
        return _resolve_sample(function)
    file, _, target = function.source.rpartition(":")
    concurrency = function.concurrency or DEFAULT_CONCURRENCY
    path = Path(file).absolute()
    try:
        return FunctionCode(path, target, concurrency, _sha256(path))
    except OSError as error:
        raise PlatformError(
            f"function {function.name!r}: its source file {path} cannot be read ({error.strerror}): "
            f"'source' is file.py:target, the file relative to the configuration's folder"
        ) from error


def _resolve_sample(function: FunctionConfig) -> FunctionCode:
    sample = SAMPLES.get(function.name)
    if sample is None:
        raise PlatformError(
            f"function {function.name!r}: its source is missing and no sample has that name: "
            f"set 'source' to file.py:target, or take a sample ({', '.join(SAMPLES)})"
        )
    return FunctionCode(sample.file, sample.target, function.concurrency or sample.concurrency, _sha256(sample.file))


def _sha256(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


def _require_runtime() -> None:
    missing = [module for module in _RUNTIME if importlib.util.find_spec(module) is None]
    if missing:
        raise PlatformError(
            f"the local node cannot run functions, {' and '.join(missing)} cannot be imported: {install_text('local')}"
        )


def _require_unique(key: str, values: Sequence[object]) -> None:
    for value, count in Counter(values).items():
        if count > 1:
            raise PlatformError(f"{count} functions have the {key} {value}: each needs its own")
