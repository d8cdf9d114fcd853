"""The credentials of an OpenFaaS gateway."""

import base64
from dataclasses import dataclass

from pydantic import SecretStr

from peva_env.config import OpenFaasConfig, read_secret


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
