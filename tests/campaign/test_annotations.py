"""Annotations in a stand-in Grafana: their content, and that no campaign waits for them."""

import logging
import re
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from peva_env.campaign.annotations import GrafanaAnnotations, grafana_token
from peva_env.config import GrafanaConfig, parse_config
from peva_env.contracts import EndStatus, EventKind, ExecutionEvent, Verdict
from peva_env.errors import ConfigError
from peva_env.memory import mark
from tests.support.builders import event
from tests.support.grafana import TOKEN, Grafana, serving


def patient(config: GrafanaConfig, token: SecretStr | None) -> GrafanaAnnotations:
    """Return annotations that wait long enough for a busy machine."""
    return GrafanaAnnotations(config, token, close_timeout_s=30.0)


def annotate(annotations: GrafanaAnnotations, n_configs: int = 1) -> None:
    """Let one campaign go by, of two runs a configuration, the last of which is overloaded."""
    annotations.begin("run-1", "begins")
    for i in range(n_configs):
        verdict = Verdict.OVERLOADED if i == n_configs - 1 else Verdict.OK
        reasons = ("node CPU 91.0 % > 80 %",) if verdict is Verdict.OVERLOADED else ()
        runs: list[ExecutionEvent] = [event([("f", i + 1)], k, verdict, reasons=reasons) for k in range(2)]
        for run in runs:
            annotations.starting(run.config_pairs, run.iteration)
            annotations.measured(run)
        annotations.concluded(runs[0].config_pairs, verdict, 1)
    annotations.end(EndStatus.COMPLETE, None)


def reported(annotations: GrafanaAnnotations, caplog: pytest.LogCaptureFixture) -> list[str]:
    """Close, twice, and return what was reported."""
    with caplog.at_level(logging.WARNING, "peva_env.campaign.annotations"):
        annotations.close()
        annotations.close()
    return [record.getMessage() for record in caplog.records]


def test_a_campaign_its_configurations_and_overload_are_annotated(caplog: pytest.LogCaptureFixture) -> None:
    before_ms = time.time() * 1000
    with serving(Grafana()) as grafana:
        annotations = patient(GrafanaConfig(url=f"{grafana.url}/"), SecretStr(TOKEN))
        annotate(annotations, n_configs=2)
        assert not reported(annotations, caplog)
    start, fine, overloaded, end = grafana.posts
    assert set(grafana.requests) == {("POST", "/api/annotations", f"Bearer {TOKEN}")}
    assert (start["text"], start["tags"]) == ("begins", ["peva-env", "campaign", "start", "run-1"])
    assert before_ms - 1 <= start["time"] <= time.time() * 1000 + 1
    assert fine == {
        "time": 1_000_000,
        "timeEnd": 1_003_000,
        "tags": ["peva-env", "configuration", "ok", "run-1"],
        "text": "f 1 rps: OK",
    }
    assert overloaded["tags"] == ["peva-env", "configuration", "overload", "run-1"]
    assert overloaded["text"] == "f 2 rps: OVERLOADED (node CPU 91.0 % > 80 %)"
    assert (end["text"], end["tags"][1:3]) == ("peva-env campaign run-1: complete", ["campaign", "end"])
    assert "timeEnd" not in end


def test_suspect_runs_are_annotated_and_a_canary_is_no_run_of_a_configuration() -> None:
    canary = replace(event(started_at=1.0), kind=EventKind.CANARY)
    with serving(Grafana()) as grafana:
        annotations = patient(GrafanaConfig(url=grafana.url), None)
        annotations.begin("run-1", "begins")
        annotations.measured(canary)
        annotations.measured(event())
        annotations.suspected([mark(event(), "the canary a 10 rps was OVERLOADED after this run", 2000.0)])
        annotations.concluded(event().config_pairs, Verdict.OK, 1)
        annotations.close()
    _, suspect, fine = grafana.posts
    assert suspect["text"] == "1 run(s) suspect: the canary a 10 rps was OVERLOADED after this run"
    assert suspect["tags"] == ["peva-env", "suspect", "run-1"]
    assert fine["time"] == 1_000_000


def test_runs_that_the_memory_has_in_the_future_are_annotated_where_they_were() -> None:
    before_s = time.time()
    ahead: ExecutionEvent = event(started_at=before_s + 86400 - 2, ended_at=before_s + 86400)
    with serving(Grafana()) as grafana:
        annotations = patient(GrafanaConfig(url=grafana.url), None)
        annotations.begin("run-1", "begins")
        annotations.measured(ahead)
        annotations.concluded(ahead.config_pairs, Verdict.OK, 1)
        annotations.close()
    run = grafana.posts[-1]
    assert before_s * 1000 - 1 <= run["timeEnd"] <= time.time() * 1000 + 1
    assert run["timeEnd"] - run["time"] == pytest.approx(2000, abs=1)


def test_one_dashboard_can_be_annotated_without_a_token() -> None:
    with serving(Grafana()) as grafana:
        annotations = patient(GrafanaConfig(url=grafana.url, dashboard_uid="abc"), None)
        annotate(annotations)
        annotations.close()
    assert {post["dashboardUID"] for post in grafana.posts} == {"abc"}
    assert {authorization for _, _, authorization in grafana.requests} == {""}


def test_a_grafana_that_hangs_holds_nobody_up(caplog: pytest.LogCaptureFixture) -> None:
    gate = threading.Event()  # opened when the campaign has long gone by
    with serving(Grafana(gate=gate)) as grafana:
        annotations = GrafanaAnnotations(GrafanaConfig(url=grafana.url), SecretStr(TOKEN), close_timeout_s=0.1)
        annotate(annotations, n_configs=150)
        assert not grafana.posts
        (line,) = reported(annotations, caplog)
    assert line == f"grafana: 152 of 152 annotations did not arrive: {grafana.url}/api/annotations was too slow"
    assert len(grafana.posts) <= 1


@pytest.mark.parametrize(("status", "said"), [(401, "status 401"), (500, "status 500"), (302, "status 302")])
def test_a_grafana_that_refuses_is_reported_once_and_told_the_token_alone(
    status: int, said: str, caplog: pytest.LogCaptureFixture
) -> None:
    with serving(Grafana(status)) as grafana:
        annotations = patient(GrafanaConfig(url=grafana.url), SecretStr(TOKEN))
        annotate(annotations)
        (line,) = reported(annotations, caplog)
    assert "3 of 3 annotations" in line
    assert said in line
    assert TOKEN not in line
    assert {method for method, _, _ in grafana.requests} == {"POST"}  # a redirection would be followed by a GET


def test_a_grafana_that_is_not_there_is_reported_once(caplog: pytest.LogCaptureFixture) -> None:
    with serving(Grafana()) as grafana:
        pass
    annotations = patient(GrafanaConfig(url=grafana.url), None)
    annotate(annotations)
    (line,) = reported(annotations, caplog)
    assert "refuses connections" in line


def test_the_next_campaign_is_annotated_too() -> None:
    with serving(Grafana()) as grafana:
        annotations = patient(GrafanaConfig(url=grafana.url), None)
        for _ in range(2):
            annotate(annotations)
            annotations.close()
        annotations.end(EndStatus.FAILED, "no campaign is open")
    assert len(grafana.posts) == 6


def test_a_token_comes_from_the_environment_or_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRAFANA_TOKEN", TOKEN)
    (tmp_path / "token").write_text(f"{TOKEN}\n")
    for source in ({"token_env": "GRAFANA_TOKEN"}, {"token_file": str(tmp_path / "token")}):
        token = grafana_token(GrafanaConfig(url="http://127.0.0.1", **source))
        assert token is not None
        assert token.get_secret_value() == TOKEN
        assert TOKEN not in repr(token)
    assert grafana_token(GrafanaConfig(url="http://127.0.0.1")) is None


@pytest.mark.parametrize("text", ["", " \n", "two words", "line\nbreak", "täken"])
def test_what_cannot_be_a_token_is_refused_without_being_shown(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRAFANA_TOKEN", text)
    with pytest.raises(ConfigError) as caught:
        grafana_token(GrafanaConfig(url="http://127.0.0.1", token_env="GRAFANA_TOKEN"))  # noqa: S106 - a name
    assert re.match(r"grafana\.token_env = 'GRAFANA_TOKEN': .*must hold .*token", str(caught.value))
    assert not text.strip() or text.strip() not in str(caught.value)


def test_a_token_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="none': cannot be read: No such file"):
        grafana_token(GrafanaConfig(url="http://127.0.0.1", token_file=str(tmp_path / "none")))


@pytest.mark.parametrize(
    ("section", "said"),
    [
        ({}, "grafana.url: is required"),
        ({"url": "127.0.0.1:3000"}, "must be an http:// or https:// address"),
        ({"url": "http://127.0.0.1:99999"}, "its port is not a number up to 65535"),
        ({"url": "http://127.0.0.1/a b"}, "must be an http:// or https:// address"),
        ({"url": "http://me@127.0.0.1"}, "must hold no user name or password"),
        ({"url": "http://127.0.0.1", "token_env": "A", "token_file": "b"}, "token_env or token_file, not both"),
        ({"url": "http://127.0.0.1", "token": "x"}, "grafana.token: unknown key; did you mean 'token_env'?"),
    ],
)
def test_a_section_that_cannot_be_used_is_refused(section: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_config({"grafana": section})
    assert said in str(caught.value)
