"""Services on this machine: their processes, found by the addresses at which they listen."""

import os
import socket
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Self

import psutil

from peva_env.platforms.base import NodeUsage
from peva_env.platforms.http.service import HttpService
from peva_env.platforms.processes import Members, UsageSampler
from peva_env.system import waited_s

_INTERVAL_S = 0.1
_FIND_AGAIN_S = 2.0
"""How old the list of listening processes may be; to make it takes some 10 ms."""


class LocalServices:
    """Measures services on this machine.

    The processes of a service are those that listen at its address. Programs that only they call, such as a database,
    are other programs. Processes of other users are found with the rights of root only, processes in containers never.

    Args:
        ports: the port of each service.
    """

    def __init__(self, ports: Mapping[str, int]) -> None:
        """Find the processes and begin to sample them."""
        self._ports = ports
        self._found: Mapping[int, tuple[int, ...]] = {}
        self._found_at = -_FIND_AGAIN_S
        self._sampler = UsageSampler(self._members, _INTERVAL_S)

    @classmethod
    def among(cls, services: Sequence[HttpService]) -> Self | None:
        """Begin to measure those of some services that run on this machine.

        None if no service does, or if the operating system does not tell how long processes wait for a core.
        """
        ports = {service.name: service.address[1] for service in services if _is_here(service.address[0])}
        return cls(ports) if ports and waited_s(os.getpid()) is not None else None

    def close(self) -> None:
        """Stop sampling."""
        self._sampler.close()

    def usage(self, start_at: float, end_at: float) -> NodeUsage:
        """Return the CPU use of the machine, and what each service used; nothing of the node.

        Services at one port have the same processes, so that neither has CPU and RAM of its own.
        """
        used = self._sampler.usage(start_at, end_at)
        ports = list(self._ports.values())
        functions = {}
        for name, port in self._ports.items():
            of_port = used.functions[str(port)]
            shared = ports.count(port) > 1
            functions[name] = replace(
                of_port,
                replicas=None,
                cpu_pct=None if shared else of_port.cpu_pct,
                ram_bytes=None if shared else of_port.ram_bytes,
            )
        return NodeUsage(functions=functions, machine=used.machine)

    def _members(self) -> Mapping[str, Members]:
        if time.monotonic() - self._found_at >= _FIND_AGAIN_S:
            self._found, self._found_at = _listening(set(self._ports.values())), time.monotonic()
        return {str(port): Members(self._found.get(port, ()), port in self._found) for port in self._ports.values()}


def _is_here(hostname: str) -> bool:
    """Tell whether a host name leads to this machine."""
    ours = {address.address for addresses in psutil.net_if_addrs().values() for address in addresses}
    try:
        found = {str(info[4][0]) for info in socket.getaddrinfo(hostname, None)}
    except OSError:
        return False
    return any(address in ours or address.startswith("127.") or address == "::1" for address in found)


def _listening(ports: set[int]) -> dict[int, tuple[int, ...]]:
    """Return the processes that listen at each port."""
    found: dict[int, set[int]] = {}
    for connection in psutil.net_connections("tcp"):
        if connection.status == psutil.CONN_LISTEN and connection.pid and connection.laddr:
            found.setdefault(connection.laddr.port, set()).add(connection.pid)
    return {port: tuple(sorted(found[port])) for port in ports & found.keys()}
