"""The command line ``peva-env``: one file a group of commands; ``commands`` puts them together."""

from peva_env.cli.commands import app, main

__all__ = ["app", "main"]
