"""A small server for the calibration of generators: answers every request on 127.0.0.1 at once. Run as a program.

It reads no further than the end of a request's head, so requests have no bodies. Its port is written to the file that
its argument names.
"""

import asyncio
import sys
from pathlib import Path

_ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
_END_OF_HEAD = b"\r\n\r\n"


class _Connection(asyncio.Protocol):
    """Answers each request of a connection."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        self._rest = b""

    def data_received(self, data: bytes) -> None:
        *heads, self._rest = (self._rest + data).split(_END_OF_HEAD)
        if isinstance(self._transport, asyncio.WriteTransport):
            self._transport.write(_ANSWER * len(heads))


async def _serve(port_file: Path) -> None:
    server = await asyncio.get_running_loop().create_server(_Connection, "127.0.0.1", 0, backlog=1024)
    aside = port_file.with_suffix(".part")
    aside.write_text(str(server.sockets[0].getsockname()[1]), encoding="ascii")
    aside.replace(port_file)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(_serve(Path(sys.argv[1])))
