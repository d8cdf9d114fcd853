"""Ray: the one place that starts it on this machine or connects to a cluster.

- Ray is imported only when a cluster is asked for (the extra ``ray``).
- A cluster that is started here listens on 127.0.0.1 only and wants a token that nobody else has. It has no dashboard,
  sends no usage report, keeps its files in a temporary folder, and ends with this process, also when that is killed.
  Its workers have the priority of this process.
- A cluster that ran before goes on when this process leaves it.
- Nothing of Ray is printed: who uses it tells of lost workers in its own words.
- Handlers of signals stay as they were: Ray would replace the one of SIGTERM.
"""

import ipaddress
import os
import re
import secrets
import signal
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import Any

from peva_env.errors import ConfigError, PevaError
from peva_env.system.interrupts import uninterrupted
from peva_env.system.invocation import install_text
from peva_env.system.processes import temporary_folder
from peva_env.system.text import one_line

LOCAL, AUTO = "local", "auto"

_LOOPBACK = "127.0.0.1"
_ANSWER_S = 3.0
_CONNECT_S = 1.0
_MAX_PORT = 65535

_LOOK_EVERY_S = 1.0

_RAYLET_PID = "RAY_RAYLET_PID"
"""The variable that Ray sets in its workers."""

_QUIET = {
    "RAY_USAGE_STATS_ENABLED": "0",
    # Else Ray packs the working folder and makes a new environment for each worker when `uv run` started this process.
    "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0",
}

_LOOPBACK_STAYS = {"RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0"}
"""Else Ray replaces 127.0.0.1 by the address that other machines see, on which nothing listens."""

_PRIORITY_STAYS = {"RAY_worker_niceness": "0"}
"""Else Ray's workers, and with them k6 and the functions of a local node, have a niceness of 15: any other program
would take the cores from what is measured."""

_HELLO = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes((0, 0, 0, 4, 0, 0, 0, 0, 0))
"""The first bytes of a client of HTTP/2, on which gRPC rests, with empty settings (RFC 9113, 3.4)."""

_FRAME_HEADER, _TYPE_AT, _SETTINGS = 9, 3, 4
"""A frame of HTTP/2 (RFC 9113, 4.1): the length of its header, where its type stands, and the type that comes first."""


@contextmanager
def ray_cluster(address: str = LOCAL, *, namespace: str | None = None, answer_s: float = _ANSWER_S) -> Iterator[Any]:
    """Connect to a Ray cluster while a block runs, and yield the module ``ray``.

    Args:
        address: ``local`` starts a cluster on this machine, with a CPU for each core, and ends it afterwards; ``auto``
            is the cluster that runs on this machine, or that of RAY_ADDRESS; otherwise HOST:PORT.
        namespace: actors with names are found by others in the same namespace only.
        answer_s: how long the server at HOST:PORT may take to answer, in seconds.

    Raises:
        ConfigError: Ray is not installed, or the address is malformed.
        PevaError: nothing answers at the address, the cluster has another version of Ray or Python, it refuses the
            token, or Ray cannot be started.
    """
    host = None if address in (LOCAL, AUTO) else _checked(address, answer_s)
    os.environ.update(_QUIET)
    if host is None or _is_loopback(host):
        os.environ.update(_LOOPBACK_STAYS)
    ray = _import_ray()
    with ExitStack() as resources:
        given: dict[str, Any] = {"address": address}
        if address == LOCAL:
            os.environ.update(_PRIORITY_STAYS)
            if not any(os.environ.get(name) for name in ("RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH")):
                os.environ["RAY_AUTH_TOKEN"] = secrets.token_hex()
            folder = resources.enter_context(temporary_folder("peva-ray-"))
            given |= {"include_dashboard": False, "_node_ip_address": _LOOPBACK, "_temp_dir": str(folder)}
        resources.enter_context(_without_messages(ray._private.worker))
        resources.callback(_leave, ray)
        _join(ray, {**given, "log_to_driver": False, "logging_level": "ERROR", "namespace": namespace})
        yield ray


@contextmanager
def _without_messages(worker: Any) -> Iterator[None]:
    """Print nothing of what Ray tells of lost workers and machines: pages of its logs, among the results of a command.

    No setting of Ray does that; its debugger sets the same variable while somebody types.
    """
    before = worker._worker_logs_enabled
    worker._worker_logs_enabled = False
    try:
        yield
    finally:
        worker._worker_logs_enabled = before


def head_address(ray: Any) -> str:
    """Return HOST:PORT of the head of the cluster that this process has joined."""
    return str(ray.get_runtime_context().gcs_address)


def answers(address: str) -> bool:
    """Tell whether something takes connections at HOST:PORT; the calls of Ray wait a minute for a head that is lost."""
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=_CONNECT_S).close()
    except OSError:
        return False
    return True


def is_own_raylet_lost(ray: Any) -> bool:
    """Tell whether the cluster has lost the raylet by which this process joined it; Ray ends all actors of it then."""
    own = ray.get_runtime_context().get_node_id()
    return any(node["NodeID"] == own and not node["Alive"] for node in ray.nodes())


def end_with_raylet() -> None:
    """End this worker of Ray within a second after its raylet, without any clean-up; no-op in other processes.

    Ray does so itself, unless the raylet is left as a zombie, which Ray takes for alive: where the program that started
    the raylet does not wait for it, or the first process of a container is no init. The worker would wait for ever for
    a driver that has another one in its place, and keep its files locked.
    """
    raylet = os.getppid()
    if os.environ.get(_RAYLET_PID) == str(raylet):
        threading.Thread(target=_end_after, args=(raylet,), name="peva-raylet", daemon=True).start()


def _end_after(parent: int) -> None:
    while os.getppid() == parent:  # a process gets another parent as soon as its own has ended, zombie or not
        time.sleep(_LOOK_EVERY_S)
    os._exit(1)


def _import_ray() -> Any:
    try:
        import ray
    except ModuleNotFoundError:
        raise ConfigError(f"--ray needs ray, which is not installed: {install_text('ray')}") from None
    return ray


def _checked(address: str, answer_s: float) -> str:
    """Return the host of an address at which a server of gRPC answers."""
    host, colon, port = address.rpartition(":")
    if not (colon and host and port.isdecimal() and 0 < int(port) <= _MAX_PORT) or "/" in host:
        raise ConfigError(f"--ray {address!r:.100}: must be auto, local or HOST:PORT, such as 127.0.0.1:6379")
    answer, problem = b"", "what listens there is not Ray"
    try:
        with socket.create_connection((host.strip("[]"), int(port)), timeout=answer_s) as connection:
            connection.sendall(_HELLO)
            while len(answer) < _FRAME_HEADER and (more := connection.recv(_FRAME_HEADER - len(answer))):
                answer += more
    except OSError as error:
        problem = str(error)
    if len(answer) < _FRAME_HEADER or answer[_TYPE_AT] != _SETTINGS:
        raise PevaError(
            f"--ray {address}: no Ray answers there ({problem}); start it with `ray start --head --port {port}`, or "
            "leave out the address"
        )
    return host


def _is_loopback(host: str) -> bool:
    with suppress(ValueError):
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    return host == "localhost"


def _join(ray: Any, given: dict[str, Any]) -> None:
    where = f"--ray {given['address']}"
    handler = signal.getsignal(signal.SIGTERM)
    try:
        with uninterrupted():
            if given["address"] not in (LOCAL, AUTO):
                _require_token(given["address"])
            ray.init(**given)
    except (ConnectionError, ray.exceptions.AuthenticationError) as error:
        told = one_line(str(error)).partition(". ")[0]
        if given["address"] == AUTO and not os.environ.get("RAY_ADDRESS"):
            raise PevaError(f"{where}: no Ray runs on this machine ({told}); start it, or use --ray local") from None
        # `ray start` wants a token by itself where ~/.ray/auth_token is; a process that joins has to be told so.
        has_mode = os.environ.get("RAY_AUTH_MODE", "").lower() == "token"
        advice = (
            "is RAY_AUTH_TOKEN the one of its head?" if has_mode else "set RAY_AUTH_MODE=token, and its head's token"
        )
        raise PevaError(f"{where}: the cluster does not take this process ({told}); {advice}") from None
    except (OSError, RuntimeError, ValueError) as error:
        raise PevaError(f"{where}: {_explained(str(error))}") from error
    finally:
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, handler)


def _require_token(address: str) -> None:
    """Ask a cluster for its id alone: with a wrong token, ``ray.init`` tries for half a minute and prints its attempts.

    Raises:
        ray.exceptions.AuthenticationError: the token of this process is not that of the cluster.
    """
    from ray._raylet import GcsClient

    with _without_stderr():
        GcsClient(address=address)


@contextmanager
def _without_stderr() -> Iterator[None]:
    """Drop what C++ code writes to standard error while a block runs."""
    try:
        kept = os.dup(2)
    except OSError:  # there is none, as in some services
        yield
        return
    try:
        with open(os.devnull, "wb") as nothing:  # noqa: PTH123 - for its descriptor
            os.dup2(nothing.fileno(), 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


def _leave(ray: Any) -> None:
    with uninterrupted():
        ray.shutdown()


def _explained(problem: str) -> str:
    versions = re.findall(r"Ray: (\S+)\s+Python: (\S+)", problem)
    if len(versions) != 2:
        return one_line(problem)
    (ray, python), (own_ray, own_python) = versions
    return (
        f"the cluster has Ray {ray} on Python {python}, this is Ray {own_ray} on Python {own_python}; "
        "install the same versions on all machines"
    )
