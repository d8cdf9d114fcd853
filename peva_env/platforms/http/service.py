"""One HTTP service: its address, its first call, and whether anything listens there."""

import hashlib
import socket
import ssl
import time
from urllib.parse import urlsplit

from peva_env.config import FunctionConfig, request_headers
from peva_env.errors import ConfigError, PlatformError
from peva_env.system import HttpClient, Response

_CONNECT_TIMEOUT_S = 3.0
_PORTS = {"http": 80, "https": 443}
_SHOWN_DIGITS = 12
_TRUST = "set http.ca_file to the certificate of its CA"


class HttpService:
    """A service at an address.

    Args:
        function: name, address and HTTP request of the service.
        tls: the trusted certificates, for an https address.
        timeout_s: timeout of a call, in seconds.

    Raises:
        ConfigError: the service has no address.
    """

    def __init__(self, function: FunctionConfig, *, tls: ssl.SSLContext | None, timeout_s: float) -> None:
        if function.url is None:
            raise ConfigError(
                f"function {function.name!r}: platform http needs its url, such as http://127.0.0.1:8000/"
            )
        self.name = function.name
        self.url = function.url
        parts = urlsplit(function.url)
        self.host = parts.netloc.lower()
        self.address = parts.hostname or "", parts.port or _PORTS[parts.scheme]
        self._path = parts._replace(scheme="", netloc="").geturl() or "/"
        self._function = function
        self._timeout_s = timeout_s
        self._revision: str | None = None
        self._http = HttpClient(f"{parts.scheme}://{parts.netloc}", tls=tls, trust=_TRUST)

    @property
    def shown_url(self) -> str:
        """The address with a digest in place of its query string, which may hold a key."""
        parts = urlsplit(self.url)
        digest = hashlib.sha256(parts.query.encode()).hexdigest()[:_SHOWN_DIGITS]
        return parts._replace(query=digest if parts.query else "").geturl()

    def preflight(self) -> None:
        """Call the service once, with the same request as the load.

        Raises:
            PlatformError: it did not answer in time, or not with success.
            ConfigError: the variable of a header is not set.
        """
        response = self._call()
        problem = self._problem(response)
        if problem:
            said = self._without_secrets(problem)
            raise PlatformError(
                f"function {self.name!r} at {self.shown_url} answered its first call with {said}",
                is_temporary=response.is_busy,
            )
        self._revision = self._revision_in(response)
        if self._revision is None and self._function.revision_header:
            raise PlatformError(
                f"function {self.name!r} at {self.shown_url} answered without the header "
                f"{self._function.revision_header!r}, which revision_header names; correct its name, or leave it out"
            )

    def revision(self) -> str | None:
        """Return the service's revision at its first call, None unless the configuration asks for it.

        Raises:
            PlatformError: the service does not answer with success, or its answer does not name a revision.
        """
        if self._function.revision_header and self._revision is None:
            self.preflight()
        return self._revision

    def replaced(self) -> str | None:
        """Return that the service has another revision than at its first call; None if not, or if it does not tell."""
        if self._revision is None:
            return None
        try:
            now = self._revision_in(self._call())
        except PlatformError:
            return None
        if now in (None, self._revision):
            return None
        header = self._function.revision_header
        return (
            f"function {self.name!r} was replaced: its {header} was {self._revision} and is {now}; "
            "start again to measure the new one"
        )

    def latency_ms(self) -> float | None:
        """Return how long one call takes, in ms; None if it fails."""
        began = time.monotonic()
        try:
            response = self._call()
        except PlatformError:
            return None
        return None if self._problem(response) else 1000 * (time.monotonic() - began)

    def unreachable(self) -> str | None:
        """Return why no connection can be made, or None. A slow connection is no reason: it may be overload."""
        try:
            socket.create_connection(self.address, timeout=_CONNECT_TIMEOUT_S).close()
        except ConnectionRefusedError:
            return f"function {self.name!r}: {self.host} refuses connections: nothing listens there; start it"
        except socket.gaierror as error:
            return f"function {self.name!r}: the host name of {self.host} cannot be resolved ({error.strerror})"
        except TimeoutError:
            return None
        except OSError as error:
            return f"function {self.name!r}: {self.host} cannot be reached ({error.strerror})"
        return None

    def _call(self) -> Response:
        call = self._function
        return self._http.request(
            self._path, method=call.method, body=call.body, headers=request_headers(call), timeout_s=self._timeout_s
        )

    def _revision_in(self, response: Response) -> str | None:
        header = self._function.revision_header
        return response.headers.get(header.lower()) if header else None

    def _without_secrets(self, text: str) -> str:
        """Return a text of the service without the query string and the secret headers that it may send back."""
        secrets = [
            urlsplit(self.url).query,
            *(request_headers(self._function)[name] for name in self._function.headers_env),
        ]
        for secret in filter(None, secrets):
            text = text.replace(secret, "...")
        return text

    def _problem(self, response: Response) -> str | None:
        """Return a response that is not a success, with the remedy; None for a success."""
        expect = self._function.expect
        statuses = expect.status if expect else None
        if not (response.status in statuses if statuses else response.ok):
            return f"{response}: {_remedy(response)}"
        if expect and expect.body_contains is not None and expect.body_contains not in response.text:
            return f"{response}: the body lacks {expect.body_contains!r}, which expect.body_contains demands"
        if expect and expect.body_not_contains is not None and expect.body_not_contains in response.text:
            return f"{response}: the body holds {expect.body_not_contains!r}, which expect.body_not_contains forbids"
        return None


def _remedy(response: Response) -> str:
    if response.status in range(300, 400):
        where = response.headers.get("location")
        return f"redirects (to {where!r}) are not followed; set its url to where it leads"
    return _REMEDIES.get(response.status) or (
        "look at its log" if response.status >= 500 else "correct its method, body or headers"
    )


_REMEDIES = {
    401: "it wants credentials; put them into headers_env",
    403: "it refuses this machine or request; allow it, or put its credentials into headers_env",
    404: "there is nothing at this path; correct its url or its Host header",
    405: "it does not take this method; correct its method",
    429: "a limit on its rate was reached; end other load, or raise the limit",
    503: "it takes no request now; scale it up, or look at its log",
}
