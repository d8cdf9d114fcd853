"""A real HAProxy on 127.0.0.1."""

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.nginx import listens
from tests.support.processes import wait_until

_CONFIG = """
global
    maxconn 1000
    nbthread 1
defaults
    mode http
    timeout connect 1s
    timeout client 5s
    timeout server 5s
{sections}
"""


@contextmanager
def real_haproxy(folder: Path, sections: str, port: int) -> Iterator[subprocess.Popen[bytes]]:
    """Run HAProxy with some sections until the end of the block; one of them listens at ``port``."""
    binary = shutil.which("haproxy", path="/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin:/opt/homebrew/bin")
    if binary is None:
        pytest.skip("haproxy is not installed (apt-get install haproxy)")
    config = folder / "haproxy.cfg"
    config.write_text(_CONFIG.format(sections=sections))
    checked = subprocess.run([binary, "-c", "-f", str(config)], capture_output=True, text=True)
    assert checked.returncode == 0, checked.stderr
    assert "warning" not in checked.stderr.lower(), checked.stderr
    with subprocess.Popen([binary, "-db", "-f", str(config)]) as process:
        try:
            assert wait_until(lambda: process.poll() is not None or listens(port))
            assert process.poll() is None
            yield process
        finally:
            process.terminate()
            process.wait(60)
