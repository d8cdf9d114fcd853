"""What the real k6 counts for answers that are no plain success, and what becomes of the run."""

import asyncio
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future

import pytest

from peva_env.config import OverloadConfig
from peva_env.contracts import FunctionMeasurement, NodeMeasurement, Verdict
from peva_env.rules import judge
from peva_env.sources.k6 import K6, FunctionLoad

pytestmark = pytest.mark.live

CALM = NodeMeasurement(cpu_pct=20.0, ram_pct=30.0)
AT_THE_START_S = 0.3
CHUNK = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n"


def answer(status: str) -> bytes:
    return f"HTTP/1.1 {status} Status\r\nContent-Length: 2\r\n\r\nok".encode()


class Server:
    """Answers by path: a status; a status ``-at-first``; ``chunked`` and cut off; or without the end of keep-alive."""

    def __init__(self) -> None:
        self._first: dict[str, float] = {}
        self._port: Future[int] = Future()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()))
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._port.result(timeout=60)}"

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._ended.set)
        self._thread.join(timeout=60)

    async def _serve(self) -> None:
        self._loop, self._ended = asyncio.get_running_loop(), asyncio.Event()
        server = await asyncio.start_server(self._connection, "127.0.0.1", 0)
        self._port.set_result(server.sockets[0].getsockname()[1])
        await self._ended.wait()
        server.close()

    async def _connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            n_answered = 0
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                path = head.split()[1].decode().strip("/")
                what = path.partition("?")[0]
                status, _, at_first = what.partition("-")
                if at_first and time.monotonic() > self._first.setdefault(path, time.monotonic()) + AT_THE_START_S:
                    status = "200"
                if what == "race" and n_answered:
                    return  # the connection ends just as the next request arrives on it
                writer.write(CHUNK if what == "chunked" else answer("200" if what == "race" else status))
                if what == "chunked":
                    return
                n_answered += 1
        except (asyncio.IncompleteReadError, asyncio.CancelledError, ConnectionError):
            pass
        finally:
            writer.close()


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    server = Server()
    yield server
    server.close()


def measured(server: Server, path: str, method: str = "GET", duration_s: float = 1) -> FunctionMeasurement:
    load = FunctionLoad("f", 40, f"{server.url}/{path}", method=method)
    return K6(timeout_s=1).run([load], duration_s=duration_s).functions[0]


@pytest.mark.parametrize(
    ("path", "kind", "verdict"),
    [
        ("404-at-first", "status_404", Verdict.INVALID),
        ("429", "status_429", Verdict.OVERLOADED),
        ("499", "status_4xx", Verdict.OVERLOADED),
        ("503-at-first", "status_5xx", Verdict.OVERLOADED),
        ("chunked", "connection_other", Verdict.OVERLOADED),
    ],
)
def test_what_an_answer_that_is_no_success_becomes(server: Server, path: str, kind: str, verdict: Verdict) -> None:
    # On a busy machine k6 can stand still, which makes a run invalid: it is repeated then, as a campaign does.
    runs = (measured(server, f"{path}?run={number}") for number in range(20))
    function = next(function for function in runs if not function.held_up)
    assert set(function.failed) == {kind}
    assert judge([function], CALM, OverloadConfig()).verdict is verdict


def test_k6_sends_a_get_again_whose_connection_ended_but_not_a_post(server: Server) -> None:
    # Its 41 virtual users, each with a connection of its own, send their second request in the second second.
    assert measured(server, "race", duration_s=2).failed == {}
    function = measured(server, "race", "POST", duration_s=2)
    assert set(function.failed) == {"connection_other"}
    assert function.succeeded > 0
