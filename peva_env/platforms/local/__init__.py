"""The embedded node: each function as a process on 127.0.0.1, measured by what the operating system says of it."""

from peva_env.platforms.local.node import LocalNode
from peva_env.platforms.local.process_usage import usable_cores

__all__ = [
    "LocalNode",
    "usable_cores",
]
