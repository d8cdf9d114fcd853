"""The local node: each function is a process on 127.0.0.1, and the operating system measures its resources."""

from peva_env.platforms.local.node import LocalNode
from peva_env.platforms.local.process_usage import usable_cores

__all__ = [
    "LocalNode",
    "usable_cores",
]
