"""Which certificates are trusted."""

import ssl
from pathlib import Path

from peva_env.errors import ConfigError


def trust(ca_file: str | None, *, key: str) -> ssl.SSLContext:
    """Return a TLS context that trusts the CA of a file, or the CAs of the system without a file.

    Args:
        ca_file: a certificate in PEM form.
        key: of the configuration that names the file, for errors.

    Raises:
        ConfigError: the file does not exist, or holds no certificate.
    """
    if ca_file is None:
        return ssl.create_default_context()
    where = f"{key} = {ca_file!r}"
    try:
        context = ssl.create_default_context(cafile=Path(ca_file).expanduser())
    except ssl.SSLError as error:
        raise ConfigError(f"{where}: holds no certificate in PEM form") from error
    except OSError as error:
        raise ConfigError(f"{where}: cannot be read: {error.strerror}") from error
    # Newer Pythons demand extensions that home-made CAs lack; k6, which has to trust the same file, does not.
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    return context
