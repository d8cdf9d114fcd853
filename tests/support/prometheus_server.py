"""A real Prometheus on loopback, what it scrapes, and servers that only pretend to be one."""

import contextlib
import http.server
import json
import os
import secrets
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import psutil
import pytest
import yaml

from peva_env.platforms.prometheus import Prometheus

_BINARIES = ("prometheus", "prometheus-node-exporter")
_READY_S = 30.0
_TRIES = 3
_HISTORY_S = 9.0
_OWN_PORTS = range(20_000, 32_768)

Page = Callable[[float], str]
"""What a made-up target answers, seconds after its start. One that raises ``LookupError`` cannot be scraped then."""


@dataclass(frozen=True)
class Target:
    """A made-up target: its job, its ``instance``, what it answers and how often it is asked."""

    instance: str
    page: Page
    job: str = "made-up"
    interval_s: float = 1.0


@dataclass(frozen=True)
class Server:
    """A running Prometheus: address, process, the real node exporter's ``instance``, and when made-up time began."""

    url: str
    pid: int
    node: str
    began_at: float


@contextlib.contextmanager
def real_prometheus(
    folder: Path, targets: list[Target], *options: str, history_s: float = _HISTORY_S
) -> Iterator[Server]:
    """Start Prometheus, the node exporter and made-up targets, until there is history; end all of them."""
    for binary in _BINARIES:
        if shutil.which(binary) is None:
            pytest.skip(f"{binary} is not installed (apt-get install {' '.join(_BINARIES)})")
    with contextlib.ExitStack() as running:
        began_at = time.time()
        exporter = running.enter_context(_exporter(targets, began_at))
        jobs = [_made_up_job(i, target, exporter) for i, target in enumerate(targets)]
        prometheus, port, node = running.enter_context(_on_free_ports(folder, jobs, options))
        url = f"http://127.0.0.1:{port}"
        _await_history(url, prometheus, folder, history_s)
        yield Server(url, prometheus.pid, node, began_at)


@contextlib.contextmanager
def _on_free_ports(
    folder: Path, jobs: list[dict[str, Any]], options: Sequence[str]
) -> Iterator[tuple[subprocess.Popen[bytes], int, str]]:
    """Start the node exporter and Prometheus, again on other ports if somebody was quicker to take one."""
    collectors = [f"--collector.{name}" for name in ("disable-defaults", "cpu", "meminfo", "loadavg", "netdev")]
    for _ in range(_TRIES):
        with contextlib.ExitStack() as running:
            node_port, port = free_ports(2)
            node = f"127.0.0.1:{node_port}"
            config = {"global": {"scrape_interval": "1s"}, "scrape_configs": [_real_job(node), *jobs]}
            (folder / "prometheus.yml").write_text(yaml.safe_dump(config))
            command = ["prometheus-node-exporter", f"--web.listen-address={node}", *collectors]
            exporter = running.enter_context(_process(command, folder))
            command = ["prometheus", f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/data"]
            command += [f"--web.listen-address=127.0.0.1:{port}", "--log.level=warn", *options]
            prometheus = running.enter_context(_process(command, folder))
            if _listens(exporter, node_port) and _listens(prometheus, port):
                yield prometheus, port, node
                return
    pytest.fail("".join(log.read_text() for log in folder.glob("*.log")))


def _listens(process: subprocess.Popen[bytes], port: int) -> bool:
    """Wait until a process listens on a port: False if it ends or does not within some time."""
    deadline = time.monotonic() + _READY_S
    while process.poll() is None and time.monotonic() < deadline:
        with contextlib.suppress(psutil.NoSuchProcess):
            connections = psutil.Process(process.pid).net_connections("inet")
            if any(one.status == psutil.CONN_LISTEN and one.laddr.port == port for one in connections):
                return True
        time.sleep(0.05)
    return False


LEGACY_QUERIES = """
queries:
  - name: cpu_usage_node
    query: '100 * sum(1 - rate(node_cpu_seconds_total{mode="idle"}[{time_span}]))'
    range: true
    step: "10s"
  - name: ram_usage_node
    query: >-
      avg(avg_over_time(node_memory_MemTotal_bytes[{time_span}])
      - avg_over_time(node_memory_MemAvailable_bytes[{time_span}]))
    range: true
    step: "10s"
  - name: ram_usage_node_pct
    query: >-
      100 * avg(1 - avg_over_time(node_memory_MemAvailable_bytes[{time_span}])
      / avg_over_time(node_memory_MemTotal_bytes[{time_span}]))
    range: true
    step: "10s"
  - name: power_usage_node
    query: 'avg_over_time(scaph_host_power_microwatts[{time_span}])'
    enabled_if: scaphandre
  - name: cpu_usage_function
    query: >-
      100 * sum(rate(container_cpu_usage_seconds_total{id=~"^/kubepods.*",
      container_label_io_kubernetes_container_name="{function_name}"}[{time_span}]))
"""
"""A file of queries as PEVA-FAAS has it: no word of a machine, and CPU in percent of one core."""


def _real_job(node: str) -> dict[str, Any]:
    return {"job_name": "node", "static_configs": [{"targets": [node]}]}


def _made_up_job(i: int, target: Target, exporter: str) -> dict[str, Any]:
    static = {"targets": [exporter], "labels": {"instance": target.instance, "job": target.job}}
    return {
        "job_name": f"{target.job}-{i}",
        "metrics_path": f"/{i}",
        "scrape_interval": f"{target.interval_s:g}s",
        "scrape_timeout": f"{target.interval_s:g}s",
        "static_configs": [static],
    }


def _await_history(url: str, process: subprocess.Popen[bytes], folder: Path, history_s: float) -> None:
    """Wait until the real node has been scraped for some seconds, once a second."""
    client = Prometheus(url, round_timeout_s=_READY_S)
    try:
        deadline = time.monotonic() + _READY_S
        text = f"count_over_time(up{{job='node'}}[1m]) >= {history_s}"
        while not client.query(text, name="history"):
            assert process.poll() is None, (folder / "prometheus.log").read_text()
            assert time.monotonic() < deadline, "Prometheus has not scraped the node exporter"
            time.sleep(0.2)
    finally:
        client.close()


def free_port() -> int:
    """Return a port of 127.0.0.1 that nothing uses, see ``free_ports``."""
    return free_ports(1)[0]


def free_ports(n: int) -> list[int]:
    """Return different ports of 127.0.0.1 that nothing uses.

    They are below those that an operating system gives to whoever asks for any port, so that no other test gets one of
    them before it is used here.
    """
    ports: list[int] = []
    for port in secrets.SystemRandom().sample(_OWN_PORTS, len(_OWN_PORTS)):
        with contextlib.suppress(OSError), socket.socket() as probe:
            probe.bind(("127.0.0.1", port))
            ports.append(port)
        if len(ports) == n:
            return ports
    raise AssertionError(f"no {n} ports are free")


@contextlib.contextmanager
def _process(command: list[str], folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    with (folder / f"{command[0]}.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, cwd=folder, env={"PATH": os.environ["PATH"]})
        try:
            yield process
        finally:
            process.terminate()
            try:
                process.wait(60)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


Answer = Callable[[str, Mapping[str, str]], tuple[int, bytes]]
"""Path and query parameters in, status and body out."""


@contextlib.contextmanager
def serving(answer: Answer) -> Iterator[str]:
    """Answer HTTP on loopback; gives ``host:port``."""

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            status, body = answer(parts.path, {key: value[0] for key, value in parse_qs(parts.query).items()})
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            with contextlib.suppress(OSError):  # whoever asked may have lost patience
                self.wfile.write(body)

        def log_message(self, *args: Any) -> None:
            """Say nothing."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        server.block_on_close = False
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield f"127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def _exporter(targets: list[Target], began_at: float) -> contextlib.AbstractContextManager[str]:
    def answer(path: str, parameters: Mapping[str, str]) -> tuple[int, bytes]:
        try:
            return 200, targets[int(path[1:])].page(time.time() - began_at).encode()
        except LookupError:
            return 500, b"not now"

    return serving(answer)


def scalar(value: float) -> tuple[int, bytes]:
    """Return Prometheus' answer to a query such as ``time()``."""
    return 200, json.dumps({"status": "success", "data": {"resultType": "scalar", "result": [0, str(value)]}}).encode()
