"""The gate at which k6 waits, ready to send, until it is told when to begin."""

import contextlib
import secrets
import socket

_REQUEST_S = 1.0
_LONGEST_REQUEST = 65_536


class Gate:
    """A port on 127.0.0.1 of which k6 asks, before its load, when to begin. It is closed with the block.

    ``is_reached`` says whether k6 has asked, and waits.
    """

    def __init__(self) -> None:
        self._path = f"/{secrets.token_hex(8)}"  # so that nobody else who finds the port is taken for k6
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.setblocking(False)
        self._asker = self._listener
        self.is_reached = False

    def __enter__(self) -> "Gate":
        return self

    def __exit__(self, *_: object) -> None:
        """Close the port; a k6 that still waits fails."""
        self._listener.close()
        self._asker.close()

    @property
    def url(self) -> str:
        """The address to ask."""
        return f"http://127.0.0.1:{self._listener.getsockname()[1]}{self._path}"

    def look(self) -> None:
        """See whether k6 has come; never blocks for long."""
        with contextlib.suppress(BlockingIOError):
            asker, _ = self._listener.accept()
            asker.settimeout(_REQUEST_S)
            with contextlib.suppress(OSError):
                if asker.recv(_LONGEST_REQUEST).startswith(f"GET {self._path} ".encode()):
                    self._asker, self.is_reached = asker, True
                    return
            asker.close()

    def open(self, at_s: float) -> None:
        """Tell k6 to begin at a moment, in seconds since the epoch by the clock of its machine."""
        body = str(round(at_s * 1000))
        with contextlib.suppress(OSError):  # k6 has ended, as its exit code will say
            self._asker.sendall(f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode())
