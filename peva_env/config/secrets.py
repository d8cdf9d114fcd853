"""Secrets of a configuration: the configuration names a file or an environment variable, never the secret itself."""

import os
from dataclasses import dataclass
from pathlib import Path

from pydantic import SecretStr

from peva_env.config.function import FunctionConfig
from peva_env.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Secret:
    """A password or token; ``source`` is the configuration's key and value that name its file or variable."""

    value: SecretStr
    source: str


def read_secret(key: str, *, file: str | None, variable: str | None, purpose: str) -> Secret | None:
    """Return the secret, the only line of a file or environment variable, stripped; None without file and variable.

    Args:
        key: key of the secret in the configuration, such as ``openfaas.password``; errors name ``<key>_file`` or
            ``<key>_env``.
        file: the value of ``<key>_file``.
        variable: the value of ``<key>_env``.
        purpose: purpose of the secret, for errors, such as ``the gateway's password``.

    Raises:
        ConfigError: the file or the variable does not exist, or does not hold exactly one line. The error never shows
            the content.
    """
    if file is not None:
        source = f"{key}_file = {file!r}"
        text = _read(Path(file).expanduser(), source)
    elif variable is not None:
        source = f"{key}_env = {variable!r}"
        text = _of_variable(variable, source, purpose)
    else:
        return None
    return Secret(SecretStr(_one_line(text, source, purpose)), source)


def request_headers(function: FunctionConfig) -> dict[str, str]:
    """Return the headers of a function's requests, with the values of the secret ones.

    Raises:
        ConfigError: the variable of a header is not set, or does not hold exactly one line.
    """
    headers = dict(function.headers)
    for name, variable in function.headers_env.items():
        source = f"function {function.name!r}: headers_env.{name} = {variable!r}"
        purpose = f"the value of header {name}"
        headers[name] = _one_line(_of_variable(variable, source, purpose), source, purpose)
    return headers


def _of_variable(variable: str, source: str, purpose: str) -> str:
    if variable not in os.environ:
        raise ConfigError(f"{source}: there is no such environment variable; set it to {purpose}")
    return os.environ[variable]


def _one_line(text: str, source: str, purpose: str) -> str:
    text = text.strip()
    if not text or "\n" in text or "\r" in text:
        found = "holds several lines" if text else "is empty"
        raise ConfigError(f"{source}: {found}; it must hold {purpose}, in one line")
    return text


def _read(path: Path, source: str) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"{source}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError:
        # ``from None``: a chained UnicodeDecodeError would show the bytes of the secret.
        raise ConfigError(f"{source}: is not a text file in UTF-8") from None
