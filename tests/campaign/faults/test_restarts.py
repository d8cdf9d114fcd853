"""Something on the way to the functions is restarted during a run: that is not overload."""

import http.server
import threading
import time
from collections.abc import Callable

import pytest

pytest.importorskip("functions_framework")

from peva_env.config import FunctionConfig
from peva_env.contracts import ExecutionEvent, Verdict
from peva_env.platforms.local import LocalNode
from peva_env.sources.k6 import K6
from tests.support.k6 import running_k6
from tests.support.live import measured
from tests.support.processes import wait_until
from tests.support.prometheus_server import free_port

pytestmark = pytest.mark.live


class Gateway:
    """A server in front of the functions that can be restarted, and that may not know its functions for a while."""

    def __init__(self) -> None:
        self.port, self.status = free_port(), 200
        self.start()

    def start(self) -> None:
        gateway = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(gateway.status)
                self.end_headers()

            def log_message(self, *_: object) -> None: ...

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", self.port), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def restart(self) -> None:
        """Refuse connections for 0.5 s."""
        self.stop()
        time.sleep(0.5)
        self.start()

    def forget(self) -> None:
        """Know no function for 0.8 s, as while its provider restarts."""
        self.status = 404
        time.sleep(0.8)
        self.status = 200


def run_while(gateway: Gateway, happens: Callable[[], None]) -> ExecutionEvent:
    """Measure 60 requests/s for 2 s through the gateway, and let something happen after half a second of load."""

    class Node(LocalNode):
        def url(self, function: str) -> str:
            return f"http://127.0.0.1:{gateway.port}/"

    def happen() -> None:
        assert wait_until(lambda: any(k6.num_threads() > 1 for k6 in running_k6()))
        time.sleep(1)
        happens()

    with Node([FunctionConfig(name="fetch")]) as node:
        happening = threading.Thread(target=happen)
        happening.start()
        event = measured(node, "fetch", 60, K6(timeout_s=1), duration_s=3)
        happening.join()
    gateway.stop()
    return event


def test_a_gateway_that_is_restarted_makes_a_run_invalid() -> None:
    gateway = Gateway()
    event = run_while(gateway, gateway.restart)
    refused = event.functions[0].failed["connection_refused"]
    assert 5 < refused < 60
    assert event.verdict is Verdict.INVALID
    assert event.reasons[0].startswith(f"a restart, a crash or a wrong address failed requests: fetch ({refused} of ")


def test_a_provider_that_is_restarted_makes_a_run_invalid() -> None:
    gateway = Gateway()
    event = run_while(gateway, gateway.forget)
    assert 20 < event.functions[0].failed["status_404"] < 80
    assert event.verdict is Verdict.INVALID
    assert ": 404)" in event.reasons[0]
