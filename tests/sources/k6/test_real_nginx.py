"""What the real k6 makes of a real nginx over HTTP/2: ends of connections that nobody is to blame for."""

import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from peva_env.contracts import FunctionMeasurement
from peva_env.sources.k6 import K6, FunctionLoad
from peva_env.sources.k6.settings import K6Settings
from tests.support.gateway import throw_away_ca
from tests.support.nginx import real_nginx
from tests.support.prometheus_server import free_port

pytestmark = pytest.mark.live

N_REQUESTS = 20
"""After so many requests on a connection, nginx sends GOAWAY on it."""


class Nginx:
    """A server of HTTP/2 with a certificate by a CA of its own."""

    def __init__(self, process: subprocess.Popen[bytes], port: int, ca: Path, log: Path) -> None:
        self.process, self.port, self.ca, self.log = process, port, ca, log

    def measure(self, method: str) -> FunctionMeasurement:
        load = FunctionLoad("f", 100, f"https://127.0.0.1:{self.port}/", method=method, body="x" * (method == "POST"))
        return K6(timeout_s=1, settings=K6Settings(ca_file=self.ca)).run([load], duration_s=2).functions[0]

    def protocols(self) -> set[str]:
        return set(self.log.read_text().split())


@pytest.fixture
def nginx(tmp_path: Path) -> Iterator[Nginx]:
    ca, (certificate, key) = throw_away_ca(tmp_path)
    port, log = free_port(), tmp_path / "protocols.log"
    server = f"""
        log_format protocol "$server_protocol";
        server {{
            listen 127.0.0.1:{port} ssl http2;
            ssl_certificate {certificate}; ssl_certificate_key {key};
            keepalive_requests {N_REQUESTS};
            access_log {log} protocol;
            location / {{ return 200 "ok"; }}
        }}
    """
    with real_nginx(tmp_path, server, port) as process:
        yield Nginx(process, port, ca, log)


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_connection_that_the_server_ends_in_order_fails_no_request(nginx: Nginx, method: str) -> None:
    function = nginx.measure(method)
    assert nginx.protocols() == {"HTTP/2.0"}
    assert (function.failed, function.dropped) == ({}, 0)
    assert function.offered > 5 * N_REQUESTS


def test_a_server_that_is_reloaded_during_a_run_fails_no_request(nginx: Nginx) -> None:
    def reload() -> None:
        for _ in range(3):
            time.sleep(0.5)
            nginx.process.send_signal(signal.SIGHUP)

    reloading = threading.Thread(target=reload)
    reloading.start()
    function = nginx.measure("GET")
    reloading.join()
    assert (function.failed, function.dropped) == ({}, 0)
