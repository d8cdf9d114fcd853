"""The command line of training: ``peva-env train``."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from peva_env.cli.rates import simulated_rates
from peva_env.console import make_console
from peva_env.errors import ConfigError
from peva_env.planning import trainer

Names = list[str] | None


def train(
    algo: Annotated[str | None, typer.Option(help="maskable-ppo (the default), ppo or dqn.")] = None,
    data: Annotated[
        Names, typer.Option(help="A folder of core Parquet, or the name of a dataset; may be given several times.")
    ] = None,
    sim: Annotated[str | None, typer.Option(help="random: a new simulated node each episode; local: one node.")] = None,
    rates: Annotated[
        Names,
        typer.Option(metavar="NAME=RATES", help="With --sim: a=0,20,40 or a=0:200:10; once a function."),
    ] = None,
    min_functions: Annotated[int | None, typer.Option(help="With --sim: fewest functions in a configuration.")] = None,
    max_functions: Annotated[int | None, typer.Option(help="With --sim: exclusive upper bound of them.")] = None,
    noise: Annotated[float | None, typer.Option(help="With --sim: noise of a run, as a share (0.03).")] = None,
    train_scenarios: Annotated[
        Names, typer.Option(help="With --data: maps to learn on, by name or how it begins; may be given several times.")
    ] = None,
    validation_scenarios: Annotated[Names, typer.Option(help="Likewise: maps to choose the best model on.")] = None,
    test_scenarios: Annotated[Names, typer.Option(help="Likewise: maps to compare it with the baselines on.")] = None,
    budget_runs: Annotated[int | None, typer.Option(help="Runs that an episode may spend (64).")] = None,
    dominance: Annotated[
        str | None,
        typer.Option(help="How verdicts are inferred: within_sets (the default), two_sided, or one_sided, as live."),
    ] = None,
    reward: Annotated[str | None, typer.Option(help="frontier (the default), goodput, or module:Class.")] = None,
    steps: Annotated[
        int | None, typer.Option(help="Steps to learn for (300,000; 60,000 of dqn; 30,000 on large maps).")
    ] = None,
    envs: Annotated[int | None, typer.Option(help="Environments side by side (64; 16 on large maps).")] = None,
    seed: Annotated[int | None, typer.Option(help="Of networks, episodes and the split of the maps (0).")] = None,
    hyperparameters: Annotated[
        Names,
        typer.Option("--set", metavar="NAME=VALUE", help="A hyperparameter, as in learning_rate=0.001; repeatable."),
    ] = None,
    validation_episodes: Annotated[int | None, typer.Option(help="Episodes of each validation (32).")] = None,
    evaluation_episodes: Annotated[
        int | None, typer.Option(help="Episodes of each test scenario in the comparison (50).")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Folder of a new training (peva-training).")] = None,
    resume: Annotated[Path | None, typer.Option(help="Folder of a training to go on with.")] = None,
) -> None:
    """Train an agent offline, on recordings or simulated nodes, and compare it with the baselines.

    Writes the model, checkpoints, the learning curve, TensorBoard logs and the comparison into a folder. A training
    that was stopped goes on with --resume FOLDER.
    """
    given = {
        "algo": algo,
        "data": data,
        "sim": sim,
        "rates_rps": simulated_rates(sim or "", rates),
        "min_functions": min_functions,
        "max_functions": max_functions,
        "noise": noise,
        "train_scenarios": train_scenarios,
        "validation_scenarios": validation_scenarios,
        "test_scenarios": test_scenarios,
        "budget_runs": budget_runs,
        "dominance": dominance,
        "reward": reward,
        "total_steps": steps,
        "n_envs": envs,
        "seed": seed,
        "hyperparameters": _values(hyperparameters) if hyperparameters else None,
        "validation_episodes": validation_episodes,
        "evaluation_episodes": evaluation_episodes,
    }
    settings = {name: value for name, value in given.items() if value is not None}
    trainer()(settings, console=make_console(), out=out, resume=resume)


def _values(texts: Sequence[str]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not name or not equals:
            raise ConfigError(f"--set {text!r}: must be NAME=VALUE, as in learning_rate=0.001")
        try:
            values[name] = json.loads(value)
        except ValueError:
            values[name] = value
    return values
