"""The local node: each function is a process on 127.0.0.1, and the operating system measures its resources."""

from peva_env.platforms.local.node import LocalNode

__all__ = [
    "LocalNode",
]
