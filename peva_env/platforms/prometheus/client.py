"""A client of Prometheus' HTTP API: bounded in time, and every failure one line that says what to do."""

import http.client
import json
import math
import socket
import ssl
import time
from typing import Any, NamedTuple
from urllib.parse import urlencode, urlsplit

from peva_env.errors import MetricsError
from peva_env.system import TRUST, why_no_answer

_MAX_ANSWER_BYTES = 32 * 2**20
_MAX_QUOTED_CHARS = 200
_FIRST_PAUSE_S = 0.1
_LONGEST_PAUSE_S = 1.0


class Series(NamedTuple):
    """One series of an answer: its labels, and its (seconds since the epoch, value) pairs, oldest first."""

    labels: dict[str, str]
    points: list[tuple[float, float]]


class Prometheus:
    """Asks one Prometheus over a connection that is kept, without proxies.

    No answer, an answer of 5xx and one of 429 are tried again; all the tries of a *round* of queries together take at
    most ``patience_s`` and the time of one try. Every other error answer ends at once in a ``MetricsError``, as does
    a host name that does not exist or a certificate that is not trusted.
    """

    def __init__(self, url: str, *, patience_s: float = 10.0, try_timeout_s: float = 3.0) -> None:
        """Remember where to ask; nothing is sent."""
        self.url = url.rstrip("/")
        self._parts = urlsplit(self.url)
        self._patience_s = patience_s
        self._try_timeout_s = try_timeout_s
        self._deadline = time.monotonic() + patience_s
        self._connection: http.client.HTTPConnection | None = None

    def begin_round(self) -> None:
        """Give the queries from here on the whole patience again."""
        self._deadline = time.monotonic() + self._patience_s

    def query(self, text: str, *, name: str, at: float | None = None) -> list[Series]:
        """Evaluate a query at one moment (seconds since the epoch), at Prometheus' own present without one.

        Args:
            text: PromQL.
            name: what the query is called in an error.
            at: when.

        Raises:
            MetricsError: Prometheus is not reached, or refuses the query.
        """
        return self._ask("query", {"query": text} | ({} if at is None else {"time": f"{at:.3f}"}), name)

    def query_range(self, text: str, *, name: str, start_at: float, end_at: float, step_s: float) -> list[Series]:
        """Evaluate a query at ``start_at`` and every ``step_s`` seconds from there to ``end_at``; else as ``query``."""
        window = {"start": f"{start_at:.3f}", "end": f"{end_at:.3f}", "step": f"{step_s:.3f}"}
        return self._ask("query_range", {"query": text} | window, name)

    def error(self, name: str, what: str) -> MetricsError:
        """Return an error that names this Prometheus and the query."""
        return MetricsError(f"Prometheus at {self.url}: {name}: {' '.join(what.split())}")

    def close(self) -> None:
        """Close the connection; another query opens a new one."""
        if self._connection is not None:
            self._connection.close()
        self._connection = None

    def _ask(self, endpoint: str, parameters: dict[str, str], name: str) -> list[Series]:
        path = f"{self._parts.path}/api/v1/{endpoint}?{urlencode(parameters)}"
        status, body = self._get_with_retries(path)
        try:
            answer = json.loads(body)
            if status == http.HTTPStatus.OK and answer["status"] == "success":
                return _series(answer["data"])
            refusal = f"refused with status {status}: {answer['error']}"
        except (ValueError, KeyError, TypeError, IndexError) as error:
            raise self.error(name, _not_prometheus(status, body)) from error
        raise self.error(name, f"{refusal}; mend the query, in the file of queries_path if there is one")

    def _get_with_retries(self, path: str) -> tuple[int, bytes]:
        pause_s, n_tries, began_at = _FIRST_PAUSE_S, 0, time.monotonic()
        while True:
            n_tries += 1
            try:
                status, body = self._get(path)
                if status < http.HTTPStatus.INTERNAL_SERVER_ERROR and status != http.HTTPStatus.TOO_MANY_REQUESTS:
                    return status, body
                problem = f"answered with status {status}: {body[:_MAX_QUOTED_CHARS].decode(errors='replace')}"
            except (OSError, http.client.HTTPException, UnicodeError) as error:  # the last: no name of a host
                self.close()
                problem = why_no_answer(error, self._try_timeout_s, trust=TRUST)
                if _stays(error):
                    raise self._unreachable(f"{problem}; is prometheus_url right?") from error
            left_s = self._deadline - time.monotonic()
            if left_s <= pause_s:
                tried = f"after {n_tries} tries in {time.monotonic() - began_at:.1f} s"
                raise self._unreachable(f"{problem} ({tried}; is it running, and is prometheus_url right?)")
            time.sleep(pause_s)
            pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)

    def _unreachable(self, what: str) -> MetricsError:
        """Return an error that names no query: whichever it was, it got no answer."""
        return MetricsError(f"Prometheus at {self.url} {' '.join(what.split())}")

    def _get(self, path: str) -> tuple[int, bytes]:
        ends_at = time.monotonic() + self._try_timeout_s
        if self._connection is None:
            kind = http.client.HTTPSConnection if self._parts.scheme == "https" else http.client.HTTPConnection
            self._connection = kind(self._parts.hostname or "", self._parts.port, timeout=self._try_timeout_s)
        self._connection.request("GET", path, headers={"Accept": "application/json"})
        with self._connection.getresponse() as response:
            body = bytearray()
            while chunk := response.read1(2**16):
                body += chunk
                # The socket's own timeout begins anew with every byte.
                if time.monotonic() > ends_at or len(body) > _MAX_ANSWER_BYTES:
                    raise OSError(f"{len(body)} bytes in {self._try_timeout_s:.0f} s, and no end")
            return response.status, bytes(body)


def _stays(error: Exception) -> bool:
    """Whether another try would fail in the same way; a name server that does not answer now may do so later."""
    if isinstance(error, socket.gaierror):
        return error.errno != socket.EAI_AGAIN
    return isinstance(error, ssl.SSLCertVerificationError | UnicodeError)


def _series(data: dict[str, Any]) -> list[Series]:
    """Read a vector, a matrix or a scalar; values come as text, ``NaN`` and ``+Inf`` among them."""
    if data["resultType"] == "scalar":
        return [Series({}, [_point(data["result"])])]
    return [
        Series(item["metric"], [_point(pair) for pair in item.get("values") or [item["value"]]])
        for item in data["result"]
    ]


def _point(pair: list[Any]) -> tuple[float, float]:
    at, value = float(pair[0]), float(pair[1])
    return at, value if math.isfinite(value) else math.nan


def _not_prometheus(status: int, body: bytes) -> str:
    if status in (http.HTTPStatus.UNAUTHORIZED, http.HTTPStatus.FORBIDDEN):
        return f"status {status}: it asks for a login, which is not supported; allow this machine to read without one"
    start = body[:_MAX_QUOTED_CHARS].decode(errors="replace")
    return f"status {status} and no answer of Prometheus' API: {start!r:.80}; is prometheus_url right?"
