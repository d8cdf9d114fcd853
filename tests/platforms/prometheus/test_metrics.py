"""A real Prometheus tells what a real and several made-up machines used, and what it does not know."""

import functools
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import psutil
import pytest

from peva_env.campaign.factories import make_metrics
from peva_env.config import parse_config
from peva_env.errors import MetricsError
from peva_env.platforms.base import Metrics, NodeUsage
from peva_env.platforms.processes import UsageSampler, group_members
from peva_env.platforms.prometheus.client import Prometheus
from peva_env.platforms.prometheus.metrics import PrometheusMetrics
from peva_env.platforms.prometheus.queries_file import load_queries
from peva_env.platforms.prometheus.scrapes import last_scrape
from tests.support.processes import wait_until
from tests.support.prometheus_server import LEGACY_QUERIES, Page, Server, Target, real_prometheus

pytestmark = pytest.mark.prometheus

BUSY = "while True: pass"


def machine(cores: int, busy: float, *, available: float = 400.0) -> Page:
    """Return a node exporter's page of a machine of 1,000 bytes whose cores are busy for a share of the time.

    Samples have the time at which they were made, so that the means are exact.
    """

    def page(now: float) -> str:
        at_ms = round(time.time() * 1000)
        values = {"node_memory_MemTotal_bytes": 1000.0, "node_memory_MemAvailable_bytes": available}
        for cpu in range(cores):
            for mode, share in (("idle", 1 - busy), ("user", busy)):
                values[f'node_cpu_seconds_total{{cpu="{cpu}",mode="{mode}"}}'] = share * at_ms / 1000
        return "".join(f"{name} {value} {at_ms}\n" for name, value in values.items())

    return page


def out_of_order(now: float) -> str:
    """Answer but from the fourth to the eighth second."""
    if 4 < now < 8:
        raise LookupError
    return machine(2, 0.5)(now)


def cadvisor(now: float) -> str:
    """Return what cAdvisor says of functions; like the real one it gives its samples a time of their own."""
    ours, legacy = 'namespace="openfaas-fn",', 'id="/kubepods/x",container_label_io_kubernetes_container_name='
    containers = {
        f'{ours}container="figlet",pod="figlet-7d4f-abcde"': 0.3,
        f'{ours}container="figlet",pod="figlet-7d4f-fghij"': 0.5,
        f'{ours}container="figlet-plus",pod="figlet-plus-7d4f-abcde"': 0.7,
        f'{ours}container="",pod="figlet-7d4f-abcde"': 0.3,
        'namespace="elsewhere",container="figlet",pod="figlet-7d4f-abcde"': 1.3,
        'id="/openfaas-fn/on-faasd"': 0.2,
        f'{legacy}"older"': 0.6,
    }
    at_ms = round(time.time() * 1000)
    return "".join(
        f"container_cpu_usage_seconds_total{{{labels}}} {cores * at_ms / 1000:.4f} {at_ms}\n"
        f"container_memory_working_set_bytes{{{labels}}} {100 * cores} {at_ms}\n"
        for labels, cores in containers.items()
    )


def steps_back(now: float) -> str:
    """Return a machine whose time stolen by the hypervisor decreases by 0.01 s now and then."""
    at_ms = round(time.time() * 1000)
    steal = 5000 - 0.01 * int(now / 2)
    return f'{machine(2, 0.5)(now)}node_cpu_seconds_total{{cpu="1",mode="steal"}} {steal} {at_ms}\n'


def pair(now: float) -> str:
    """Return what two servers of a pair store of a function, and series without the labels of a function."""
    at_ms = round(time.time() * 1000)
    labels = 'namespace="openfaas-fn",container="paired",pod="paired-1",prometheus_replica='
    return "".join(f'container_memory_working_set_bytes{{{labels}"{one}"}} 100 {at_ms}\n' for one in "ab")


def scaphandre(now: float) -> str:
    processes = {41: ("python figlet.py", 1000), 42: ("python figlet.py", 2000), 43: ("python other.py", 4000)}
    return "scaph_host_power_microwatts 50000000\n" + "".join(
        f'scaph_process_power_consumption_microwatts{{pid="{pid}",cmdline="{command}"}} {power_uw}\n'
        for pid, (command, power_uw) in processes.items()
    )


TARGETS = [
    Target("second:9100", machine(4, 0.75)),
    Target("nan:9100", machine(2, 0.5, available=float("nan"))),
    Target("no-memory:9100", lambda now: machine(2, 0.5)(now).partition("\n")[2].partition("\n")[2]),
    Target("gap:9100", out_of_order),
    Target("twice:9100", machine(2, 0.5), job="a"),
    Target("twice:9100", machine(2, 0.5), job="b"),
    Target("slow:9100", machine(2, 0.5), interval_s=3.0),
    Target("steps-back:9100", steps_back),
    Target("pair:8080", pair),
    Target("cadvisor:8080", cadvisor),
    Target("scaphandre:8080", scaphandre),
]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with real_prometheus(tmp_path_factory.mktemp("prometheus"), TARGETS) as server:
        yield server


MakeMetrics = Callable[..., PrometheusMetrics]


@pytest.fixture
def make(server: Server, tmp_path: Path) -> Iterator[MakeMetrics]:
    """Return a maker of metrics of the second machine, from a configuration; all are closed."""
    made: list[PrometheusMetrics] = []

    def make(*functions: str, queries: str | None = None, **keys: Any) -> PrometheusMetrics:
        if queries is not None:
            (tmp_path / "queries.yml").write_text(queries)
            keys["queries_path"] = str(tmp_path / "queries.yml")
        keys = {"prometheus_url": server.url, "prometheus_instance": "second:9100"} | keys
        metrics = make_metrics(
            parse_config({"functions": [{"name": name} for name in functions or ("figlet",)]} | keys)
        )
        made.append(metrics)
        return metrics

    yield make
    for metrics in made:
        metrics.close()


def recent(metrics: Metrics, seconds: float = 6.0) -> NodeUsage:
    """Return the use over some seconds that have been scraped already."""
    end_at = time.time() - 1.5
    return metrics.usage(end_at - seconds, end_at)


def refusal(metrics: PrometheusMetrics, duration_s: float = 6.0) -> str:
    with pytest.raises(MetricsError) as caught:
        metrics.check(duration_s)
    message = str(caught.value)
    assert "\n" not in message
    assert message.startswith("Prometheus at http://127.0.0.1:")
    return message


def test_a_busy_core_is_measured_as_percent_of_capacity(make: MakeMetrics, server: Server) -> None:
    metrics = make(prometheus_instance=server.node)
    metrics.check(5.0)
    with subprocess.Popen([sys.executable, "-c", BUSY]) as burner:
        try:
            seen: list[tuple[float, float]] = []
            began_at = time.time()
            while time.time() < began_at + 5:
                seen.append((time.time(), idle_s()))
                time.sleep(0.05)
            usage = metrics.usage(began_at, time.time())
        finally:
            burner.kill()
    cpu_count = psutil.cpu_count() or 1
    # From the first to the last scrape in these seconds, whichever they were.
    possible_pct = [
        100 - 100 * (idle_b - idle_a) / ((b - a) * cpu_count) for a, idle_a in seen for b, idle_b in seen if b - a > 2.5
    ]
    assert usage.node.cpu_pct is not None, usage.missing
    assert min(possible_pct) - 6 < usage.node.cpu_pct < max(possible_pct) + 6
    assert 80 / cpu_count < usage.node.cpu_pct <= 100
    assert usage.node.ram_pct == pytest.approx(psutil.virtual_memory().percent, abs=20)


def idle_s() -> float:
    """Seconds that all cores together have had nothing to do."""
    times = psutil.cpu_times()
    return float(times.idle + getattr(times, "iowait", 0.0))


def test_a_window_ends_with_a_scrape_that_covers_it(make: MakeMetrics, server: Server) -> None:
    metrics = make()
    end_at = time.time() + 0.5
    assert metrics.usage(end_at - 4, end_at).node.cpu_pct is not None
    selectors = ['node_cpu_seconds_total{instance="second:9100"}']
    client = Prometheus(server.url)
    assert (last_scrape(client, selectors, name="test") or 0) >= end_at
    client.close()


def test_one_machine_of_several_is_measured_by_its_instance(make: MakeMetrics) -> None:
    metrics = make()
    metrics.check(6.0)
    node = recent(metrics).node
    assert node.cpu_pct == pytest.approx(75, abs=0.1)
    assert node.ram_pct == pytest.approx(60)
    assert (node.ram_bytes, node.power_uw) == (600, None)


def test_a_node_never_uses_more_than_it_has(make: MakeMetrics) -> None:
    # 75 % of what is there, told as 100.5 %
    metrics = make(queries=LEGACY_QUERIES.replace("100 * sum(1 -", "134 * sum(1 -"))
    assert recent(metrics).node.cpu_pct == 100.0


def test_what_no_node_can_use_is_missing(make: MakeMetrics) -> None:
    usage = recent(make(queries=LEGACY_QUERIES.replace("100 * sum(1 -", "500 * sum(1 -")))
    assert usage.node.cpu_pct is None
    assert "cpu_usage_node: gave 375 % of the capacity, which is impossible" in usage.missing


def test_a_counter_that_steps_back_makes_the_value_missing(make: MakeMetrics) -> None:
    usage = recent(make(prometheus_instance="steps-back:9100"))
    assert usage.node.cpu_pct is None
    (line,) = (line for line in usage.missing if line.startswith("cpu_usage_node"))
    assert "the counter node_cpu_seconds_total of cpu='1'" in line
    assert "mode='steal' stepped back in the window of " in line


def test_series_that_a_pair_stores_twice_are_refused_naming_the_label(make: MakeMetrics) -> None:
    said = refusal(make("paired"))
    assert "ram_usage_function: each series is there 2 times, with prometheus_replica 'a' and 'b'" in said


def test_the_labels_that_no_series_has_are_named(make: MakeMetrics) -> None:
    queries = LEGACY_QUERIES.replace("container_label_io_kubernetes_container_name", "pod_name")
    (line,) = (line for line in recent(make(queries=queries)).missing if "_usage_function of figlet" in line)
    assert line.endswith("; no series of container_cpu_usage_seconds_total has the label pod_name")


def test_several_machines_are_never_added_up(make: MakeMetrics, server: Server) -> None:
    said = refusal(make(prometheus_instance=None))
    assert "set prometheus_instance to the node's: " in said
    assert "second:9100" in said
    assert server.node in said
    said = refusal(make(prometheus_instance="third:9100"))
    assert "there is no instance 'third:9100'; set prometheus_instance to one of" in said
    assert "second:9100" in said


def test_the_only_machine_there_is_need_not_be_named(make: MakeMetrics, server: Server) -> None:
    only = '  - {name: cores_node, query: \'count by (instance) (node_cpu_seconds_total{job="node",mode="idle"})\'}'
    metrics = make(queries=LEGACY_QUERIES + only, prometheus_instance=None)
    metrics.check(6.0)
    assert recent(metrics).node.ram_pct == pytest.approx(psutil.virtual_memory().percent, abs=20)


def test_a_machine_that_two_jobs_scrape_is_refused(make: MakeMetrics) -> None:
    assert "twice:9100 is scraped by several jobs" in refusal(make(prometheus_instance="twice:9100"))


def test_the_queries_of_peva_faas_give_percent_of_capacity_of_one_machine(make: MakeMetrics) -> None:
    metrics = make("older", queries=LEGACY_QUERIES)
    metrics.check(6.0)
    usage = recent(metrics)
    assert usage.node.cpu_pct == pytest.approx(75, abs=0.1)
    assert usage.node.ram_pct == pytest.approx(60)
    assert usage.functions["older"].cpu_pct == pytest.approx(60 / 4, abs=0.1)
    assert usage.missing == ()


def test_all_series_of_a_function_are_added_up_and_no_others(make: MakeMetrics) -> None:
    usage = recent(make("figlet", "figlet-plus", "on-faasd"))
    for name, cores in (("figlet", 0.8), ("figlet-plus", 0.7), ("on-faasd", 0.2)):
        function = usage.functions[name]
        assert function.cpu_pct == pytest.approx(100 * cores / 4, abs=0.1)
        assert function.ram_bytes == round(100 * cores)
        assert function.ram_pct == pytest.approx(10 * cores)
    assert usage.missing == ()


def test_a_query_of_ones_own_finds_the_pods_of_one_function(make: MakeMetrics) -> None:
    by_pod = """
  - name: ram_usage_function
    query: >-
      container_memory_working_set_bytes{container!="",namespace="{namespace}",
      pod=~"{function_name}-[a-z0-9]+-[a-z0-9]{5}"}
"""
    usage = recent(make("figlet", "figle", queries=LEGACY_QUERIES + by_pod))
    assert usage.functions["figlet"].ram_bytes == 80
    assert usage.functions["figle"].ram_bytes is None


def test_a_function_with_a_namespace_is_looked_for_there(make: MakeMetrics) -> None:
    usage = recent(make("figlet", "figlet.elsewhere"))
    assert [function.ram_bytes for function in usage.functions.values()] == [80, 130]


def test_a_function_without_data_is_missing_and_not_zero(make: MakeMetrics) -> None:
    usage = recent(make("absent"))
    assert (usage.functions["absent"].cpu_pct, usage.functions["absent"].ram_bytes) == (None, None)
    assert sorted(usage.missing) == [
        "cpu_usage_function of absent: no data in the window of 6.0 s",
        "ram_usage_function of absent: no data in the window of 6.0 s",
    ]
    assert usage.node.cpu_pct is not None


def test_the_check_tells_which_functions_have_no_data(make: MakeMetrics) -> None:
    assert make("figlet").check(6.0) == ()
    assert make("figlet", "absent").check(6.0) == ("ram_usage_function of absent", "cpu_usage_function of absent")


@pytest.mark.parametrize(
    ("instance", "line"),
    [("nan:9100", "ram_usage_node_pct: gave NaN"), ("no-memory:9100", "ram_usage_node_pct: no data")],
)
def test_ram_that_is_not_told_is_missing(make: MakeMetrics, instance: str, line: str) -> None:
    metrics = make(prometheus_instance=instance)
    usage = recent(metrics)
    assert usage.node.ram_pct is None
    assert [missing for missing in usage.missing if missing.startswith(line)]
    assert usage.node.cpu_pct == pytest.approx(50, abs=0.1)
    assert f"{instance}: cannot be measured" in (said := refusal(metrics))
    assert line in said


def test_a_gap_in_the_samples_is_told(make: MakeMetrics, server: Server) -> None:
    usage = make(prometheus_instance="gap:9100").usage(server.began_at + 2, server.began_at + 10)
    assert (usage.node.cpu_pct, usage.node.ram_pct) == (None, None)
    lines = [line for line in usage.missing if line.startswith("cpu_usage_node: ")]
    assert len(lines) == 1


def test_a_window_with_less_than_two_scrapes_measures_nothing(make: MakeMetrics) -> None:
    now = time.time()
    usage = make().usage(now - 2.4, now - 2)
    assert usage.node.cpu_pct is None
    assert [line for line in usage.missing if line.startswith("cpu_usage_node: ")]


def test_a_node_that_is_scraped_too_seldom_is_refused_at_the_start(make: MakeMetrics) -> None:
    metrics = make(prometheus_instance="slow:9100")
    said = refusal(metrics, duration_s=5.0)
    assert re.search(r"slow:9100 is scraped every [23]\.\d s", said)
    assert "a run is 4.0 s" in said
    assert "set scrape_interval to 2.0s or less" in said
    assert metrics.min_window_s == pytest.approx(7.5, abs=1)


def test_power_is_asked_for_with_scaphandre_only(make: MakeMetrics) -> None:
    of_figlet = {"figlet": "python figlet.*", "by-id": "4[13]"}
    usage = recent(make("figlet", "by-id", "figlet-plus", function_pid_regexes=of_figlet, scaphandre_enabled=True))
    assert usage.node.power_uw == 50_000_000
    assert {name: function.power_uw for name, function in usage.functions.items()} == {
        "figlet": 3000,
        "by-id": 5000,
        "figlet-plus": None,
    }
    usage = recent(make("figlet", "by-id", function_pid_regexes=of_figlet))
    assert (usage.node.power_uw, usage.functions["figlet"].power_uw) == (None, None)


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ("{name: ram_usage_node, query: 'sum(node_memory_MemTotal_bytes[{time_span}]'}", "parse error"),
        ("{name: ram_usage_function, query: 'x{pod=~\"{function_name}(\"}'}", "missing closing )"),
    ],
)
def test_a_query_that_prometheus_refuses_stops_the_start(make: MakeMetrics, entry: str, said: str) -> None:
    queries = LEGACY_QUERIES.replace("name: ram_usage_node\n", "name: unused\n")
    with pytest.warns(UserWarning, match="not used: unused"):
        metrics = make(queries=f"{queries}  - {entry}\n")
    message = refusal(metrics)
    assert "ram_usage_" in message
    assert "refused with status 400" in message
    assert said in message


def test_a_node_query_that_gives_several_series_is_told(make: MakeMetrics) -> None:
    several = "  - {name: ram_total_node, query: 'node_memory_MemTotal_bytes{instance=~\"second.*|twice.*\"}'}"
    usage = recent(make(queries=LEGACY_QUERIES + several))
    assert any(line.startswith("ram_total_node: gave 3 series (second:9100, twice") for line in usage.missing)


def test_a_query_without_a_time_span_is_averaged_over_the_window(make: MakeMetrics) -> None:
    plain = """
  - name: ram_usage_function
    query: 'container_memory_working_set_bytes{container="{function_name}",namespace="{namespace}"}'
    step: 2s
"""
    assert recent(make("figlet", queries=LEGACY_QUERIES + plain)).functions["figlet"].ram_bytes == 80


class TestMetricsContract:
    """What holds for every collector."""

    @pytest.fixture(params=["prometheus", "psutil"])
    def metrics(self, request: pytest.FixtureRequest, make: MakeMetrics) -> Iterator[Metrics]:
        if request.param == "prometheus":
            yield make()
            return
        with subprocess.Popen([sys.executable, "-c", BUSY], start_new_session=True) as process:
            sampler = UsageSampler(functools.partial(group_members, {"figlet": process}), 0.05)
            time.sleep(0.2)
            yield sampler
            sampler.close()
            process.kill()

    def test_it_measures_a_window(self, metrics: Metrics) -> None:
        assert isinstance(metrics, Metrics)
        end_at = time.time() + 0.5
        usage = metrics.usage(end_at - 4.5, end_at)
        assert time.time() >= end_at
        assert usage.node.cpu_pct is not None
        assert usage.node.ram_bytes is not None
        assert 0 < usage.node.cpu_pct <= 101
        assert usage.node.ram_bytes > 0
        assert usage.missing == ()
        assert usage.functions["figlet"].cpu_pct is not None

    def test_what_it_cannot_measure_is_none_and_told(self, metrics: Metrics) -> None:
        now = time.time()
        usage = metrics.usage(now - 400, now - 399)
        assert usage.node.cpu_pct is None
        assert usage.functions["figlet"].cpu_pct is None
        assert usage.missing

    def test_it_may_be_closed_twice(self, metrics: Metrics) -> None:
        metrics.close()
        metrics.close()


def test_our_own_queries_are_all_known_to_prometheus(make: MakeMetrics) -> None:
    metrics = make("figlet", function_pid_regexes={"figlet": ".*"}, scaphandre_enabled=True)
    metrics.check(6.0)
    assert {"cpu_usage_node", "power_usage_function"} <= load_queries(None).keys()


def test_a_prometheus_that_stands_still_for_a_while_is_waited_for(make: MakeMetrics, server: Server) -> None:
    metrics = make()
    metrics.check(6.0)
    os.kill(server.pid, signal.SIGSTOP)
    try:
        assert wait_until(lambda: psutil.Process(server.pid).status() == psutil.STATUS_STOPPED)
        impatient = Prometheus(server.url, round_timeout_s=0.3, try_timeout_s=0.3)
        with closing(impatient), pytest.raises(MetricsError, match=r"did not answer within 0\.3 s"):
            impatient.query("up", name="cpu_usage_node")
        continues = threading.Timer(1.0, os.kill, (server.pid, signal.SIGCONT))
        continues.start()
        assert recent(metrics).node.cpu_pct == pytest.approx(75, abs=0.1)
        continues.join()
    finally:
        os.kill(server.pid, signal.SIGCONT)
