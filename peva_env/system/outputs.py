"""Files that a command writes: new ones, or an earlier output of the same command; never somebody else's."""

import os
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path

from peva_env.errors import ConfigError, PevaError


def output_file(
    option: str, path: Path, *, what: str, is_own: Callable[[Path], bool], inputs: Iterable[Path] = ()
) -> Path:
    """Return the file that a command may write for an option; of a symbolic link, the file that it points to.

    Args:
        option: of the command, for the message.
        path: as given.
        what: is written, for the message, such as ``a report``.
        is_own: whether an existing regular file is an earlier output of the same command.
        inputs: files that the same command reads, or writes for another purpose.

    Raises:
        ConfigError: the path names no file, or something else stands there.
        PevaError: what stands there cannot be read, or no file can be created in its folder.
    """
    if not path.name:
        raise ConfigError(f"{option}: names no file; give a file name")
    if path.name == "-":
        raise ConfigError(f"{option} -: {what} is written to a file, not to the standard output; give a file name")
    target = Path(os.path.realpath(path))
    if target.is_symlink():  # resolved, yet a link
        raise ConfigError(f"{option} {path}: is a symbolic link that leads back to itself; give another name")
    if target in [Path(os.path.realpath(one)) for one in inputs]:
        raise ConfigError(f"{option} {path}: is another file of this command; give another name")
    try:
        # Not of the target: the path of a pipe, as of /dev/stdout, does not lead to it.
        is_taken = path.exists() and not (path.is_file() and is_own(target))
    except OSError as error:
        raise PevaError(f"{option} {path}: cannot be read: {error.strerror}; give another name") from error
    if is_taken:
        raise ConfigError(f"{option} {path}: exists and is not {what}; give another name")
    try:
        require_writable(target.parent)
    except OSError as error:
        raise PevaError(f"{option} {path}: cannot be written: {error.strerror}") from error
    return target


def require_writable(folder: Path) -> None:
    """Create a file in a folder and remove it; an ``OSError`` says why that cannot be."""
    tempfile.TemporaryFile(dir=folder).close()


def output_folder(option: str, path: Path, *, what: str, mark: str) -> Path:
    """Return the folder that a command may fill for an option: a new or empty one, or one that it began before.

    Args:
        option: of the command, for the message.
        path: as given.
        what: the folder holds, for the message, such as ``an arena``.
        mark: a file that the command writes into its folder first.

    Raises:
        ConfigError: the path is a file, or a folder of something else.
    """
    if path.exists() and not path.is_dir():
        raise ConfigError(f"{option} {path}: is a file; give another name")
    if path.is_dir() and any(path.iterdir()) and not (path / mark).exists():
        raise ConfigError(f"{option} {path}: is not empty and holds no {what}; give another folder")
    return path


def begins_with(mark: bytes) -> Callable[[Path], bool]:
    """Return a predicate that tells whether a regular file has these first bytes."""

    def is_own(path: Path) -> bool:
        with path.open("rb") as file:
            return file.read(len(mark)) == mark

    return is_own
