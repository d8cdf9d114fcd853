"""A small HTTP client: requests to one server, with timeouts, retries, and failures explained in one line.

``http.client`` follows no redirects and ignores proxy variables: a request goes to the configured host and to no
other. k6 is started without proxy variables for the same reason.
"""

import http.client
import itertools
import socket
import ssl
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import NamedTuple
from urllib.parse import urlsplit

from peva_env.errors import PlatformError

_MAX_BODY_BYTES = 16 * 2**20
_CHUNK_BYTES = 2**16
_QUOTED_CHARS = 200
_BUSY = (
    http.HTTPStatus.TOO_MANY_REQUESTS,
    http.HTTPStatus.BAD_GATEWAY,
    http.HTTPStatus.SERVICE_UNAVAILABLE,
    http.HTTPStatus.GATEWAY_TIMEOUT,
)
_TRUST = "let this machine trust its CA, or name the CA's certificate in the environment variable SSL_CERT_FILE"


class NoResponseError(PlatformError):
    """A server could not be reached, or sent no complete HTTP response in time.

    Attributes:
        reason: the message without the address at its beginning.
        n_tries: how many requests were sent.
        cause: the exception of the last request.
        is_permanent: whether another try would fail in the same way.
    """

    def __init__(self, url: str, reason: str, *, n_tries: int, cause: Exception) -> None:
        super().__init__(f"{url} {reason}", is_temporary=isinstance(cause, TimeoutError))
        self.reason = reason
        self.n_tries = n_tries
        self.cause = cause
        self.is_permanent = _is_permanent(cause)


@dataclass(frozen=True, slots=True)
class Response:
    """A complete HTTP response to the last of ``n_tries`` requests; header names are in lower case."""

    status: int
    text: str
    headers: Mapping[str, str] = field(default_factory=dict)
    n_tries: int = 1

    @property
    def ok(self) -> bool:
        """Whether the status is one of success (2xx)."""
        return 200 <= self.status < 300

    @property
    def is_transient(self) -> bool:
        """Whether the status says that the same request may succeed later (5xx, 429)."""
        return self.status >= 500 or self.status == http.HTTPStatus.TOO_MANY_REQUESTS

    @property
    def is_busy(self) -> bool:
        """Whether the status says that a server or gateway had no room or time for the request (429, 502, 503, 504)."""
        return self.status in _BUSY

    def __str__(self) -> str:
        """Status and the beginning of the body, in one line."""
        quoted = " ".join(self.text.split())[:_QUOTED_CHARS]
        return f"{self.status} ({quoted})" if quoted else f"{self.status} and an empty body"


class Retry(NamedTuple):
    """One more try: the pause before the request and the timeout of the request, in seconds."""

    pause_s: float
    timeout_s: float


class HttpClient:
    """Sends requests to one server.

    Args:
        base_url: prefix of all addresses, without a slash at its end.
        tls: which certificates are trusted, for an https address; those that the system trusts if left out.
        trust: how to make a certificate trusted, for the error message.
        max_body_bytes: of a response; the rest of a longer body is not read.
        keep_alive: whether the connection is kept for the next request; the timeout of the first then holds for all,
            and the client is for one thread.
    """

    def __init__(
        self,
        base_url: str,
        *,
        tls: ssl.SSLContext | None = None,
        trust: str = _TRUST,
        max_body_bytes: int = _MAX_BODY_BYTES,
        keep_alive: bool = False,
    ) -> None:
        self.base_url = base_url
        self._tls = tls
        self._trust = trust
        self._max_body_bytes = max_body_bytes
        self._keep_alive = keep_alive
        self._kept: http.client.HTTPConnection | None = None

    def request(
        self,
        path: str,
        *,
        method: str = "GET",
        body: str = "",
        headers: Mapping[str, str] | None = None,
        timeout_s: float,
        retries: Iterable[Retry] = (),
    ) -> Response:
        """Send a request, and send it again after no response or a transient status, as long as ``retries`` lasts.

        Returns:
            The first response that is not transient, else the last.

        Raises:
            NoResponseError: the last try got no response. The message has the address without its query string, which
                may hold a key, the reason and a remedy.
                An unknown host or a certificate that is not trusted is not tried again. The timeout holds for
                connecting, for every pause in the response, and for the whole body.
        """
        url = self.base_url + path
        upcoming = iter(retries)
        for n_tries in itertools.count(1):
            failure = None
            try:
                response = self._send(url, method, body, headers or {}, timeout_s)
                is_final = not response.is_transient
            except (OSError, http.client.HTTPException, ValueError) as error:
                failure = NoResponseError(
                    url.partition("?")[0], self._explain(error, timeout_s), n_tries=n_tries, cause=error
                )
                is_final = failure.is_permanent
            retry = None if is_final else next(upcoming, None)
            if retry is None:
                break
            time.sleep(retry.pause_s)
            timeout_s = retry.timeout_s
        if failure:
            raise failure from failure.cause
        return replace(response, n_tries=n_tries)

    def close(self) -> None:
        """Close a connection that was kept; the next request opens another."""
        if self._kept is not None:
            self._kept.close()
        self._kept = None

    def _send(self, url: str, method: str, body: str, headers: Mapping[str, str], timeout_s: float) -> Response:
        parts = urlsplit(url)
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        connection, self._kept = self._kept or self._connection(timeout_s), None
        try:
            # As UTF-8, which is how k6 sends header values.
            encoded = {name: value.encode() for name, value in headers.items()}
            ends_at = time.monotonic() + timeout_s
            connection.request(method, target, body.encode() or None, encoded)
            with connection.getresponse() as response:
                content = self._read(response, ends_at, timeout_s)
                found = {name.lower(): value for name, value in response.getheaders()}
                if self._keep_alive and len(content) < self._max_body_bytes:
                    self._kept = connection
                return Response(response.status, content.decode(errors="replace"), found)
        finally:
            if self._kept is not connection:
                connection.close()

    def _read(self, response: http.client.HTTPResponse, ends_at: float, timeout_s: float) -> bytes:
        content = bytearray()
        while len(content) < self._max_body_bytes:
            chunk = response.read1(min(_CHUNK_BYTES, self._max_body_bytes - len(content)))
            content += chunk
            if not chunk:
                break
            if time.monotonic() > ends_at:  # the socket's own timeout begins anew with every byte
                raise OSError(f"{len(content)} bytes in {timeout_s:g} s, and no end")
        if response.length and len(content) < self._max_body_bytes:
            raise http.client.IncompleteRead(bytes(content))
        return bytes(content)

    def _connection(self, timeout_s: float) -> http.client.HTTPConnection:
        parts = urlsplit(self.base_url)
        host = parts.hostname or ""
        if parts.scheme == "https":
            return http.client.HTTPSConnection(host, parts.port, timeout=timeout_s, context=self._tls)
        return http.client.HTTPConnection(host, parts.port, timeout=timeout_s)

    def _explain(self, error: Exception, timeout_s: float) -> str:
        """Return why a request got no response, and a remedy."""
        if isinstance(error, ssl.SSLCertVerificationError):
            return (
                f"has a certificate that is not trusted ({error.verify_message.rstrip('.')}): {self._trust}, "
                "and use a host name that its certificate holds"
            )
        if isinstance(error, ssl.SSLError):
            return f"does not speak TLS as it should ({error.reason}): is http:// meant instead of https://?"
        if isinstance(error, socket.gaierror):
            return f"has a host name that cannot be resolved ({error.strerror}): correct the address"
        if isinstance(error, TimeoutError):
            return f"did not answer within {timeout_s:g} s: it hangs, is overloaded, or a firewall drops the packets"
        if isinstance(error, ConnectionRefusedError):
            return "refuses connections: nothing listens there; start it, or correct the address"
        if isinstance(error, http.client.RemoteDisconnected | http.client.IncompleteRead | ConnectionError):
            return "closed the connection before its response was complete: look at its log"
        if isinstance(error, http.client.HTTPException):
            return "does not speak HTTP: correct the address"
        return f"cannot be called: {(isinstance(error, OSError) and error.strerror) or error}"


def _is_permanent(error: Exception) -> bool:
    """Whether another try would fail in the same way; a name server that does not answer now may do so later."""
    if isinstance(error, socket.gaierror):
        return error.errno != socket.EAI_AGAIN
    return isinstance(error, ssl.SSLCertVerificationError | UnicodeError)
