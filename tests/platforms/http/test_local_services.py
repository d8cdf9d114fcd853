"""Services on this machine: their processes are found by their ports, and what they use is measured."""

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from peva_env.config import FunctionConfig
from peva_env.platforms.http import HttpNode
from peva_env.platforms.http.local_services import LocalServices
from peva_env.platforms.http.service import HttpService
from tests.support.processes import busy, wait_until
from tests.support.prometheus_server import free_port

pytestmark = pytest.mark.skipif(
    not Path("/proc/self/schedstat").exists(), reason="this kernel does not say how long threads wait"
)

_WORKS = """
import http.server, sys, time
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        ends_at_s = time.thread_time() + 0.3
        while time.thread_time() < ends_at_s: pass
        self.send_response(200); self.end_headers()
http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"""


@pytest.fixture
def port() -> Iterator[int]:
    """Serve in a process of its own, which uses 0.3 s of CPU for a request."""
    port = free_port()
    with subprocess.Popen([sys.executable, "-c", _WORKS, str(port)], stderr=subprocess.DEVNULL) as server:
        try:
            assert wait_until(lambda: service(port).unreachable() is None)
            yield port
        finally:
            server.kill()


def service(port: int, name: str = "app", host: str = "127.0.0.1") -> HttpService:
    return HttpService(FunctionConfig(name=name, url=f"http://{host}:{port}/{name}"), tls=None, timeout_s=30)


def measuring(*services: HttpService) -> LocalServices:
    local = LocalServices.among(services)
    assert local is not None
    return local


def test_the_cpu_and_the_waits_of_a_service_are_those_of_its_process(port: int) -> None:
    services = measuring(service(port))
    began = time.time()
    with busy(4 * (psutil.cpu_count() or 1)):
        service(port).preflight()
    used = services.usage(began, time.time())
    services.close()

    app = used.functions["app"]
    assert app.cpu_pct is not None
    assert app.cpu_pct > 0
    assert app.waiting_pct is not None
    assert app.waiting_pct > 5
    assert used.machine is not None
    assert used.machine.functions_cpu_pct == app.cpu_pct < used.machine.cpu_pct
    assert used.node.cpu_pct is None


def test_services_at_one_port_have_no_cpu_of_their_own(port: int) -> None:
    services = measuring(service(port, "one"), service(port, "other", "localhost"))
    began = time.time()
    used = services.usage(began, began + 0.5)
    services.close()
    assert {name: function.cpu_pct for name, function in used.functions.items()} == {"one": None, "other": None}
    assert all(function.waiting_pct is not None for function in used.functions.values())


def test_a_service_elsewhere_or_without_a_process_is_not_measured() -> None:
    services = measuring(service(80, host="192.0.2.1"), service(free_port(), "gone"))
    began = time.time()
    used = services.usage(began, began + 0.5)
    services.close()
    assert list(used.functions) == ["gone"]
    assert used.functions["gone"].waiting_pct is None


def test_a_node_of_services_elsewhere_is_not_measured_here(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("peva_env.platforms.http.local_services._is_here", lambda _hostname: False)
    assert LocalServices.among([service(port)]) is None
    with HttpNode([service(port)], duration_s=1) as node:
        began = time.time()
        used = node.usage(began, began + 0.1)
    assert (used.functions, used.machine) == ({}, None)
