"""The command line of datasets: ``peva-env export --minari ID``."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import gymnasium
import typer

from peva_env import __version__, datasets
from peva_env.campaign import DEFAULT_BUDGET_RUNS, require_positive
from peva_env.cli.map_options import DominanceRule
from peva_env.cli.mixed_agents import mixed_factory
from peva_env.cli.paths import path_option
from peva_env.cli.rates import simulated_rates
from peva_env.config import DfaasConfig, load_config
from peva_env.config.offline import parse_names, parse_rates
from peva_env.console import make_console, say
from peva_env.contracts import Agent
from peva_env.datasets import Exported, MinariDataset
from peva_env.errors import ConfigError
from peva_env.planning import campaign_loop
from peva_env.system import FirstInterrupt
from peva_env.views import CANDIDATES, CONTEXT, MAP, ROW

_INTERRUPTED = 130
_MAX_SEED = 2**63 - 1
"""What HDF5 holds, the format of Minari."""


@dataclass(frozen=True, slots=True)
class _Source:
    """The environment of the episodes: its id, its arguments, and its name in the description."""

    env_id: str
    arguments: dict[str, Any]
    name: str
    settings: DfaasConfig


def export(
    minari: Annotated[str, typer.Option("--minari", metavar="ID", help="Id of the dataset, such as peva/sim-v0.")],
    agent: Annotated[
        str,
        typer.Option(
            help="The agent that plays the episodes: a name, a model file, or module:Class; or several with their "
            "shares of the episodes, as learnt:0.7,uniform:0.3."
        ),
    ] = "cartesian",
    data: Annotated[
        list[str] | None,
        typer.Option(
            "--data", metavar="DIR", help="Replay a recording: a folder of core Parquet, or a shipped dataset."
        ),
    ] = None,
    sim: Annotated[
        Literal["random", "local"] | None,
        typer.Option("--sim", help="Use simulated nodes: random (a new one each episode) or local."),
    ] = None,
    config: Annotated[
        Path | None, path_option("--config", "-c", help="Measure a live node: its configuration file. Sends real load.")
    ] = None,
    episodes: Annotated[int, typer.Option(help="Number of episodes.")] = 10,
    budget_runs: Annotated[
        int | None, typer.Option(help="Stop an episode after this number of runs (default: 64; live: no limit).")
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of the first episode; each next one is higher by 1.")] = 0,
    rates: Annotated[
        list[str] | None,
        typer.Option(
            "--rates",
            metavar="NAME=RATES",
            help="With --sim: rates of a function, as a=0,20,40 or a=0:200:10; may be given several times.",
        ),
    ] = None,
    scenarios: Annotated[
        str | None,
        typer.Option(help="With --data: maps of the episodes, by name or by prefix as LIGHT*, separated by commas."),
    ] = None,
    noise: Annotated[float | None, typer.Option(help="With --sim: noise of a run, as a share (default: 0.03).")] = None,
    iterations: Annotated[
        int | None, typer.Option(help="Offline: runs of a measurement, whose majority decides (default: 1).")
    ] = None,
    dominance: Annotated[
        DominanceRule | None, typer.Option(help="Offline: how verdicts are inferred (default: within_sets).")
    ] = None,
    reward: Annotated[str, typer.Option(help="frontier, early, right, goodput, or module:Class.")] = "frontier",
    view: Annotated[str, typer.Option(help="The observations: map, or candidates, 64 of them.")] = MAP,
    epsilon: Annotated[
        float, typer.Option(help="Probability of a step that takes any legal action instead of the agent's.")
    ] = 0.0,
    force: Annotated[bool, typer.Option("--force", help="Replace an existing dataset of this id.")] = False,
) -> None:
    """Write episodes of an agent as a Minari dataset, for offline learning.

    Ends with 130 when interrupted, 1 on an error, 2 on wrong usage; nothing is written then.
    """
    for name, number in (("--episodes", episodes), ("--budget-runs", budget_runs)):
        require_positive(name, number)
    if not 0 <= seed <= _MAX_SEED - episodes + 1:
        raise ConfigError(f"--seed {seed}: must be 0 or more, and the last episode's at most {_MAX_SEED}")
    if not 0 <= epsilon <= 1:
        raise ConfigError(f"--epsilon {epsilon}: must be a probability, from 0 to 1")
    names = parse_names(scenarios) if scenarios is not None else None
    kinds: dict[str, dict[str, Any]] = {
        "--sim": {"noise": noise},
        "--data": {"scenarios": names},
        "--sim or --data": {"iterations": iterations, "dominance": dominance},
    }
    _refuse_misplaced(kinds, "--sim" if sim else "--data" if data else "--config")
    source = _source(data, sim, config, rates, budget_runs)
    given = {name: value for options in kinds.values() for name, value in options.items() if value is not None}
    source.arguments.update(given | _unusual(reward, view))
    make_agent = mixed_factory(agent)
    dataset = MinariDataset(minari, force=force)
    console, interrupts = make_console(), FirstInterrupt()
    try:
        exported = _write(dataset, source, agent, make_agent, episodes=episodes, seed=seed, epsilon=epsilon)
    except KeyboardInterrupt:
        say(console, "interrupted: no dataset is written")
        raise typer.Exit(_INTERRUPTED) from None
    finally:
        interrupts.hear_no_more()
    size = f"{exported.n_episodes:,} episodes, {exported.n_steps:,} steps, {exported.size_bytes / 1e6:.1f} MB"
    say(console, f"wrote {minari}: {size}, in {exported.path}")


def _write(
    dataset: MinariDataset,
    source: _Source,
    agent: str,
    make_agent: Callable[[DfaasConfig], Agent],
    *,
    episodes: int,
    seed: int,
    epsilon: float,
) -> Exported:
    with closing(gymnasium.make(source.env_id, **source.arguments)) as env:
        return dataset.write(
            env,
            campaign_loop(),
            lambda number: make_agent(source.settings.model_copy(update={"seed": number})),
            n_episodes=episodes,
            seed=seed,
            algorithm=agent,
            description=_description(source, agent, episodes, seed, epsilon),
            epsilon=epsilon,
            features=_feature_names(source),
        )


def _feature_names(source: _Source) -> dict[str, list[str]] | None:
    """Return the names of the features in each part of an observation; None for observations of the map."""
    if source.arguments.get("view") != CANDIDATES:
        return None
    parts = {"candidates": ROW, "context": CONTEXT}
    return {part: [feature.name for feature in features] for part, features in parts.items()}


def _refuse_misplaced(kinds: Mapping[str, Mapping[str, Any]], given: str) -> None:
    """Refuse options of sources that are not given."""
    for sources, options in kinds.items():
        for name, value in options.items():
            if value is not None and given not in sources.split():
                raise ConfigError(f"--{name} is for {sources}; leave it out")


def _unusual(reward: str, view: str) -> dict[str, Any]:
    """Return the arguments that differ from the environment's defaults."""
    return {
        name: value for name, value, usual in (("reward", reward, "frontier"), ("view", view, MAP)) if value != usual
    }


def _source(
    data: Sequence[str] | None, sim: str | None, config: Path | None, rates: Sequence[str] | None, runs: int | None
) -> _Source:
    if sum(1 for given in (data, sim, config) if given) != 1:
        raise ConfigError("give one of --sim, --data and --config, which says where the episodes are played")
    if rates and not sim:
        raise ConfigError("--rates is for --sim; a recording and a configuration have rates of their own")
    if config:
        return _live(config, runs)
    budget = {"budget_runs": DEFAULT_BUDGET_RUNS if runs is None else runs}
    if sim:
        rates_rps = simulated_rates(sim, parse_rates(rates or ()))
        arguments = budget | {"node": sim} | ({"rates_rps": rates_rps} if rates_rps else {})
        return _Source("peva/FaasSim-v1", arguments, f"a simulated node ({sim})", DfaasConfig())
    names = [one if one in datasets.names() else str(Path(one).resolve()) for one in data or ()]
    return _Source("peva/FaasReplay-v1", budget | {"data": names}, f"recordings ({', '.join(names)})", DfaasConfig())


def _live(path: Path, runs: int | None) -> _Source:
    """Return the source of a live node. It names the file, whose content may hold tokens that no dataset may hold."""
    settings = load_config(path)
    arguments = {"config_path": str(path.resolve()), "budget_runs": runs}
    return _Source("peva/FaasLive-v1", arguments, f"a live node ({settings.platform})", settings)


def _description(source: _Source, agent: str, episodes: int, seed: int, epsilon: float) -> str:
    runs = source.arguments["budget_runs"]
    budget = "no limit of runs" if runs is None else f"at most {runs} runs an episode"
    return (
        f"Agent {agent}, epsilon {epsilon:g}, chooses load tests of {source.name}; {budget}; "
        f"seeds {seed} to {seed + episodes - 1}; "
        f"peva-env {__version__}. infos hold action_mask and log_prob: row t is of the action at observation t."
    )
