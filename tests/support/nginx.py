"""A real nginx on 127.0.0.1."""

import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from tests.support.processes import wait_until

_CONFIG = """
daemon off;
worker_processes 1;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{ worker_connections 1024; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    {servers}
}}
"""


@contextmanager
def real_nginx(folder: Path, servers: str, port: int) -> Iterator[subprocess.Popen[bytes]]:
    """Run nginx with some ``server`` blocks until the end of the block; one of them listens at ``port``."""
    binary = shutil.which("nginx", path="/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin:/opt/homebrew/bin")
    if binary is None:
        pytest.skip("nginx is not installed (apt-get install nginx-light)")
    config = folder / "nginx.conf"
    config.write_text(_CONFIG.format(folder=folder, servers=servers))
    with subprocess.Popen([binary, "-c", str(config), "-e", str(folder / "error.log")]) as process:
        try:
            assert wait_until(lambda: process.poll() is not None or listens(port))
            assert process.poll() is None, (folder / "error.log").read_text()
            yield process
        finally:
            process.send_signal(signal.SIGQUIT)
            process.wait(60)


def listens(port: int) -> bool:
    """Tell whether something accepts connections at a port of 127.0.0.1."""
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False
