"""A client of the published API of an OpenFaaS gateway.

Peculiarities of that API:

- Its JSON omits values that are zero.
- The gateway drops the connection on ``/system/functions`` if its own Prometheus is unreachable, and on
  ``/system/info`` if its provider is unreachable.
- Only ``/system/`` needs the password.
- The provider behind the gateway answers ``/healthz``; a proxy in front of the gateway may not forward it.
"""

import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlsplit

from peva_env.errors import PlatformError
from peva_env.platforms.openfaas.credentials import Credentials
from peva_env.system import HttpClient, NoResponseError, Response, Retry, json_value

_TIMEOUT_S = 3.0
_RETRY = Retry(pause_s=1.0, timeout_s=10.0)
"""Each request to the API is sent twice before it fails. The second timeout is longer: a gateway that has just been
overloaded is slow, but alive."""

_TRUST = "set openfaas.ca_file to the certificate of its CA"
_SCALING_LABELS = "com.openfaas.scale."


@dataclass(frozen=True, slots=True)
class FunctionState:
    """The gateway's description of a function: requested replicas, ready replicas, and deployment."""

    replicas: int
    available: int
    deployment: Mapping[str, Any] = field(default_factory=dict)


class Gateway:
    """A gateway at an address.

    Args:
        url: address without a trailing slash, see ``plain_url``.
        credentials: credentials for ``/system/``; they are not sent to any other path.
        tls: the trusted certificates, for an https address.
        timeout_s: timeout of the first request to the API, in seconds; calls of functions have their own timeouts.
        retry: the second request, which is sent if there was no response, or a status of 5xx or 429.
    """

    def __init__(
        self,
        url: str,
        *,
        credentials: Credentials | None = None,
        tls: ssl.SSLContext | None = None,
        timeout_s: float = _TIMEOUT_S,
        retry: Retry = _RETRY,
    ) -> None:
        self.url = url
        self.host = urlsplit(url).netloc.lower()
        self._http = HttpClient(url, tls=tls, trust=_TRUST)
        self._credentials = credentials
        self._timeout_s = timeout_s
        self._retry = retry

    def check(self) -> str:
        """Return the gateway's version, provider and address in one line.

        Raises:
            PlatformError: the gateway or its provider cannot be reached, the address is not that of a gateway, or the
                gateway refuses the password.
        """
        health = self._get("/healthz")
        if health.status >= 500:
            raise PlatformError(
                f"{self.url} answers /healthz with {health}: its function provider (faas-netes, faasd) cannot be "
                "reached; look at the provider's log"
            )
        try:
            info = _mapping(self._system("/system/info"))
        except NoResponseError:
            return f"OpenFaaS gateway of unknown version at {self.url}"
        release = _mapping(info.get("version")).get("release") or "of unknown version"
        provider = _mapping(info.get("provider")).get("provider") or "an unknown provider"
        return f"OpenFaaS gateway {release} with {provider} at {self.url}"

    def function_names(self, namespace: str | None = None) -> list[str]:
        """Return the names of the functions in a namespace.

        Raises:
            PlatformError: the gateway does not answer, or with an error.
        """
        listed = self._system("/system/functions", namespace)
        return sorted(str(_mapping(one).get("name")) for one in listed) if isinstance(listed, list) else []

    def namespaces(self) -> list[str]:
        """Return the namespaces that hold functions.

        Raises:
            PlatformError: the gateway does not answer, or with an error.
        """
        listed = self._system("/system/namespaces")
        return sorted(map(str, listed)) if isinstance(listed, list) else []

    def state(self, name: str, namespace: str | None = None) -> FunctionState:
        """Return the state of a function.

        Raises:
            PlatformError: there is no function of this name, or the gateway does not answer, or with an error.
        """
        path = f"/system/function/{quote(name)}"
        response = self._get(path, namespace)
        if response.status == 404:
            raise PlatformError(self._absent(name, namespace))
        data = _mapping(self._json(path, response))
        try:
            replicas, available = (int(data.get(key) or 0) for key in ("replicas", "availableReplicas"))
        except (TypeError, ValueError):
            raise PlatformError(f"{self.url}{path} has replicas that are no numbers: is this OpenFaaS?") from None
        return FunctionState(replicas, available, _deployment(data))

    def invoke(self, path: str, *, method: str, body: str, headers: Mapping[str, str], timeout_s: float) -> Response:
        """Call a function once, without the gateway's password.

        Raises:
            NoResponseError: there was no complete response in time.
        """
        return self._http.request(path, method=method, body=body, headers=headers, timeout_s=timeout_s)

    def _absent(self, name: str, namespace: str | None) -> str:
        where = f" in namespace {namespace!r}" if namespace else ""
        try:
            there = self.function_names(namespace)
            hint = f"deployed there: {', '.join(there) or 'none'}"
            if not there and namespace:
                hint += f"; namespaces: {', '.join(self.namespaces())}"
        except PlatformError:  # only a hint: its failure does not replace the error
            hint = "is gateway_url that of an OpenFaaS gateway?"
        return f"{self.url} has no function {name!r}{where}; deploy it, or correct its name or namespace; {hint}"

    def _system(self, path: str, namespace: str | None = None) -> Any:
        return self._json(path, self._get(path, namespace))

    def _get(self, path: str, namespace: str | None = None) -> Response:
        """Return a response, whatever its status."""
        headers = {"Authorization": self._credentials.header} if self._credentials and path != "/healthz" else {}
        query = f"?namespace={namespace}" if namespace else ""
        return self._http.request(path + query, headers=headers, timeout_s=self._timeout_s, retries=[self._retry])

    def _json(self, path: str, response: Response) -> Any:
        if not response.ok:
            shown = self._credentials.hidden(str(response)) if self._credentials else str(response)
            problem = f"{self.url}{path} answers {shown}: {self._remedy(response)}"
            raise PlatformError(problem, is_temporary=response.is_busy)
        try:
            return json_value(response.text)
        except ValueError:
            raise PlatformError(f"{self.url}{path} answers no JSON: is gateway_url that of a gateway?") from None

    def _remedy(self, response: Response) -> str:
        if response.status == 401:
            if self._credentials is None:
                return "set openfaas.password_file or openfaas.password_env to the file or variable of its password"
            given = self._credentials
            return f"correct openfaas.username ({given.username}) or the password in {given.source}"
        if response.status in range(300, 400):
            return f"redirects are not followed; set gateway_url to where {response.headers.get('location', 'it')!r} is"
        if response.status == 429:
            return "a rate limit stands before the gateway; exempt this machine from it"
        if response.status >= 500:
            return "its function provider (faas-netes, faasd) cannot be reached or fails; look at the provider's log"
        return "is gateway_url that of an OpenFaaS gateway, and the namespace right?"


def _deployment(data: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings that affect a function's capacity, without environment variables, which may hold secrets."""
    labels = _mapping(data.get("labels"))
    return {
        "image": str(data.get("image") or ""),
        "namespace": str(data.get("namespace") or ""),
        "limits": dict(_mapping(data.get("limits"))),
        "requests": dict(_mapping(data.get("requests"))),
        "scaling": {key: labels[key] for key in sorted(labels) if key.startswith(_SCALING_LABELS)},
    }


def _mapping(data: Any) -> Mapping[str, Any]:
    return data if isinstance(data, Mapping) else {}
