"""What is asked of an OpenFaaS gateway: its own API, as it is published.

Traps of that API, all of them met here: values that are zero are absent from its JSON; it drops the connection on
``/system/functions`` when its own Prometheus is unreachable, and on ``/system/info`` when its provider is; only
``/system/`` asks for the password; ``/healthz`` is answered by the provider behind it, or by a proxy before it not at
all.
"""

import json
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlsplit

from peva_env.errors import PlatformError
from peva_env.platforms.openfaas.credentials import Credentials
from peva_env.system import Answer, NoAnswerError, call

_TIMEOUTS_S = (3.0, 10.0)
"""Each question is asked twice before it counts as unanswered. The second time with patience: a gateway that has just
been overloaded is slow, but alive."""

_PAUSE_S = 1.0
_TRUST = "set openfaas.ca_file to the certificate of its CA"
_SCALING_LABELS = "com.openfaas.scale."


@dataclass(frozen=True, slots=True)
class FunctionState:
    """What a gateway says of a function: how it is deployed, how many replicas are wanted, how many are ready."""

    replicas: int
    available: int
    deployment: Mapping[str, Any] = field(default_factory=dict)


class Gateway:
    """A gateway at an address.

    Args:
        url: without a last slash, see ``plain_url``.
        credentials: for ``/system/``; they are sent nowhere else.
        tls: what to trust, for an https address.
    """

    def __init__(self, url: str, *, credentials: Credentials | None = None, tls: ssl.SSLContext | None = None) -> None:
        self.url = url
        self.host = urlsplit(url).netloc.lower()
        self._credentials = credentials
        self._tls = tls

    def check(self) -> str:
        """Say what it is, in one line.

        Raises:
            PlatformError: it or its provider cannot be reached, it is no gateway, or it refuses the password.
        """
        health = self._ask("/healthz")
        if health.status >= 500:
            raise PlatformError(
                f"{self.url} answers /healthz with {health}: its function provider (faas-netes, faasd) cannot be "
                "reached; look at the provider's log"
            )
        try:
            info = _mapping(self._system("/system/info"))
        except NoAnswerError:
            return f"OpenFaaS gateway at {self.url}, which does not tell its version"
        release = _mapping(info.get("version")).get("release") or "of unknown version"
        provider = _mapping(info.get("provider")).get("provider") or "an unknown provider"
        return f"OpenFaaS gateway {release} with {provider} at {self.url}"

    def function_names(self, namespace: str | None = None) -> list[str]:
        """Return the names of the functions in a namespace.

        Raises:
            PlatformError: it does not answer as it should.
        """
        listed = self._system("/system/functions", namespace)
        return sorted(str(_mapping(one).get("name")) for one in listed) if isinstance(listed, list) else []

    def namespaces(self) -> list[str]:
        """Return the namespaces that hold functions.

        Raises:
            PlatformError: it does not answer as it should.
        """
        listed = self._system("/system/namespaces")
        return sorted(map(str, listed)) if isinstance(listed, list) else []

    def state(self, name: str, namespace: str | None = None) -> FunctionState:
        """Return what the gateway says of a function.

        Raises:
            PlatformError: there is no such function, or the gateway does not answer as it should.
        """
        path = f"/system/function/{quote(name)}"
        answer = self._ask(path, namespace)
        if answer.status == 404:
            raise PlatformError(self._absent(name, namespace))
        data = _mapping(self._json(path, answer))
        try:
            replicas, available = (int(data.get(key) or 0) for key in ("replicas", "availableReplicas"))
        except (TypeError, ValueError):
            raise PlatformError(f"{self.url}{path} tells replicas that are no numbers: is this OpenFaaS?") from None
        return FunctionState(replicas, available, _deployment(data))

    def invoke(self, path: str, *, method: str, body: str, headers: Mapping[str, str], timeout_s: float) -> Answer:
        """Call a function, without the gateway's password.

        Raises:
            NoAnswerError: there was no whole answer in time.
        """
        return call(
            self.url + path, method=method, body=body, headers=headers, timeout_s=timeout_s, tls=self._tls, trust=_TRUST
        )

    def _absent(self, name: str, namespace: str | None) -> str:
        where = f" in namespace {namespace!r}" if namespace else ""
        try:
            there = self.function_names(namespace)
            what = f"deployed there: {', '.join(there) or 'none'}"
            if not there and namespace:
                what += f"; namespaces: {', '.join(self.namespaces())}"
        except PlatformError:  # a hint, not worth an error of its own
            what = "is gateway_url that of an OpenFaaS gateway?"
        return f"{self.url} has no function {name!r}{where}; deploy it, or correct its name or namespace; {what}"

    def _system(self, path: str, namespace: str | None = None) -> Any:
        return self._json(path, self._ask(path, namespace))

    def _ask(self, path: str, namespace: str | None = None) -> Answer:
        """Get an answer, be it a refusal; what may pass is asked for a second time."""
        url = f"{self.url}{path}" + (f"?namespace={namespace}" if namespace else "")
        headers = {"Authorization": self._credentials.header} if self._credentials and path != "/healthz" else {}
        first_timeout_s, last_timeout_s = _TIMEOUTS_S
        try:
            answer = call(url, headers=headers, timeout_s=first_timeout_s, tls=self._tls, trust=_TRUST)
            if answer.status < 500:
                return answer
        except NoAnswerError:
            pass
        time.sleep(_PAUSE_S)
        return call(url, headers=headers, timeout_s=last_timeout_s, tls=self._tls, trust=_TRUST)

    def _json(self, path: str, answer: Answer) -> Any:
        if not answer.ok:
            shown = self._credentials.hidden(str(answer)) if self._credentials else str(answer)
            raise PlatformError(f"{self.url}{path} answers {shown}: {self._remedy(answer)}")
        try:
            return json.loads(answer.text)
        except ValueError:
            raise PlatformError(f"{self.url}{path} answers no JSON: is gateway_url that of a gateway?") from None

    def _remedy(self, answer: Answer) -> str:
        if answer.status == 401:
            if self._credentials is None:
                return "set openfaas.password_file or openfaas.password_env to where the gateway's password is"
            given = self._credentials
            return f"correct openfaas.username ({given.username}) or the password in {given.source}"
        if answer.status in range(300, 400):
            return f"redirects are not followed; set gateway_url to where {answer.headers.get('location', 'it')!r} is"
        if answer.status == 429:
            return "a rate limit stands before the gateway; exempt this machine from it"
        if answer.status >= 500:
            return "its function provider (faas-netes, faasd) cannot be reached or fails; look at the provider's log"
        return "is gateway_url that of an OpenFaaS gateway, and the namespace right?"


def _deployment(data: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a function's capacity hangs on. Not its environment variables, which may hold secrets."""
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
