"""What the tests of the real k6 share."""

from collections.abc import Iterator

import pytest

from tests.support.http_server import Server


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """Serve on 127.0.0.1 while the tests of a file run."""
    server = Server()
    yield server
    server.close()
