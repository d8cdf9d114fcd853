"""A client of Prometheus' HTTP API, with timeouts and retries; every error is one line that says what to do."""

import http
import math
import time
from collections.abc import Iterator
from typing import Any, NamedTuple
from urllib.parse import urlencode

from peva_env.errors import MetricsError
from peva_env.system import HttpClient, NoResponseError, Response, Retry, json_value

_MAX_BODY_BYTES = 32 * 2**20
_MAX_QUOTED_CHARS = 200
_FIRST_PAUSE_S = 0.1
_LONGEST_PAUSE_S = 1.0


class Series(NamedTuple):
    """One series of a query's result: its labels, and its (seconds since the epoch, value) pairs, oldest first."""

    labels: dict[str, str]
    points: list[tuple[float, float]]


class Prometheus:
    """Sends queries to one Prometheus over a connection that is kept, without proxies.

    A query is retried if there is no response, or a status of 5xx or 429. All tries of a *round* of queries together
    take at most ``round_timeout_s`` plus the time of one try. Any other error status, an unknown host name and an
    untrusted certificate raise a ``MetricsError`` at once.
    """

    def __init__(self, url: str, *, round_timeout_s: float = 10.0, try_timeout_s: float = 3.0) -> None:
        """Store the address; nothing is sent."""
        self.url = url.rstrip("/")
        self._http = HttpClient(self.url, max_body_bytes=_MAX_BODY_BYTES, keep_alive=True)
        self._round_timeout_s = round_timeout_s
        self._try_timeout_s = try_timeout_s
        self._deadline = time.monotonic() + round_timeout_s

    def begin_round(self) -> None:
        """Begin a new round: restart the timeout for the following queries."""
        self._deadline = time.monotonic() + self._round_timeout_s

    def query(self, text: str, *, name: str, at: float | None = None) -> list[Series]:
        """Evaluate a query at one moment.

        Args:
            text: PromQL.
            name: name of the query, for errors.
            at: time of evaluation in seconds since the epoch; default: the present time of Prometheus.

        Raises:
            MetricsError: Prometheus cannot be reached, or refuses the query.
        """
        return self._ask("query", {"query": text} | ({} if at is None else {"time": f"{at:.3f}"}), name)

    def query_range(self, text: str, *, name: str, start_at: float, end_at: float, step_s: float) -> list[Series]:
        """Evaluate a query at ``start_at`` and every ``step_s`` seconds until ``end_at``; otherwise like ``query``."""
        window = {"start": f"{start_at:.3f}", "end": f"{end_at:.3f}", "step": f"{step_s:.3f}"}
        return self._ask("query_range", {"query": text} | window, name)

    def error(self, name: str, problem: str) -> MetricsError:
        """Return an error that names this Prometheus and the query."""
        return MetricsError(f"Prometheus at {self.url}: {name}: {' '.join(problem.split())}")

    def close(self) -> None:
        """Close the connection; another query opens a new one."""
        self._http.close()

    def _ask(self, endpoint: str, parameters: dict[str, str], name: str) -> list[Series]:
        response = self._get(f"/api/v1/{endpoint}?{urlencode(parameters)}")
        try:
            answer = json_value(response.text)
            if response.status == http.HTTPStatus.OK and answer["status"] == "success":
                return _series(answer["data"])
            refusal = f"refused with status {response.status}: {answer['error']}"
        except (ValueError, KeyError, TypeError, IndexError) as error:
            raise self.error(name, _not_prometheus(response)) from error
        raise self.error(name, f"{refusal}; correct the query, in the file of queries_path if there is one")

    def _get(self, path: str) -> Response:
        began_at = time.monotonic()
        try:
            response = self._http.request(
                path,
                headers={"Accept": "application/json"},
                timeout_s=self._try_timeout_s,
                retries=self._retries(),
            )
        except NoResponseError as error:
            if error.is_permanent:
                raise MetricsError(f"Prometheus at {self.url} {error.reason}; is prometheus_url right?") from error
            raise self._unreachable(error.reason, error.n_tries, began_at, is_temporary=error.is_temporary) from error
        if response.is_transient:
            problem = f"answered with status {response.status}: {response.text[:_MAX_QUOTED_CHARS]}"
            raise self._unreachable(problem, response.n_tries, began_at, is_temporary=response.is_busy)
        return response

    def _retries(self) -> Iterator[Retry]:
        """Yield retries, with ever longer pauses, until the deadline of the round."""
        pause_s = _FIRST_PAUSE_S
        while self._deadline - time.monotonic() > pause_s:
            yield Retry(pause_s, self._try_timeout_s)
            pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)

    def _unreachable(self, problem: str, n_tries: int, began_at: float, *, is_temporary: bool) -> MetricsError:
        """Return an error that names no query: no query would have got an answer."""
        tries = f"after {n_tries} {'try' if n_tries == 1 else 'tries'} in {time.monotonic() - began_at:.1f} s"
        text = f"{problem} ({tries}; is it running, and is prometheus_url right?)"
        return MetricsError(f"Prometheus at {self.url} {' '.join(text.split())}", is_temporary=is_temporary)


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


def _not_prometheus(response: Response) -> str:
    if response.status in (http.HTTPStatus.UNAUTHORIZED, http.HTTPStatus.FORBIDDEN):
        remedy = "allow this machine to read without a login"
        return f"status {response.status}: it asks for a login, which is not supported; {remedy}"
    start = response.text[:_MAX_QUOTED_CHARS]
    return f"status {response.status} and no answer of Prometheus' API: {start!r:.80}; is prometheus_url right?"
