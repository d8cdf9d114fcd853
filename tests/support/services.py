"""A plain HTTP service on 127.0.0.1: what it answers can be changed, and it can be away for a while."""

import ssl
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any


@dataclass
class Service:
    """What a service answers, whatever it is asked, and what it was asked: path and headers of each request."""

    status: int = 200
    body: str = "ok"
    delay_s: float = 0.0
    headers: Mapping[str, str] = field(default_factory=dict)
    requests: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    url: str = ""


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 500


@contextmanager
def serving(service: Service, *, port: int = 0, tls: tuple[Path, Path] | None = None) -> Iterator[Service]:
    """Serve on a free port, or on a given one; with ``tls`` (certificate and key) over https."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self) -> None:
            self.rfile.read(int(self.headers.get("content-length") or 0))
            service.requests.append((self.path, {name.lower(): value for name, value in self.headers.items()}))
            time.sleep(service.delay_s)
            body = service.body.encode()
            self.send_response(service.status)
            for name, value in {**service.headers, "content-length": str(len(body))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST = do_PUT = answer  # noqa: N815 - the names are those of http.server

        def log_message(self, *args: Any) -> None: ...

    server = _Server(("127.0.0.1", port), Handler)
    if tls:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*tls)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    service.url = f"http{'s' if tls else ''}://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield service
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
