"""The operating system: clocks, signals, child processes, Ray, files, HTTP, a user's class, text, commands.

What must always hold:

- Nothing here knows of functions, rates or verdicts.
- Every failure is a ``PevaError`` or an exception of Python's own, never a silent default.
- A file that is replaced is complete at any moment, also after a crash.
- A command writes a new file, or replaces an earlier output of its own, never another file.
- A command that is printed works when it is copied.
- A child process and a temporary folder never outlive this process.
"""

from peva_env.system import processes
from peva_env.system.clock import Moment, elapsed_s
from peva_env.system.cluster import answers, end_with_raylet, head_address, is_own_raylet_lost, ray_cluster
from peva_env.system.cores import busy_s, urgent_pct, usable_cores, waited_s
from peva_env.system.files import local_path, replacing, write_text
from peva_env.system.http import HttpClient, NoResponseError, Response, Retry
from peva_env.system.interrupts import CommandEnd, FirstInterrupt, raise_end, uninterrupted
from peva_env.system.invocation import command_text, install_text
from peva_env.system.loading import load_class, same_folder
from peva_env.system.outputs import begins_with, output_file, output_folder, require_writable
from peva_env.system.text import exception_text, failure_text, json_value, moment_text, one_line, plain_number

__all__ = [
    "CommandEnd",
    "FirstInterrupt",
    "HttpClient",
    "Moment",
    "NoResponseError",
    "Response",
    "Retry",
    "answers",
    "begins_with",
    "busy_s",
    "command_text",
    "elapsed_s",
    "end_with_raylet",
    "exception_text",
    "failure_text",
    "head_address",
    "install_text",
    "is_own_raylet_lost",
    "json_value",
    "load_class",
    "local_path",
    "moment_text",
    "one_line",
    "output_file",
    "output_folder",
    "plain_number",
    "processes",
    "raise_end",
    "ray_cluster",
    "replacing",
    "require_writable",
    "same_folder",
    "uninterrupted",
    "urgent_pct",
    "usable_cores",
    "waited_s",
    "write_text",
]
