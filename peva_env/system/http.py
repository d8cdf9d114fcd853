"""One HTTP request, and in one line why it got no answer.

``http.client`` follows no redirects and heeds no proxy variables: what is sent goes to the configured host and to no
other. k6 is started without proxy variables for the same reason.
"""

import http.client
import socket
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import SplitResult, urlsplit

from peva_env.errors import PlatformError

_MAX_BODY_BYTES = 16 * 2**20
_QUOTED_CHARS = 200
TRUST = "let this machine trust its CA, or name the CA's certificate in the environment variable SSL_CERT_FILE"
"""What makes a certificate trusted where no key of the configuration does."""


class NoAnswerError(PlatformError):
    """A server that cannot be reached, or that gave no whole HTTP answer in time."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole HTTP answer; names of headers are in lower case."""

    status: int
    text: str
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def ok(self) -> bool:
        """Whether it says success."""
        return 200 <= self.status < 300

    def __str__(self) -> str:
        """Status and the beginning of the body, in one line."""
        quoted = " ".join(self.text.split())[:_QUOTED_CHARS]
        return f"{self.status} ({quoted})" if quoted else f"{self.status} and an empty body"


def call(
    url: str,
    *,
    method: str = "GET",
    body: str = "",
    headers: Mapping[str, str] | None = None,
    timeout_s: float,
    tls: ssl.SSLContext | None = None,
    trust: str = TRUST,
) -> Answer:
    """Send one request over a connection of its own; ``trust`` is for the error, see ``why_no_answer``.

    Raises:
        NoAnswerError: no whole answer came; the message begins with the address and says what to look at. The timeout
            is for each step: connecting, sending, and every pause in the answer.
    """
    parts = urlsplit(url)
    connection = _connection(parts, timeout_s, tls)
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    try:
        # As UTF-8, which is how k6 sends them.
        plain = {name: value.encode() for name, value in (headers or {}).items()}
        connection.request(method, target, body.encode() or None, plain)
        with connection.getresponse() as response:
            content = response.read(_MAX_BODY_BYTES)
            if response.length and len(content) < _MAX_BODY_BYTES:
                raise http.client.IncompleteRead(content)
            found = {name.lower(): value for name, value in response.getheaders()}
            return Answer(response.status, content.decode(errors="replace"), found)
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise NoAnswerError(f"{url} {why_no_answer(error, timeout_s, trust=trust)}") from error
    finally:
        connection.close()


def _connection(parts: SplitResult, timeout_s: float, tls: ssl.SSLContext | None) -> http.client.HTTPConnection:
    host = parts.hostname or ""
    if parts.scheme == "https":
        return http.client.HTTPSConnection(host, parts.port, timeout=timeout_s, context=tls)
    return http.client.HTTPConnection(host, parts.port, timeout=timeout_s)


def why_no_answer(error: Exception, timeout_s: float, *, trust: str) -> str:
    """Say why a request got no answer, and what to look at; goes on after the address.

    Args:
        error: what sending or receiving raised.
        timeout_s: how long was waited.
        trust: what makes a certificate trusted.
    """
    if isinstance(error, ssl.SSLCertVerificationError):
        return (
            f"has a certificate that is not trusted ({error.verify_message.rstrip('.')}): {trust}, "
            "and use a host name that its certificate holds"
        )
    if isinstance(error, ssl.SSLError):
        return f"does not speak TLS as it should ({error.reason}): is http:// meant instead of https://?"
    if isinstance(error, socket.gaierror):
        return f"has a host name that cannot be resolved ({error.strerror}): correct the address"
    if isinstance(error, TimeoutError):
        return f"did not answer within {timeout_s:g} s: it hangs, is overloaded, or a firewall drops what is sent"
    if isinstance(error, ConnectionRefusedError):
        return "refuses connections: nothing listens there; start it, or correct the address"
    if isinstance(error, http.client.RemoteDisconnected | http.client.IncompleteRead | ConnectionError):
        return "closed the connection without a whole answer: it or what stands behind it fails; look at its log"
    if isinstance(error, http.client.HTTPException):
        return "does not speak HTTP: correct the address"
    return f"cannot be called: {(isinstance(error, OSError) and error.strerror) or error}"
