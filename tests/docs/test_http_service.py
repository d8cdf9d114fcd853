"""The page on HTTP services, followed: its application, and its configurations against stand-ins for platforms."""

import contextlib
import copy
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.forkserver import peva
from tests.support.nginx import real_nginx
from tests.support.pages import PAGES, blocks
from tests.support.processes import wait_until
from tests.support.prometheus_server import free_port
from tests.support.services import Service, serving

pytestmark = pytest.mark.live

_BLOCKS = blocks(PAGES["howto/measure-an-http-service"])
_OWN, *_OTHERS = [yaml.safe_load(block.text) for block in _BLOCKS if block.language == "yaml"]

_BESIDE_TESTS = {"max_invalid_retries": 20, "cooldown": {"max_wait_seconds": 5, "sleep_step_seconds": 0.2}}
"""Other tests take the cores meanwhile: a run that they spoil is measured again without waiting for their end."""


@pytest.fixture(autouse=True)
def _cwd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def write(config: dict[str, Any], port: int) -> None:
    config = copy.deepcopy(config)
    for function in config["functions"]:
        function["url"] = function["url"].replace(":8080/", f":{port}/").replace(":8000/", f":{port}/")
    Path("peva.yml").write_text(yaml.safe_dump(config))


def answers(port: int) -> bool:
    with contextlib.suppress(OSError), urllib.request.urlopen(f"http://127.0.0.1:{port}/docs", timeout=1):
        return True
    return False


@pytest.mark.alone
def test_the_application_is_measured_and_asked_as_the_page_says() -> None:
    pytest.importorskip("fastapi")
    pytest.importorskip("uvicorn")
    (code,) = (block.text for block in _BLOCKS if block.language == "python")
    Path("app.py").write_text(code)
    port = free_port()
    assert _OWN["rate_strategy"] == {"type": "linear", "min_rate": 40, "max_rate": 160, "step": 40}
    short = {"rate_strategy": {"type": "custom", "rates": [80, 160]}, "duration": "1s"}  # two of the page's four rates
    write(_OWN | short | {"cooldown": {"sleep_step_seconds": 0.2}}, port)
    server = subprocess.Popen([sys.executable, "-m", "uvicorn", "app:app", "--port", str(port), "--log-level", "error"])
    try:
        assert wait_until(lambda: answers(port))
        assert peva("doctor", "--config", "peva.yml").returncode == 0
        ran = peva("run", "--config", "peva.yml")
    finally:
        server.terminate()
        server.wait(10)
    assert ran.returncode == 0, ran.stderr
    assert peva("ask", "report=80").stdout.startswith("report 80: OK")
    assert peva("ask", "report=160").stdout.startswith("report 160: OVERLOADED")
    assert peva("ask", "report=80", "--rule", "p95_ms_max=30").stdout.startswith("report 80: OVERLOADED")


def test_a_container_behind_a_real_nginx_has_the_limits_of_nginx_too(tmp_path: Path) -> None:
    """The configuration of the page; nginx selects the service by its Host header and lets 40 requests/s through."""
    port = free_port()
    with serving(Service()) as container:
        servers = f"""
            limit_req_zone $host zone=shop:1m rate=40r/s;
            server {{ listen 127.0.0.1:{port}; return 404; }}
            server {{
                listen 127.0.0.1:{port};
                server_name shop.example.org;
                location /shop/ {{ limit_req zone=shop burst=4 nodelay; proxy_pass {container.url}/; }}
            }}
        """
        write(_OTHERS[0] | _BESIDE_TESTS | {"iterations": 1}, port)
        with real_nginx(tmp_path, servers, port):
            ended = peva("run", "--config", "peva.yml")
    assert ended.returncode == 0, ended.stderr
    assert peva("ask", "shop=20").stdout.startswith("shop 20: OK")
    asked = peva("ask", "shop=60").stdout
    assert asked.startswith("shop 60: OVERLOADED")
    assert "5xx" in Path("peva-results/events.jsonl").read_text()


class _Platform(BaseHTTPRequestHandler):
    """Answers as the platforms of the page are documented to: by Host, path, secret and limit; cold at first."""

    protocol_version = "HTTP/1.1"
    limit_at_once = threading.BoundedSemaphore(3)
    warm_at: float = 0.0

    def answer(self) -> None:
        self.rfile.read(int(self.headers.get("content-length") or 0))
        host, path = self.headers["host"], self.path
        if path.startswith("/api/v1/web/"):
            known = path == "/api/v1/web/guest/demo/hello.json?name=load"
            status = 404 if not known else 200 if self.headers["x-require-whisk-auth"] == "s3cr3t" else 401
        elif path.startswith("/shop/"):
            status = 200 if host == "shop.example.org" else 404
        elif self.command == "POST":
            status = 200 if self.headers["content-type"] == "application/json" else 502
        else:
            status = 200 if host == "hello.default.example.org" else 404
            time.sleep(max(0.0, type(self).warm_at - time.monotonic()))
        if status == 200:
            if self.limit_at_once.acquire(blocking=False):
                time.sleep(0.02)  # three at once: 150 requests/s
                self.limit_at_once.release()
            else:
                status = 429
        self.send_response(status)
        self.send_header("content-length", "2")
        self.end_headers()
        self.wfile.write(b"ok")

    do_GET = do_POST = answer  # noqa: N815 - the names are those of http.server

    def log_message(self, *args: Any) -> None: ...


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 500


@contextmanager
def platform() -> Iterator[int]:
    server = _Server(("127.0.0.1", 0), _Platform)
    threading.Thread(target=server.serve_forever).start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()


@pytest.mark.parametrize("config", _OTHERS, ids=["nginx", "Knative", "OpenWhisk", "Lambda"])
def test_a_configuration_of_the_page_measures_a_platform_that_answers_as_documented(config: dict[str, Any]) -> None:
    config |= _BESIDE_TESTS | {
        "iterations": 1,
        "duration": "1s",
        "overload": {"success_rate_node_min": 0.9, "success_rate_function_min": 0.9},
    }
    if "warm_up" in config:
        config["warm_up"] = "1s"
    with platform() as port:
        _Platform.warm_at = time.monotonic() + 1
        write(config, port)
        ended = peva("run", "--config", "peva.yml", WEB_ACTION_SECRET="s3cr3t")  # noqa: S106 - nobody's

    assert ended.returncode == 0, ended.stderr
    assert "complete: 2 configurations measured, 0 inferred, 0 unknown" in ended.stdout
    assert "OVERLOADED" not in ended.stdout
    assert b"s3cr3t" not in b"".join(path.read_bytes() for path in Path().rglob("*") if path.is_file())
