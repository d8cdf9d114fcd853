"""Processes that end while a test looks at them, and ports that nobody else gets."""

import socket
import subprocess
import sys

import psutil

from tests.support.processes import command_of, wait_until
from tests.support.prometheus_server import free_ports


def test_a_process_that_has_ended_has_no_command_line() -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        looked_at = psutil.Process(process.pid)
        assert wait_until(lambda: "input()" in command_of(looked_at))  # Linux has no line for a moment of its start
        process.kill()
        psutil.wait_procs([looked_at], timeout=60)
        assert command_of(looked_at) == ""


def test_a_zombie_has_no_command_line() -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        looked_at = psutil.Process(process.pid)
        assert wait_until(lambda: looked_at.status() == psutil.STATUS_ZOMBIE)
        assert command_of(looked_at) == ""


def test_a_free_port_is_none_that_somebody_else_gets_by_asking_for_any() -> None:
    ports = free_ports(50)
    assert len(set(ports)) == 50
    with socket.create_server(("127.0.0.1", 0)) as any_port:
        assert max(ports) < any_port.getsockname()[1]
