"""The k6 process: waiting for its end, and the meaning of its exit code."""

import contextlib
import os
import resource
import signal
import subprocess
import time
from collections.abc import Callable

_POLL_S = 0.02
_OPEN_FILES = 65_536
THRESHOLD_FAILED = 99
INTERRUPTED = 105
NO_REST_API = 106
IGNORING_INTERRUPTS = ("/bin/sh", "-c", "trap '' INT; exec \"$@\"", "sh")
"""What comes before the command of k6, so that SIGINT does nothing while k6 has no handler for it.

k6 handles SIGINT only while it sends; while it starts or writes its summary, an interrupt would end it without one.
Go keeps a SIGINT ignored that was ignored at its start (https://pkg.go.dev/os/signal), but does not keep it blocked.
"""
_EXIT_MEANINGS = {
    THRESHOLD_FAILED: "a threshold failed",
    104: "it refused its configuration",
    INTERRUPTED: "it was interrupted by a signal",
    NO_REST_API: "its REST API could not be served",
    107: "its script raised an exception",
    108: "its script aborted the test",
    109: "it panicked",
    126: "its binary cannot be executed",
    127: "its binary is gone",
    255: "it refused its arguments or an output",
    -9: "it was killed, perhaps for want of memory",
}


def exit_meaning(code: int) -> str:
    """Return the meaning of k6's exit code; a negative code is a signal that k6 did not handle."""
    if code < 0 and code not in _EXIT_MEANINGS:
        return f"it was ended by {signal.Signals(-code).name}"
    return _EXIT_MEANINGS.get(code, "an exit code without a known meaning")


def raise_file_limit(pid: int) -> None:
    """Raise the number of files that a process may open, as far as the system allows; each connection is one file."""
    if not hasattr(resource, "prlimit"):  # Linux only
        return
    with contextlib.suppress(ProcessLookupError):  # it has ended already
        _, hard = resource.prlimit(pid, resource.RLIMIT_NOFILE)
        for limit in (max(hard, _OPEN_FILES), hard):  # only a privileged process may raise the hard limit
            with contextlib.suppress(PermissionError, ValueError):
                resource.prlimit(pid, resource.RLIMIT_NOFILE, (limit, limit))
                return


def interrupt(pid: int) -> None:
    """Let k6 end its load at once, with a summary."""
    with contextlib.suppress(ProcessLookupError):  # it has ended already
        os.kill(pid, signal.SIGINT)


def wait(
    process: subprocess.Popen[bytes],
    limit_s: float,
    *looks: Callable[[], None],
    until: Callable[[], bool] = lambda: False,
) -> float | None:
    """Return the CPU seconds that a process used until it ended.

    None if it did not end within ``limit_s``, or before ``until`` was true. Meanwhile ``looks`` are called fifty times
    a second.

    ``wait4`` gives the CPU time of this child alone; ``RUSAGE_CHILDREN`` would include children of other threads.
    """
    deadline = time.monotonic() + limit_s
    while time.monotonic() < deadline:
        pid, status, usage = os.wait4(process.pid, os.WNOHANG)
        if pid:
            process.returncode = os.waitstatus_to_exitcode(status)
            return usage.ru_utime + usage.ru_stime
        for look in looks:
            look()
        if until():
            return None
        time.sleep(_POLL_S)
    return None
