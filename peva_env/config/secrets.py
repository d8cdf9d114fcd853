"""Secrets of a configuration: the configuration names a file or an environment variable, never the secret itself."""

import os
from dataclasses import dataclass
from pathlib import Path

from pydantic import SecretStr

from peva_env.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Secret:
    """A password or token; ``source`` is the key and the value of the configuration that say where it is."""

    value: SecretStr
    source: str


def read_secret(key: str, *, file: str | None, variable: str | None, purpose: str) -> Secret | None:
    """Return the one line of a file or environment variable, without the white space around it; None without either.

    Args:
        key: of the secret in the configuration, such as ``openfaas.password``; errors name ``<key>_file`` or
            ``<key>_env``.
        file: the value of ``<key>_file``.
        variable: the value of ``<key>_env``.
        purpose: of the secret, for errors: ``the gateway's password``.

    Raises:
        ConfigError: the file or the variable is not there, or does not hold exactly one line. The error never shows
            what it holds.
    """
    if file is not None:
        source = f"{key}_file = {file!r}"
        text = _read(Path(file).expanduser(), source)
    elif variable is not None:
        source = f"{key}_env = {variable!r}"
        if variable not in os.environ:
            raise ConfigError(f"{source}: there is no such environment variable; set it to {purpose}")
        text = os.environ[variable]
    else:
        return None
    text = text.strip()
    if not text or "\n" in text or "\r" in text:
        found = "holds several lines" if text else "is empty"
        raise ConfigError(f"{source}: {found}; it must hold {purpose}, in one line")
    return Secret(SecretStr(text), source)


def _read(path: Path, source: str) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"{source}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError:
        # Without the cause, which quotes the bytes that it could not decode.
        raise ConfigError(f"{source}: is not a text file in UTF-8") from None
