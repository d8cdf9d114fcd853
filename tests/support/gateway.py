"""A stand-in for an OpenFaaS gateway, after its published API, and a throw-away CA to serve it with.

What a real one does is kept, also where it is odd: values that are zero are absent, with a dead provider it drops the
connection on ``/system/info``, with a dead Prometheus on ``/system/functions``, and only ``/system/`` asks for the
password.
"""

import base64
import contextlib
import http.client
import json
import shutil
import ssl
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from peva_env.platforms.base import NodeUsage, Usage

DEFAULT_NAMESPACE = "openfaas-fn"
_HANG_S = 60.0
_LENT = ("name", "image", "namespace", "labels", "limits", "replicas", "availableReplicas")


class DropConnection(Exception):  # noqa: N818 - an event, not an error
    """The connection is to be closed without an answer."""


@dataclass
class Served:
    """A deployed function.

    ``answers`` is what a call gets: a status and a body; ``"drop"`` and ``"hang"`` get none. With ``upstream`` calls
    are handed on to a real function. ``starts_in_s`` is how long a replica takes to be ready after a call woke it.
    """

    name: str
    namespace: str = DEFAULT_NAMESPACE
    image: str = "example/function:1"
    replicas: int = 1
    available: int = 1
    labels: dict[str, str] = field(default_factory=dict)
    limits: dict[str, str] = field(default_factory=dict)
    answers: tuple[int, str] | str = (200, "ok")
    upstream: str | None = None
    starts_in_s: float = 0.0
    calls: list[tuple[str, str, dict[str, str]]] = field(default_factory=list)

    def status(self) -> dict[str, Any]:
        whole = {**vars(self), "availableReplicas": self.available}
        return {key: whole[key] for key in _LENT if whole[key]}


@dataclass
class StandIn:
    """A running gateway. Every field may be changed while it runs."""

    functions: list[Served]
    password: str | None = None
    scale_from_zero: bool = True
    provider_down: bool = False
    prometheus_down: bool = False
    redirect_to: str | None = None
    slow_answers: int = 0  # so many of the next requests to /system/ hang
    asked: list[str] = field(default_factory=list)  # method and target of each request
    scheme: str = "http"
    port: int = 0
    closing: threading.Event = field(default_factory=threading.Event)

    @property
    def url(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self.port}"

    def find(self, name: str, namespace: str) -> Served | None:
        return next((one for one in self.functions if (one.name, one.namespace) == (name, namespace)), None)


class _Handler(BaseHTTPRequestHandler):
    gateway: StandIn

    def answer(self) -> None:
        self.body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
        self.gateway.asked.append(f"{self.command} {self.path}")
        url = urlsplit(self.path)
        try:
            if self.gateway.redirect_to:
                self.reply(308, "", {"Location": self.gateway.redirect_to + self.path})
            elif url.path == "/healthz":
                self.reply(502 if self.gateway.provider_down else 200, "" if self.gateway.provider_down else "OK")
            elif url.path.startswith("/system/"):
                self.system(url.path, parse_qs(url.query).get("namespace", [DEFAULT_NAMESPACE])[0])
            elif url.path.startswith("/function/"):
                self.function(url.path)
            else:
                self.reply(404, "404 page not found\n")
        except DropConnection:
            pass
        self.close_connection = True

    do_GET = do_POST = do_PUT = answer  # noqa: N815 - as http.server names them

    def system(self, path: str, namespace: str) -> None:
        if self.gateway.slow_answers > 0:
            self.gateway.slow_answers -= 1
            self.hang()
        if not self.is_authorised():
            self.reply(401, "invalid credentials", {"WWW-Authenticate": 'Basic realm="Restricted"'})
        elif path == "/system/info":
            self.info()
        elif self.gateway.provider_down:
            self.reply(502, "")
        elif path == "/system/namespaces":
            self.reply(200, json.dumps(sorted({one.namespace for one in self.gateway.functions})))
        elif path == "/system/functions":
            if self.gateway.prometheus_down:
                raise DropConnection
            here = [one.status() for one in self.gateway.functions if one.namespace == namespace]
            self.reply(200, json.dumps(here))
        else:
            self.status(path.removeprefix("/system/function/"), namespace)

    def info(self) -> None:
        if self.gateway.provider_down:
            raise DropConnection
        version = {"sha": "0" * 40, "release": "0.27.9"}
        provider = {"provider": "faas-netes", "version": version, "orchestration": "kubernetes"}
        self.reply(200, json.dumps({"provider": provider, "version": version, "arch": "x86_64"}))

    def status(self, name: str, namespace: str) -> None:
        found = self.gateway.find(name, namespace)
        self.reply(200, json.dumps(found.status())) if found else self.reply(404, "")

    def function(self, path: str) -> None:
        full_name = path.split("/")[2]
        name, _, namespace = full_name.partition(".")
        found = self.gateway.find(name, namespace or DEFAULT_NAMESPACE)
        if self.gateway.provider_down or not found:
            why = f"error finding function {full_name}: connection refused"
            self.reply(404, why) if self.gateway.scale_from_zero else self.reply(502, "")
            return
        if not found.available and self.gateway.scale_from_zero and found.starts_in_s < _HANG_S:
            found.replicas = max(1, found.replicas)
            self.gateway.closing.wait(found.starts_in_s)
            found.available = 1
        if not found.available:
            self.reply(503, f"No endpoints available for: {name}.")
            return
        found.calls.append((self.command, self.body, dict(self.headers)))
        self.serve(found)

    def serve(self, found: Served) -> None:
        if found.upstream:
            self.hand_on(found.upstream)
        elif isinstance(found.answers, tuple):
            self.reply(*found.answers)
        elif found.answers == "hang":
            self.hang()
        else:
            raise DropConnection

    def hand_on(self, upstream: str) -> None:
        url = urlsplit(upstream)
        connection = http.client.HTTPConnection(url.hostname or "", url.port, timeout=_HANG_S)
        try:
            connection.request(self.command, url.path, self.body.encode() or None)
            with connection.getresponse() as response:
                self.reply(response.status, response.read().decode())
        except OSError:
            self.reply(502, "")
        finally:
            connection.close()

    def hang(self) -> None:
        self.gateway.closing.wait(_HANG_S)
        raise DropConnection

    def is_authorised(self) -> bool:
        if self.gateway.password is None:
            return True
        expected = base64.b64encode(f"admin:{self.gateway.password}".encode()).decode()
        return self.headers.get("Authorization") == f"Basic {expected}"

    def reply(self, status: int, text: str, headers: dict[str, str] | None = None) -> None:
        content = text.encode()
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Say nothing."""


class _Server(ThreadingHTTPServer):
    daemon_threads = False  # so that closing it waits for them
    request_queue_size = 1024

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that have gone are part of the tests."""


@contextlib.contextmanager
def serving(gateway: StandIn, *, tls: tuple[Path, Path] | None = None) -> Iterator[StandIn]:
    """Serve a gateway on a free port of 127.0.0.1, with ``tls`` (certificate and key) over https."""
    server = _Server(("127.0.0.1", 0), type("Handler", (_Handler,), {"gateway": gateway}))
    if tls:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*tls)
        server.socket = context.wrap_socket(server.socket, server_side=True)
        gateway.scheme = "https"
    gateway.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield gateway
    finally:
        gateway.closing.set()
        server.shutdown()
        server.server_close()
        thread.join()


def throw_away_ca(folder: Path) -> tuple[Path, tuple[Path, Path]]:
    """Make a CA and a certificate of 127.0.0.1 by it; return the CA's certificate, and the other with its key."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("needs openssl to make certificates")
    new = [openssl, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"]
    ca, ca_key, certificate, key = (folder / name for name in ("ca.pem", "ca.key", "gateway.pem", "gateway.key"))
    made: list[str | Path] = [
        "-subj",
        "/CN=throw-away CA",
        "-addext",
        "keyUsage=critical,keyCertSign",
        "-keyout",
        ca_key,
        "-out",
        ca,
    ]
    subprocess.run([*new, *made], check=True, capture_output=True)
    made = ["-subj", "/CN=gateway", "-addext", "subjectAltName=IP:127.0.0.1", "-addext", "basicConstraints=CA:FALSE"]
    made += ["-CA", ca, "-CAkey", ca_key, "-keyout", key, "-out", certificate]
    subprocess.run([*new, *made], check=True, capture_output=True)
    return ca, (certificate, key)


class Calm:
    """Metrics of a node that is never busy."""

    min_window_s = 0.1

    def check(self, duration_s: float) -> tuple[str, ...]:
        return ()

    def usage(self, start_at: float, end_at: float) -> NodeUsage:
        return NodeUsage(Usage(cpu_pct=20.0, ram_bytes=2**30, ram_pct=30.0))

    def close(self) -> None: ...
