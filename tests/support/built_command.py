"""Builds the command line once, in the server of ``forkserver``, which imports this: it takes 10 ms of each command."""

from functools import cache

import typer.main

from peva_env.cli.commands import app

typer.main.get_command = cache(typer.main.get_command)
typer.main.get_command(app)
