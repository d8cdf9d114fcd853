"""The command line of training: ``peva-env train``."""

from pathlib import Path
from typing import Annotated, Any

import typer

from peva_env.cli.model_options import options_of
from peva_env.cli.paths import path_option
from peva_env.cli.rates import simulated_rates
from peva_env.cli.ray_option import RayOption
from peva_env.config.offline import TrainingConfig
from peva_env.console import make_console
from peva_env.planning import trainer


@options_of(TrainingConfig)
def train(
    settings: dict[str, Any],
    out: Annotated[Path | None, path_option(help="Folder of a new training (default: peva-training).")] = None,
    resume: Annotated[Path | None, path_option(help="Folder of a stopped training, to resume it.")] = None,
    jobs: Annotated[
        int | None, typer.Option(min=1, help="Number of parallel processes (default: one per core).")
    ] = None,
    ray: RayOption = None,
) -> None:
    """Train an agent offline, on recordings, simulated nodes or both, and compare it with the baselines.

    Writes the model, checkpoints, the learning curve, TensorBoard logs and the comparison into a folder.
    --resume FOLDER resumes a stopped training.
    """
    rates_rps = simulated_rates(settings.get("sim", ""), settings.get("rates_rps"))
    chosen = settings | ({"rates_rps": rates_rps} if rates_rps else {})
    trainer()(chosen, console=make_console(), out=out, resume=resume, jobs=jobs, ray=ray)
