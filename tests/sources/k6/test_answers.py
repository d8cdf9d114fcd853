"""What counts as success, warm-up and backlog: the real k6 against real servers on 127.0.0.1."""

import threading
import time
from collections import Counter
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar

import pytest

from peva_env.config import ExpectConfig
from peva_env.contracts import FunctionMeasurement
from peva_env.sources.k6 import K6, FunctionLoad

pytestmark = pytest.mark.live

_ANSWERS = {
    "/fine": (200, b"all is well"),
    "/degraded": (200, b'{"error": "database is away"}'),
    "/accepted": (202, b"later"),
    "/missing": (404, b"no such thing"),
}


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    turn = threading.Lock()
    calls: ClassVar[Counter[str]] = Counter()

    def do_GET(self) -> None:
        type(self).calls[self.path] += 1
        if self.path == "/one-at-a-time":
            with self.turn:
                time.sleep(0.02)
        status, body = _ANSWERS.get(self.path, (200, b"ok"))
        self.send_response(status)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: Any) -> None: ...


@pytest.fixture
def url() -> Iterator[str]:
    """Return the address of a server."""
    _Handler.calls = Counter()
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    threading.Thread(target=server.serve_forever).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


@pytest.fixture(scope="module")
def k6() -> K6:
    """Return k6 with a timeout of five seconds."""
    return K6(timeout_s=5)


def run(k6: K6, url: str, path: str, *, rate_rps: int = 20, seconds: float = 1, **options: Any) -> FunctionMeasurement:
    expect, warm_up_s = options.get("expect"), options.get("warm_up_s", 0.0)
    load = FunctionLoad("f", rate_rps, f"{url}{path}", expect=ExpectConfig(**expect) if expect else None)
    (measured,) = k6.run([load], duration_s=seconds, warm_up_s=warm_up_s).functions
    return measured


@pytest.mark.parametrize(
    ("path", "expect", "kind"),
    [
        ("/degraded", None, None),
        ("/degraded", {"body_not_contains": "error"}, "unexpected"),
        ("/degraded", {"body_contains": "all is well"}, "unexpected"),
        ("/fine", {"body_contains": "all is well", "body_not_contains": "error"}, None),
        ("/fine", {"status": [200]}, None),
        ("/accepted", None, None),
        ("/accepted", {"status": [200]}, "unexpected"),
        ("/missing", {"status": [404]}, None),
        ("/missing", {"status": [404], "body_contains": "no such thing"}, None),
        ("/missing", {"body_contains": "no such thing"}, "status_404"),
    ],
)
def test_an_answer_is_a_success_if_it_is_what_is_expected(
    k6: K6, url: str, path: str, expect: dict[str, Any] | None, kind: str | None
) -> None:
    measured = run(k6, url, path, expect=expect)

    assert measured.sent >= 20
    assert measured.failed == ({kind: measured.sent} if kind else {})
    assert measured.succeeded == (0 if kind else measured.sent)
    assert (measured.p95_ms is None) == (kind is not None)


def test_a_warm_up_is_sent_and_not_counted(k6: K6, url: str) -> None:
    measured = run(k6, url, "/fine", warm_up_s=1.0, expect={"body_contains": "well"})

    assert measured.offered in (20, 21)
    assert _Handler.calls["/fine"] == pytest.approx(40, abs=2)


def test_a_queue_without_a_limit_is_a_backlog_and_the_same_function_below_its_capacity_has_none(
    k6: K6, url: str
) -> None:
    """One request at a time takes 20 ms: 50 requests/s."""
    within = run(k6, url, "/one-at-a-time", rate_rps=25, seconds=2)
    beyond = run(k6, url, "/one-at-a-time", rate_rps=80, seconds=2)

    assert (within.backlog, within.success_rate) == (0, 1.0)
    assert beyond.success_rate == 1.0, "all are answered within the timeout"
    assert beyond.backlog == pytest.approx(60, abs=25)
