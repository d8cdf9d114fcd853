"""The local node: real functions on 127.0.0.1, each in a server that answers 503 above its concurrency limit."""

import contextlib
import functools
import platform
import weakref
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import psutil

from peva_env.config import FunctionConfig
from peva_env.errors import PlatformError
from peva_env.platforms.base import NodeUsage
from peva_env.platforms.local.function_code import FunctionCode, resolve_all
from peva_env.platforms.local.function_process import FunctionProcess
from peva_env.platforms.processes import MIN_WINDOW_S, UsageSampler, group_members
from peva_env.system import processes, usable_cores


class LocalNode:
    """A node on this machine; use it as a context manager, or call ``start`` and ``stop``.

    Its processes end with this process, even if this process is killed. The use of *the node* is the sum over its
    functions' processes, as percent of the machine's cores and RAM. The load generator and other programs on the
    machine do not count, so that labels do not depend on them.
    """

    def __init__(
        self,
        functions: Sequence[FunctionConfig],
        *,
        ready_timeout_s: float = 15.0,
        request_timeout_s: float = 5.0,
        sample_interval_s: float = 0.05,
    ) -> None:
        """Store the arguments; no file is read before ``start`` or ``describe``."""
        self.name = f"local:{platform.node()}"
        self.min_window_s = MIN_WINDOW_S
        self._functions = list(functions)
        self._ready_timeout_s = ready_timeout_s
        self._request_timeout_s = request_timeout_s
        self._sample_interval_s = sample_interval_s
        self._served: dict[str, FunctionProcess] = {}
        self._sampler: UsageSampler | None = None
        self._release: weakref.finalize[[], LocalNode] | None = None

    def __enter__(self) -> Self:
        """Start the node."""
        self.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        """Stop the node."""
        self.stop()

    def start(self) -> None:
        """Serve every function, wait until all are ready, and call each once.

        Raises:
            PlatformError: code, runtime or port is missing, or a function does not start or answer with success;
                functions that had started are stopped again.
        """
        if self._served:
            raise PlatformError(f"the node {self.name} has been started already: stop it first")
        code = self._code
        with contextlib.ExitStack() as resources:
            folder = resources.enter_context(processes.temporary_folder("peva-node-"))
            served: dict[str, FunctionProcess] = {}
            resources.callback(_stop_all, served)
            self._serve(code, folder, served)
            leaders = {name: function.process for name, function in served.items()}
            self._sampler = UsageSampler(functools.partial(group_members, leaders), self._sample_interval_s)
            resources.callback(self._sampler.close)
            self._served = served
            # Created after the folder's finalizer: at exit the later finalizer runs first.
            self._release = weakref.finalize(self, resources.pop_all().close)

    def stop(self) -> None:
        """End the functions and delete their logs."""
        if self._release is not None:
            self._release()
        self._served = {}

    def url(self, function: str) -> str:
        """Return the address of a function.

        Raises:
            PlatformError: the node does not serve the function, or not yet.
        """
        return self._function(function).url

    def alive(self, function: str) -> bool:
        """Return whether the function's server still runs."""
        return self._function(function).alive

    def failure(self) -> str | None:
        """Return one line with a function that died and the end of its log; None if all run."""
        return next(filter(None, (function.failure() for function in self._served.values())), None)

    def describe(self) -> Mapping[str, Any]:
        """Return the machine and the functions, as plain data.

        Raises:
            PlatformError: the code of a function is missing.
        """
        return {
            "kind": "local",
            "hostname": platform.node(),
            "cpu_count": usable_cores(),
            # Rounded, because the RAM that the kernel reserves for itself differs a little between kernels.
            "ram_gib": round(psutil.virtual_memory().total / 2**30),
            "functions": {
                name: {"sha256": code.sha256, "target": code.target, "concurrency": code.concurrency}
                for name, code in self._code.items()
            },
        }

    def usage(self, start_at: float, end_at: float) -> NodeUsage:
        """Return the mean use between two moments in seconds since the epoch; waits until ``end_at`` is covered.

        Windows may reach back one hour. ``replicas`` is 1 for a function that was alive at the end, else 0. The use of
        the node and of functions is in percent of the machine's capacity; the class defines the use of *the node*.
        """
        return self._sampler.usage(start_at, end_at) if self._sampler else NodeUsage()

    @functools.cached_property
    def _code(self) -> dict[str, FunctionCode]:
        return resolve_all(self._functions)

    def _serve(self, code: Mapping[str, FunctionCode], folder: Path, served: dict[str, FunctionProcess]) -> None:
        for function in self._functions:
            log = folder / f"{function.name}.log"
            served[function.name] = FunctionProcess(function, code[function.name], log)
        for process in served.values():
            process.await_ready(self._ready_timeout_s)
        for process in served.values():
            process.preflight(self._request_timeout_s)

    def _function(self, name: str) -> FunctionProcess:
        if name not in self._served:
            known = ", ".join(self._served) or "none, it has not been started"
            raise PlatformError(f"the node {self.name} does not serve a function {name!r}; it serves: {known}")
        return self._served[name]


def _stop_all(served: Mapping[str, FunctionProcess]) -> None:
    processes.stop(*(function.process for function in served.values()))
