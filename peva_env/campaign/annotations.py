"""What a campaign does, as annotations in Grafana: its start, each configuration, overload, its end.

Annotations are a courtesy: they are handed to a thread and posted in the order in which they came, and no run ever
waits for one. What a Grafana that is down, slow or unwilling did not take is counted, and reported once at the end.

Format: Grafana's HTTP API, ``POST /api/annotations``; times are milliseconds since the epoch.
"""

import json
import logging
import os
import queue
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from peva_env.config import GrafanaConfig
from peva_env.contracts import EndStatus, ExecutionEvent, Verdict
from peva_env.errors import ConfigError
from peva_env.space import Config, config_text
from peva_env.system import NoAnswerError, call

LOGGER = logging.getLogger("peva_env.campaign.annotations")

_CAPACITY = 100
_POST_LIMIT_S = 5.0
_FAREWELL_S = 2.0
"""How long the end of a campaign waits for what is still on its way."""


class GrafanaAnnotations:
    """Annotates campaigns, one after the other; an observer of the runs in between.

    Args:
        config: where Grafana is.
        token: of a service account that may write annotations; without one, Grafana must take them from anybody.
    """

    def __init__(self, config: GrafanaConfig, token: SecretStr | None) -> None:
        self._config = config
        self._token = token
        self._mail: _Mail | None = None
        self._run_id = ""
        self._runs: list[ExecutionEvent] = []  # of the configuration that is running

    def begin(self, run_id: str, text: str) -> None:
        """Mark the start of a campaign."""
        self._mail = self._mail or _Mail(f"{self._config.url}/api/annotations", self._token)
        self._run_id = run_id
        self._runs.clear()
        self._post(text, "campaign", "start")

    def starting(self, config: Config, iteration: int) -> None:
        """Nothing: a configuration is annotated when it is known what became of it."""

    def measured(self, event: ExecutionEvent) -> None:
        """Take note of when the runs of a configuration were."""
        self._runs.append(event)

    def concluded(self, config: Config, verdict: Verdict, resolved: int) -> None:  # noqa: ARG002 - as observers are called
        """Mark the time that a configuration took, and whether it was too much."""
        agreeing = [event for event in self._runs if event.verdict is verdict]
        reasons = "; ".join(agreeing[-1].reasons) if agreeing else ""
        overload = "overload" if verdict is Verdict.OVERLOADED else "ok"
        times = (self._runs[0].started_at, self._runs[-1].ended_at) if self._runs else None
        self._post(
            f"{config_text(config)}: {verdict}{f' ({reasons})' if reasons else ''}",
            "configuration",
            overload,
            times=times,
        )
        self._runs.clear()

    def end(self, status: EndStatus, detail: str | None) -> None:
        """Mark the end of a campaign."""
        self._post(f"peva-env campaign {self._run_id}: {status}{f' ({detail})' if detail else ''}", "campaign", "end")

    def close(self) -> None:
        """Wait a moment for what is still on its way, and report what did not arrive; may be called twice."""
        mail, self._mail = self._mail, None
        if mail and (problem := mail.close()):
            LOGGER.warning("grafana: %s", problem)

    def _post(self, text: str, *tags: str, times: tuple[float, float] | None = None) -> None:
        if self._mail is None:
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
        self._mail.send(annotation)


def grafana_token(config: GrafanaConfig) -> SecretStr | None:
    """Return the token that a configuration points to, None where it points to none.

    Raises:
        ConfigError: it is not there, or cannot be a token.
    """
    if config.token_env:
        where, text = f"grafana.token_env = {config.token_env!r}", os.environ.get(config.token_env, "")
    elif config.token_file:
        where, text = f"grafana.token_file = {config.token_file!r}", _read(config.token_file)
    else:
        return None
    token = text.strip()
    if not token or not token.isascii() or not token.isprintable() or " " in token:
        raise ConfigError(f"{where}: must hold a token, one word of plain characters; it holds none")
    return SecretStr(token)


def _read(path: str) -> str:
    try:
        return Path(path).expanduser().read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise ConfigError(f"grafana.token_file = {path!r}: cannot be read: {error.strerror}") from error


class _Mail:
    """Posts annotations from a thread; what does not fit into its queue is lost."""

    def __init__(self, url: str, token: SecretStr | None) -> None:
        self._url = url
        self._headers = {"Content-Type": "application/json", "Accept": "application/json"}
        if token:
            self._headers["Authorization"] = f"Bearer {token.get_secret_value()}"
        self._waiting: queue.Queue[dict[str, Any] | None] = queue.Queue(_CAPACITY)
        self._ended = threading.Event()
        self._sent = 0
        self._arrived = 0
        self._problem = f"{url} was too slow"
        self._thread = threading.Thread(target=self._deliver, name="peva-grafana", daemon=True)
        self._thread.start()

    def send(self, annotation: dict[str, Any]) -> None:
        """Hand over an annotation; never waits."""
        self._sent += 1
        with suppress(queue.Full):  # which is not forgotten: it was sent and does not arrive
            self._waiting.put_nowait(annotation)

    def close(self) -> str | None:
        """End the thread, and return what to report of annotations that did not arrive."""
        deadline = time.monotonic() + _FAREWELL_S
        with suppress(queue.Full):  # then it ends by the event
            self._waiting.put(None, timeout=_FAREWELL_S)
        self._thread.join(max(0.0, deadline - time.monotonic()))
        self._ended.set()
        lost = self._sent - self._arrived
        if not lost:
            return None
        return f"{lost} of {self._sent} annotations did not arrive: {self._problem}"

    def _deliver(self) -> None:
        while (annotation := self._waiting.get()) is not None and not self._ended.is_set():
            try:
                answer = call(
                    self._url,
                    method="POST",
                    body=json.dumps(annotation),
                    headers=self._headers,
                    timeout_s=_POST_LIMIT_S,
                )
            except NoAnswerError as error:
                self._problem = str(error)
                continue
            if answer.ok:
                self._arrived += 1
            else:
                self._problem = f"{self._url} answered with status {answer.status}"  # its text may repeat the token
