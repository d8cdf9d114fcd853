"""A real HTTP server on 127.0.0.1 whose paths say how it behaves."""

import asyncio
import socket
import struct
import threading
from concurrent.futures import Future

RESET_ON_CLOSE = struct.pack("ii", 1, 0)


class Server:
    """Answers ``/delay/SECONDS``, ``/status/CODE``, ``/hang``, ``/reset``, ``/close``, ``/half`` and ``/echo``."""

    def __init__(self) -> None:
        self.requests: list[tuple[bytes, bytes]] = []  # head and body of each /echo
        self._port: Future[int] = Future()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()))
        self._thread.start()
        self._base = f"http://127.0.0.1:{self._port.result(timeout=60)}"

    def url(self, path: str) -> str:
        return self._base + path

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._ended.set)
        self._thread.join(timeout=60)

    async def _serve(self) -> None:
        self._loop, self._ended = asyncio.get_running_loop(), asyncio.Event()
        server = await asyncio.start_server(self._connection, "127.0.0.1", 0, backlog=1024)
        self._port.set_result(server.sockets[0].getsockname()[1])
        await self._ended.wait()
        server.close()

    async def _connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while await self._answer(reader, writer):
                pass
        except (asyncio.IncompleteReadError, asyncio.CancelledError, ConnectionError):
            pass
        finally:
            writer.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = await reader.readuntil(b"\r\n\r\n")
        length = [line.split(b":")[1] for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")]
        body = await reader.readexactly(int(length[0])) if length else b""
        what, _, value = head.split()[1].decode().strip("/").partition("/")
        if what == "reset":
            writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
        elif what == "half":
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf")
        elif what == "echo":
            self.requests.append((head, body))
        if what in ("reset", "half", "close"):
            return False
        await asyncio.sleep(3600 if what == "hang" else float(value) if what == "delay" else 0)
        status = value if what == "status" else "200"
        writer.write(f"HTTP/1.1 {status} Status\r\nLocation: /echo\r\nContent-Length: 2\r\n\r\nok".encode())
        return True
