"""Requests over HTTP: retries, kept connections, bounded bodies; more failures are in the tests of the callers."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from peva_env.system import HttpClient, NoResponseError, Retry

Reply = tuple[int, bytes]


class _Server(ThreadingHTTPServer):
    def __init__(self, *replies: Reply) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.replies = list(replies)
        self.n_connections = 0
        self.requests: list[tuple[str, str, str]] = []  # method, target, body
        self.url = f"http://127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def setup(self) -> None:
        super().setup()
        self.server.n_connections += 1

    def do_GET(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
        self.server.requests.append((self.command, self.path, body))
        status, content = self.server.replies.pop(0)
        self.send_response(status)
        self.send_header("X-Kind", "test")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_POST = do_GET  # noqa: N815 - as http.server names it

    def log_message(self, *args: object) -> None:
        """Write nothing."""


@contextmanager
def serving(*replies: Reply) -> Iterator[_Server]:
    with _Server(*replies) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


def test_a_request_and_its_response() -> None:
    with serving((404, b"  no such\npage ")) as server:
        response = HttpClient(f"{server.url}/sub").request("/a?b=c", method="POST", body="grüß", timeout_s=5)
    assert server.requests == [("POST", "/sub/a?b=c", "grüß")]
    assert (response.status, response.ok, response.headers["x-kind"]) == (404, False, "test")
    assert str(response) == "404 (no such page)"
    assert response.n_tries == 1


@pytest.mark.parametrize(
    ("statuses", "last", "n_tries"),
    [([503, 429, 200], 200, 3), ([503, 503, 502, 200], 502, 3), ([404, 200], 404, 1)],
)
def test_a_transient_status_is_retried_as_long_as_there_are_retries(
    statuses: list[int], last: int, n_tries: int
) -> None:
    with serving(*((status, b"") for status in statuses)) as server:
        response = HttpClient(server.url).request("/", timeout_s=5, retries=[Retry(0.0, 5.0)] * 2)
    assert (response.status, response.n_tries) == (last, n_tries)


@pytest.mark.parametrize(("keep_alive", "n_connections"), [(True, 1), (False, 3)])
def test_a_connection_is_kept_where_asked_for(keep_alive: bool, n_connections: int) -> None:
    with serving((200, b"a"), (200, b""), (200, b"c")) as server:
        client = HttpClient(server.url, keep_alive=keep_alive)
        assert "".join(client.request("/", timeout_s=5).text for _ in range(3)) == "ac"
        client.close()
    assert server.n_connections == n_connections


def test_of_a_long_body_the_beginning_is_read() -> None:
    with serving((200, b"abcdef"), (200, b"g")) as server:
        client = HttpClient(server.url, max_body_bytes=3, keep_alive=True)
        assert [client.request("/", timeout_s=5).text for _ in range(2)] == ["abc", "g"]
        client.close()


@contextmanager
def answering(answer: Callable[[socket.socket], None]) -> Iterator[str]:
    """Give the address of a server that answers each connection by a function, then closes it."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.settimeout(5)

        def serve() -> None:
            for _ in range(2):
                with listening.accept()[0] as connection:
                    connection.recv(1000)
                    answer(connection)

        thread = threading.Thread(target=serve)
        thread.start()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        thread.join()


@pytest.mark.parametrize(
    ("sent", "said"),
    [
        (b"", "closed the connection before its response was complete"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc", "closed the connection before its response was complete"),
        (b"SSH-2.0-x\r\n", "does not speak HTTP"),
    ],
)
def test_no_complete_response_is_one_error_after_all_tries(sent: bytes, said: str) -> None:
    with answering(lambda connection: connection.sendall(sent)) as url, pytest.raises(NoResponseError) as caught:
        HttpClient(url).request("/x?key=secret", timeout_s=5, retries=[Retry(0.0, 5.0)])
    assert str(caught.value).startswith(f"{url}/x {said}")
    assert caught.value.reason.startswith(said)
    assert (caught.value.n_tries, caught.value.is_permanent, caught.value.is_temporary) == (2, False, False)


def test_a_server_that_does_not_answer_in_time_may_answer_later() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent, pytest.raises(NoResponseError) as caught:
        HttpClient(f"http://127.0.0.1:{silent.getsockname()[1]}").request("/", timeout_s=0.1)
    assert caught.value.is_temporary


def test_an_address_without_a_port_number_is_an_error_like_any_other() -> None:
    with pytest.raises(NoResponseError, match=r"http://127\.0\.0\.1:x/ cannot be called: Port could not be cast"):
        HttpClient("http://127.0.0.1:x").request("/", timeout_s=1)
