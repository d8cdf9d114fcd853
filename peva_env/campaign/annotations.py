"""Annotations in Grafana: the start of a campaign, each configuration with its verdict, and the end.

A thread posts the annotations in order, and no run ever waits for it. An annotation is lost if Grafana is down, slow or
refuses it. The number of lost annotations is logged once, at the end.

Format: Grafana's HTTP API, ``POST /api/annotations``; times are milliseconds since the epoch.
"""

import json
import logging
import queue
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from pydantic import SecretStr

from peva_env.config import GrafanaConfig, read_secret
from peva_env.contracts import EndStatus, EventKind, ExecutionEvent, Verdict
from peva_env.errors import ConfigError
from peva_env.space import Config, config_text
from peva_env.system import HttpClient, NoResponseError

LOGGER = logging.getLogger("peva_env.campaign.annotations")

_PATH = "/api/annotations"
_QUEUE_SIZE = 100
_POST_TIMEOUT_S = 5.0
_CLOSE_TIMEOUT_S = 2.0


class GrafanaAnnotations:
    """Annotates campaigns, one after the other; it is an observer of each campaign's runs.

    Args:
        config: the address of Grafana, and the dashboard to annotate.
        token: the token of a service account that may write annotations; None if Grafana accepts them without a token.
        close_timeout_s: timeout of ``close``, in seconds, for annotations that are not posted yet.
    """

    def __init__(
        self, config: GrafanaConfig, token: SecretStr | None, *, close_timeout_s: float = _CLOSE_TIMEOUT_S
    ) -> None:
        self._config = config
        self._token = token
        self._close_timeout_s = close_timeout_s
        self._poster: _Poster | None = None
        self._run_id = ""
        self._runs: list[ExecutionEvent] = []  # the runs of the current configuration

    def begin(self, run_id: str, text: str) -> None:
        """Mark the start of a campaign."""
        self._poster = self._poster or _Poster(self._config.url, self._token)
        self._run_id = run_id
        self._runs.clear()
        self._post(text, "campaign", "start")

    def starting(self, config: Config, iteration: int) -> None:
        """Do nothing: a configuration is annotated when its verdict is known."""

    def measured(self, event: ExecutionEvent) -> None:
        """Keep a run of the current configuration, for its times and reasons; a canary is none."""
        if event.kind is not EventKind.CANARY:
            self._runs.append(event)

    def suspected(self, marks: Sequence[ExecutionEvent]) -> None:
        """Mark the time at which runs became suspect."""
        self._post(f"{len(marks)} run(s) {marks[0].reasons[0]}", "suspect")

    def concluded(self, config: Config, verdict: Verdict, resolved: int) -> None:  # noqa: ARG002 - as observers are called
        """Mark the time of a configuration's runs, with its verdict."""
        agreeing = [event for event in self._runs if event.verdict is verdict]
        reasons = "; ".join(agreeing[-1].reasons) if agreeing else ""
        overload = "overload" if verdict is Verdict.OVERLOADED else "ok"
        self._post(
            f"{config_text(config)}: {verdict}{f' ({reasons})' if reasons else ''}",
            "configuration",
            overload,
            times=self._times(),
        )
        self._runs.clear()

    def end(self, status: EndStatus, detail: str | None) -> None:
        """Mark the end of a campaign."""
        self._post(f"peva-env campaign {self._run_id}: {status}{f' ({detail})' if detail else ''}", "campaign", "end")

    def close(self) -> None:
        """Wait up to ``close_timeout_s`` for pending annotations, and log how many were lost; may be called twice."""
        poster, self._poster = self._poster, None
        if poster and (problem := poster.close(self._close_timeout_s)):
            LOGGER.warning("grafana: %s", problem)

    def _times(self) -> tuple[float, float] | None:
        """Return when the runs of the current configuration began and ended, by the clock that Grafana's metrics have.

        The memory's clock may be ahead of it, but no run has ended in the future.
        """
        if not self._runs:
            return None
        started_at, ended_at = self._runs[0].started_at, self._runs[-1].ended_at
        ahead_s = max(0.0, ended_at - time.time())
        return started_at - ahead_s, ended_at - ahead_s

    def _post(self, text: str, *tags: str, times: tuple[float, float] | None = None) -> None:
        if self._poster is None:
            return
        started_at, ended_at = times or (time.time(), None)
        annotation: dict[str, Any] = {
            "time": round(started_at * 1000),
            "tags": ["peva-env", *tags, self._run_id],
            "text": text,
        }
        if ended_at is not None:
            annotation["timeEnd"] = round(ended_at * 1000)
        if self._config.dashboard_uid:
            annotation["dashboardUID"] = self._config.dashboard_uid
        self._poster.send(annotation)


def grafana_token(config: GrafanaConfig) -> SecretStr | None:
    """Return the token from the file or environment variable that the configuration names; None if it names neither.

    Raises:
        ConfigError: the file or the variable does not exist, or holds no token.
    """
    token = read_secret(
        "grafana.token", file=config.token_file, variable=config.token_env, purpose="a service account's token"
    )
    if token is None:
        return None
    text = token.value.get_secret_value()
    if not text.isascii() or not text.isprintable() or " " in text:
        raise ConfigError(f"{token.source}: must hold a token: printable ASCII characters without blanks")
    return token.value


class _Poster:
    """Posts annotations from a thread; annotations that do not fit into its queue are lost."""

    def __init__(self, url: str, token: SecretStr | None) -> None:
        self._http = HttpClient(url)
        self._headers = {"Content-Type": "application/json", "Accept": "application/json"}
        if token:
            self._headers["Authorization"] = f"Bearer {token.get_secret_value()}"
        self._waiting: queue.Queue[dict[str, Any] | None] = queue.Queue(_QUEUE_SIZE)
        self._ended = threading.Event()
        self._sent = 0
        self._arrived = 0
        self._problem = f"{url}{_PATH} was too slow"
        self._thread = threading.Thread(target=self._deliver, name="peva-grafana", daemon=True)
        self._thread.start()

    def send(self, annotation: dict[str, Any]) -> None:
        """Put an annotation into the queue; never waits."""
        self._sent += 1
        with suppress(queue.Full):  # counted as sent but not as arrived, and so as lost
            self._waiting.put_nowait(annotation)

    def close(self, timeout_s: float) -> str | None:
        """End the thread, and return how many annotations were lost and why; None if all arrived."""
        deadline = time.monotonic() + timeout_s
        with suppress(queue.Full):  # then the event ends the thread
            self._waiting.put(None, timeout=timeout_s)
        self._thread.join(max(0.0, deadline - time.monotonic()))
        self._ended.set()
        lost = self._sent - self._arrived
        if not lost:
            return None
        return f"{lost} of {self._sent} annotations did not arrive: {self._problem}"

    def _deliver(self) -> None:
        while (annotation := self._waiting.get()) is not None and not self._ended.is_set():
            try:
                response = self._http.request(
                    _PATH,
                    method="POST",
                    body=json.dumps(annotation),
                    headers=self._headers,
                    timeout_s=_POST_TIMEOUT_S,
                )
            except NoResponseError as error:
                self._problem = str(error)
                continue
            if response.ok:
                self._arrived += 1
            else:  # without the body, which may repeat the token
                self._problem = f"{self._http.base_url}{_PATH} answered with status {response.status}"
