"""The password of an OpenFaaS gateway and the certificate it is trusted by: where they are, and what is wrong there."""

import base64
import os
import ssl
from dataclasses import dataclass
from pathlib import Path

from pydantic import SecretStr

from peva_env.config import OpenFaasConfig
from peva_env.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Credentials:
    """User name and password for basic auth; ``source`` says where the password came from."""

    username: str
    password: SecretStr
    source: str

    @property
    def header(self) -> str:
        """The value of the Authorization header."""
        return f"Basic {self._token}"

    def hidden(self, text: str) -> str:
        """Return a text without the password, should a server have sent it back."""
        for secret in (self.password.get_secret_value(), self._token):
            text = text.replace(secret, "...")
        return text

    @property
    def _token(self) -> str:
        return base64.b64encode(f"{self.username}:{self.password.get_secret_value()}".encode()).decode()


def read_credentials(config: OpenFaasConfig) -> Credentials | None:
    """Return the credentials that a configuration points to, None if it points to none.

    White space around the password is no part of it: files end with a newline.

    Raises:
        ConfigError: the file or the variable is not there, or is empty.
    """
    if config.password_file is not None:
        source = f"openfaas.password_file = {config.password_file!r}"
        password = _read(Path(config.password_file).expanduser(), source)
    elif config.password_env is not None:
        source = f"openfaas.password_env = {config.password_env!r}"
        if config.password_env not in os.environ:
            raise ConfigError(f"{source}: there is no such environment variable; set it to the gateway's password")
        password = os.environ[config.password_env]
    else:
        return None
    if not password.strip():
        raise ConfigError(f"{source}: is empty; it must hold the gateway's password")
    return Credentials(config.username, SecretStr(password.strip()), source)


def trust(ca_file: str | None) -> ssl.SSLContext:
    """Return what makes https connections trust the CA of a file, or the system's where there is none.

    Raises:
        ConfigError: the file is not there, or holds no certificate.
    """
    if ca_file is None:
        return ssl.create_default_context()
    where = f"openfaas.ca_file = {ca_file!r}"
    try:
        context = ssl.create_default_context(cafile=Path(ca_file).expanduser())
    except ssl.SSLError as error:
        raise ConfigError(f"{where}: holds no certificate in PEM form") from error
    except OSError as error:
        raise ConfigError(f"{where}: cannot be read: {error.strerror}") from error
    # Newer Pythons demand extensions that home-made CAs lack; k6, which has to trust the same file, does not.
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    return context


def _read(path: Path, source: str) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"{source}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError:
        # Without the cause, which quotes what it could not decode.
        raise ConfigError(f"{source}: is not a text file in UTF-8") from None
