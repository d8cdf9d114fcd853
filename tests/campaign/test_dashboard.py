"""Every panel of the dashboard shows something: of a real k6 and a real node exporter, in a real Prometheus."""

import json
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from peva_env.sources.k6 import K6, FunctionLoad
from peva_env.sources.k6.settings import K6Settings
from tests.support.http_server import Server
from tests.support.prometheus_server import real_prometheus

pytestmark = [pytest.mark.live, pytest.mark.prometheus]

DASHBOARD = json.loads((Path(__file__).parents[2] / "docs" / "grafana" / "peva-env.json").read_text(encoding="utf-8"))
PANELS = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]
TARGETS = [(panel["title"], target["expr"]) for panel in PANELS for target in panel["targets"]]
DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))
PATIENCE_S = 60.0
TAGS = {"run_id": "mine", "config_id": "abc", "iteration": "0"}


@dataclass(frozen=True)
class Prometheus:
    """A running Prometheus: its address, the node exporter's instance, and the seconds in which k6 wrote to it."""

    url: str
    node: str
    window: tuple[float, float] = (0.0, 0.0)

    def ask(self, path: str, **parameters: Any) -> Any:
        address = f"{self.url}/api/v1/{path}?{urllib.parse.urlencode(parameters)}"
        try:
            with DIRECT.open(address, timeout=PATIENCE_S) as answer:
                return json.load(answer)["data"]
        except urllib.error.HTTPError as error:
            with error:
                pytest.fail(f"{address}: {error.read().decode()}")

    def series(self, expression: str) -> list[Any]:
        """Return the series of an expression that have a value within the window."""
        start, end = self.window
        result = self.ask("query_range", query=expression, start=start, end=end, step=1)["result"]
        return [one for one in result if any(value != "NaN" for _, value in one["values"])]


@pytest.fixture(scope="module")
def prometheus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    folder = tmp_path_factory.mktemp("prometheus")
    with real_prometheus(folder, [], "--web.enable-remote-write-receiver", history_s=2) as running:
        server = Prometheus(running.url, running.node)
        began_at = time.time()
        load(f"{server.url}/api/v1/write")
        ended_at = time.time()
        wait_until(lambda: bool(server.ask("query", query=f"up == 1 and timestamp(up) > {ended_at}")["result"]), folder)
        yield Prometheus(server.url, server.node, (began_at, ended_at))


def wait_until(condition: Callable[[], bool], folder: Path) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        said = "".join(path.read_text() for path in folder.glob("*.log"))
        assert time.monotonic() < deadline, f"Prometheus did not get that far:\n{said}"
        time.sleep(0.1)


def load(remote_write_url: str) -> None:
    """Run k6 on a function that answers, one that fails, and one that is too slow for its virtual users."""
    server = Server()
    try:
        settings = K6Settings(
            outputs=["experimental-prometheus-rw"],
            env={"K6_PROMETHEUS_RW_SERVER_URL": remote_write_url, "K6_PROMETHEUS_RW_PUSH_INTERVAL": "1s"},
        )
        loads = [
            FunctionLoad("fine", 20, server.url("/delay/0")),
            FunctionLoad("failing", 10, server.url("/status/500")),
            FunctionLoad("slow", 20, server.url("/delay/0.5")),
        ]
        result = K6(timeout_s=1, max_vus=12, settings=settings).run(loads, duration_s=3, tags=TAGS)
        assert result.functions[2].dropped > 0
    finally:
        server.close()


def filled_in(expression: str, node: str) -> str:
    """Return an expression with Grafana's variables replaced by what a user could choose."""
    chosen = {"$run_id": "mine", "$function": "fine|failing|slow", "$instance": node, "$__rate_interval": "10s"}
    for name, value in chosen.items():
        expression = expression.replace(name, value)
    assert "$" not in expression
    return expression


@pytest.mark.parametrize(("title", "expression"), TARGETS, ids=[f"{title}-{i}" for i, (title, _) in enumerate(TARGETS)])
def test_a_panel_shows_a_series(title: str, expression: str, prometheus: Prometheus) -> None:
    assert prometheus.series(filled_in(expression, prometheus.node)), f"{title}: nothing to show"


@pytest.mark.parametrize(
    ("title", "functions"),
    [("Requests sent", {"fine", "failing", "slow"}), ("Failed requests", {"failing"}), ("Dropped requests", {"slow"})],
)
def test_a_panel_tells_functions_apart(title: str, functions: set[str], prometheus: Prometheus) -> None:
    (expression,) = [expression for found, expression in TARGETS if found == title]
    series = prometheus.series(filled_in(expression, prometheus.node))
    assert {one["metric"]["function"] for one in series} >= functions


def test_every_series_says_of_which_run_it_is(prometheus: Prometheus) -> None:
    series = prometheus.ask("series", **{"match[]": '{__name__=~"k6_.*"}'})
    assert len(series) > 20
    assert all(one.items() >= TAGS.items() for one in series)


def test_the_variables_of_the_dashboard_have_values(prometheus: Prometheus) -> None:
    asked = [one["query"]["query"] for one in DASHBOARD["templating"]["list"] if one["type"] == "query"]
    assert len(asked) == 3
    for query in asked:
        metric, label = query.removeprefix("label_values(").removesuffix(")").split(", ")
        values = prometheus.ask(f"label/{label}/values", **{"match[]": metric})
        assert set(values) & {"mine", "fine", prometheus.node}, query


def test_the_dashboard_asks_for_the_annotations_that_are_made() -> None:
    tags = [one["target"]["tags"] for one in DASHBOARD["annotations"]["list"]]
    assert tags == [
        ["peva-env", "campaign"],
        ["peva-env", "configuration", "ok"],
        ["peva-env", "configuration", "overload"],
    ]
