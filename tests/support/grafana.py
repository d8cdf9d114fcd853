"""A stand-in Grafana that keeps the annotations it is sent."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

TOKEN = "glsa-planted-secret"  # noqa: S105 - planted, to be looked for


class Grafana(ThreadingHTTPServer):
    """Keeps what is posted and answers with a status; with a gate it answers only when that is opened."""

    def __init__(self, status: int = 200, gate: threading.Event | None = None) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.status, self.gate = status, gate
        self.posts: list[dict[str, Any]] = []
        self.requests: list[tuple[str, str, str]] = []  # method, path, authorization
        self.url = f"http://127.0.0.1:{self.server_port}"

    @property
    def texts(self) -> list[str]:
        return [post["text"] for post in self.posts]


class _Handler(BaseHTTPRequestHandler):
    server: Grafana

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.requests.append(("POST", self.path, self.headers.get("Authorization", "")))
        if self.server.gate:
            self.server.gate.wait(30)
        self.server.posts.append(json.loads(body))
        answer = json.dumps({"message": "Annotation added", "id": len(self.server.posts)}).encode()
        self.send_response(self.server.status)
        self.send_header("Location", f"{self.server.url}/elsewhere")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def do_GET(self) -> None:
        self.server.requests.append(("GET", self.path, self.headers.get("Authorization", "")))
        self.send_error(404)

    def log_message(self, *arguments: Any) -> None:
        """Nothing."""


@contextmanager
def serving(grafana: Grafana) -> Iterator[Grafana]:
    thread = threading.Thread(target=grafana.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield grafana
    finally:
        if grafana.gate:
            grafana.gate.set()
        grafana.shutdown()
        thread.join()
        grafana.server_close()
