"""The real k6 and where it sends its samples: files, OpenTelemetry, its HTML report, its log."""

import csv
import gzip
import json
import logging
import threading
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import gymnasium
import pytest

from peva_env.errors import LoadGeneratorError
from peva_env.sources.k6 import K6, FunctionLoad
from peva_env.sources.k6.settings import K6Settings
from tests.support.grafana import TOKEN, Grafana, serving
from tests.support.http_server import Server
from tests.support.prometheus_server import free_port

pytestmark = pytest.mark.live


class Collector(ThreadingHTTPServer):
    """Takes OpenTelemetry metrics as they come by HTTP."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Collecting)
        self.received: list[tuple[str, str, bytes]] = []  # path, content type, body

    def __enter__(self) -> "Collector":
        self._thread = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.02})
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self._thread.join()
        self.server_close()


class _Collecting(BaseHTTPRequestHandler):
    server: Collector

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        body = gzip.decompress(body) if self.headers.get("Content-Encoding") == "gzip" else body
        self.server.received.append((self.path, self.headers["Content-Type"], body))
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *arguments: Any) -> None:
        """Nothing."""


def points(path: Path, metric: str) -> list[dict[str, Any]]:
    """Return the samples of a metric in k6's JSON output."""
    lines = map(json.loads, path.read_text().splitlines())
    return [line["data"] for line in lines if line["type"] == "Point" and line["metric"] == metric]


def test_every_run_has_its_own_files_in_which_samples_carry_run_and_function(server: Server, tmp_path: Path) -> None:
    settings = K6Settings(
        outputs=["json", f"csv={tmp_path}/a=b/samples.csv.gz"], tags={"node": "a,b=c"}, folder=tmp_path / "k6"
    )
    k6 = K6(timeout_s=1, max_vus=2, settings=settings)
    loads = [FunctionLoad("quick", 20, server.url("/delay/0")), FunctionLoad("stuck", 10, server.url("/hang"))]
    runs = [k6.run(loads, duration_s=1, tags={"config_id": "abc", "iteration": str(i)}) for i in range(2)]
    assert sorted(path.name for path in (tmp_path / "k6").iterdir()) == ["abc-0.json", "abc-1.json"]
    for i, run in enumerate(runs):
        path = tmp_path / "k6" / f"abc-{i}.json"
        sent = Counter(point["tags"]["function"] for point in points(path, "http_reqs"))
        assert sent == {function.name: function.sent for function in run.functions}
        scenarios = Counter(point["tags"]["scenario"] for point in points(path, "iterations"))
        assert scenarios["pulse"] == 1
        # Of iterations that it could not start, k6 says the scenario but none of the scenario's own tags.
        dropped = [point for point in points(path, "dropped_iterations") if point["tags"]["scenario"] == "f1"]
        assert sum(round(point["value"]) for point in dropped) == run.functions[1].dropped > 0
        tags = points(path, "http_reqs")[0]["tags"]
        scenario = {"quick": "f0", "stuck": "f1"}[tags["function"]]
        assert tags == tags | {"node": "a,b=c", "config_id": "abc", "iteration": str(i), "scenario": scenario}
        with gzip.open(tmp_path / "a=b" / f"samples-abc-{i}.csv.gz", "rt", newline="") as file:
            rows = [row for row in csv.DictReader(file) if row["metric_name"] == "http_reqs"]
        assert len(rows) == sum(sent.values())
        assert all(f"iteration={i}" in row["extra_tags"] for row in rows)


def test_opentelemetry_is_sent_to_the_collector_that_k6_env_names(server: Server) -> None:
    with Collector() as collector:
        settings = K6Settings(
            outputs=["experimental-opentelemetry"],
            env={
                "K6_OTEL_EXPORTER_TYPE": "http",
                "K6_OTEL_HTTP_EXPORTER_INSECURE": "true",
                "K6_OTEL_HTTP_EXPORTER_ENDPOINT": f"127.0.0.1:{collector.server_port}",
                "K6_OTEL_METRIC_PREFIX": "peva_k6_",
            },
        )
        K6(timeout_s=1, settings=settings).run([FunctionLoad("figlet", 10, server.url("/delay/0"))], duration_s=1)
    path, content_type, body = collector.received[-1]
    assert (path, content_type) == ("/v1/metrics", "application/x-protobuf")
    assert all(word in body for word in (b"peva_k6_http_req_duration", b"function", b"figlet"))


def test_an_output_that_nobody_takes_does_not_spoil_the_run(server: Server) -> None:
    settings = K6Settings(
        outputs=["experimental-prometheus-rw"],
        env={"K6_PROMETHEUS_RW_SERVER_URL": f"http://127.0.0.1:{free_port()}/api/v1/write"},
    )
    result = K6(timeout_s=1, settings=settings).run([FunctionLoad("f", 10, server.url("/delay/0"))], duration_s=1)
    assert result.functions[0].success_rate == 1


def test_a_cloud_that_cannot_be_reached_fails_the_run_in_words_of_k6(server: Server) -> None:
    secrets = {"K6_CLOUD_TOKEN": TOKEN, "K6_CLOUD_HOST": f"http://127.0.0.1:{free_port()}"}
    k6 = K6(timeout_s=1, settings=K6Settings(outputs=["cloud"], secrets=secrets))
    with pytest.raises(LoadGeneratorError, match="connection refused") as caught:
        k6.run([FunctionLoad("f", 10, server.url("/delay/0"))], duration_s=1)
    assert "<K6_CLOUD_HOST>/v1/tests" in str(caught.value)


def test_the_report_of_a_short_run_is_written(server: Server, tmp_path: Path) -> None:
    settings = K6Settings(dashboard=True, folder=tmp_path / "k6")
    k6 = K6(timeout_s=1, settings=settings)
    k6.run([FunctionLoad("f", 10, server.url("/delay/0"))], duration_s=2, tags={"config_id": "abc", "iteration": "0"})
    assert "<html" in (tmp_path / "k6" / "abc-0.html").read_text()


def test_failing_requests_are_shown_once(caplog: pytest.LogCaptureFixture) -> None:
    load = FunctionLoad("gone", 10, f"http://127.0.0.1:{free_port()}/")
    with caplog.at_level(logging.WARNING, "peva_env.k6"):
        K6(timeout_s=1, settings=K6Settings(log=True)).run([load], duration_s=1)
    said = [record.getMessage() for record in caplog.records]
    (complaint,) = [line for line in said if line.startswith("k6: Request Failed: Get ")]
    assert complaint.endswith("connection refused")
    assert said[-1].endswith("more lines like these in this run")


def test_options_reach_the_requests(server: Server) -> None:
    settings = K6Settings(options={"userAgent": "peva", "hosts": {"node.invalid": "127.0.0.1"}})
    server.requests.clear()
    url = server.url("/echo").replace("127.0.0.1", "node.invalid")
    result = K6(timeout_s=1, settings=settings).run([FunctionLoad("f", 5, url)], duration_s=1)
    assert result.functions[0].success_rate == 1
    assert b"User-Agent: peva\r\n" in server.requests[0][0]


def test_a_campaign_with_all_of_it_leaves_no_secret_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRAFANA_TOKEN", TOKEN)
    monkeypatch.setenv("K6_CLOUD_TOKEN", TOKEN)
    with serving(Grafana()) as grafana:
        config = {
            "functions": [{"name": "fetch"}],
            "rate_strategy": {"type": "custom", "rates": [20, 300]},
            "duration": "1s",
            "timeout": "1s",
            "iterations": 1,
            "cooldown": {"max_wait_seconds": 30, "sleep_step_seconds": 0.2},
            "output_dir": str(tmp_path / "out"),
            "run_id": "mine",
            "k6_outputs": ["json"],
            "k6_env_from": ["K6_CLOUD_TOKEN"],
            "k6_dashboard": True,
            "grafana": {"url": grafana.url, "token_env": "GRAFANA_TOKEN"},
        }
        env = gymnasium.make("peva_env:peva/FaasLive-v1", config=config)
        env.reset(seed=0)
        for action in range(2):
            env.step(action)
        env.close()
    start, *configurations, end = (post["tags"][1:3] for post in grafana.posts)
    assert (start, end) == (["campaign", "start"], ["campaign", "end"])
    assert ["configuration", "overload"] in configurations
    assert {kind for kind, _ in configurations} == {"configuration"}
    assert {authorization for _, _, authorization in grafana.requests} == {f"Bearer {TOKEN}"}
    files = list((tmp_path / "out" / "k6").iterdir())
    runs = {path.stem for path in files}
    assert {path.name for path in files} == {f"{run}{suffix}" for run in runs for suffix in (".html", ".json")}
    assert {run.partition("-")[0] for run in runs} == {"mine"}
    assert all(TOKEN.encode() not in path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
