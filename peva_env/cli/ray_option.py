"""The option ``--ray`` of the commands that can work on many machines."""

from typing import Annotated

import typer

RayOption = Annotated[
    str | None,
    typer.Option(
        "--ray",
        metavar="ADDRESS",
        help="Use a Ray cluster: HOST:PORT, auto (the one of this machine), or local (start one here).",
    ),
]
