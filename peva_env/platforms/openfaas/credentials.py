"""The credentials of an OpenFaaS gateway, and the CA certificate of its address."""

import base64
import ssl
from dataclasses import dataclass
from pathlib import Path

from pydantic import SecretStr

from peva_env.config import OpenFaasConfig, read_secret
from peva_env.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Credentials:
    """User name and password for basic auth; ``source`` is the key that names the password's file or variable."""

    username: str
    password: SecretStr
    source: str

    @property
    def header(self) -> str:
        """The value of the Authorization header."""
        return f"Basic {self._token}"

    def hidden(self, text: str) -> str:
        """Return a text with the password replaced, in case a server sent the password back."""
        for secret in (self.password.get_secret_value(), self._token):
            text = text.replace(secret, "...")
        return text

    @property
    def _token(self) -> str:
        return base64.b64encode(f"{self.username}:{self.password.get_secret_value()}".encode()).decode()


def read_credentials(config: OpenFaasConfig) -> Credentials | None:
    """Return the credentials of a configuration; None if it names neither a password file nor a variable.

    Raises:
        ConfigError: the file or the variable does not exist, or does not hold exactly one line.
    """
    password = read_secret(
        "openfaas.password",
        file=config.password_file,
        variable=config.password_env,
        purpose="the gateway's password",
    )
    return None if password is None else Credentials(config.username, password.value, password.source)


def trust(ca_file: str | None) -> ssl.SSLContext:
    """Return a TLS context that trusts the CA of a file, or the CAs of the system without a file.

    Raises:
        ConfigError: the file does not exist, or holds no certificate.
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
