"""Training of the learnt agent: campaigns are played, and the estimate learns the true labels of their candidates.

The estimate is trained in rounds, as in DAgger (Ross, Gordon and Bagnell, AISTATS 2011). Uniform choice and bisection
drive the first campaigns, and the networks of the round before drive later ones, so that the estimate is trained on the
maps to which it leads itself. Then the correction is trained: see ``peva_agents.training.correction``.

    python -m peva_agents.training.learnt --data FOLDER --scenarios LIGHT --out learnt.npz
"""

import sys
import time
from collections.abc import Sequence
from functools import cache
from itertools import chain
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from peva_agents.beliefs import Networks
from peva_agents.models import one_thread, require_sb3
from peva_agents.training.candidates import CorrectionWorld
from peva_agents.training.examples import ExampleCollector, Examples
from peva_agents.training.fitting import fit
from peva_agents.turns import Turns, in_order, turns
from peva_env.campaign import replay_setup, simulated_setup
from peva_env.console import complain, guard_output
from peva_env.errors import ConfigError, PevaError

_LIMIT: dict[str, Any] = {"budget_runs": 400}

_FIRST_SEED = 10_000_000
"""The first seed of simulated nodes, far from the seeds that users give to an arena."""

_N_EVALUATED = 200
"""The number of campaigns that decide whether a correction is kept."""

_THREE_FUNCTIONS = {name: list(range(0, 201, 20)) for name in ("a", "b", "c")}


def correction_worlds(data: Sequence[str], scenarios: Sequence[str]) -> list[CorrectionWorld]:
    """Return the worlds on which the correction is trained: simulated nodes, and recorded maps if ``data`` are given.

    The estimate was not trained on these nodes, but it was trained on these maps. So it is better on these maps than on
    others, and a correction that gains nothing on these maps may still help on others.

    Raises:
        PevaError: the recordings cannot be read, or have no such scenarios.
    """
    worlds = [
        CorrectionWorld(simulated_setup("random", noise=0.0, **_LIMIT), 1.0),
        CorrectionWorld(simulated_setup("random", iterations=3, **_LIMIT), 1.0),
        CorrectionWorld(simulated_setup("random", rates_rps=_THREE_FUNCTIONS, noise=0.0, **_LIMIT), 0.4),
    ]
    if data:
        setup = replay_setup(list(data), scenarios=list(scenarios) or None, iterations=3, **_LIMIT)
        worlds.append(CorrectionWorld(setup, 0.6))
    return worlds


def example_collectors(data: Sequence[str], scenarios: Sequence[str], n_nodes: int) -> list[ExampleCollector]:
    """Return the collectors of examples: nodes with and without noise, of two and three functions, and recorded maps.

    Raises:
        PevaError: the recordings cannot be read, or have no such scenarios.
    """
    collectors = [
        ExampleCollector(simulated_setup("random", noise=0.0, **_LIMIT), n_nodes),
        ExampleCollector(simulated_setup("random", **_LIMIT), n_nodes // 2),
        ExampleCollector(simulated_setup("random", rates_rps=_THREE_FUNCTIONS, **_LIMIT), n_nodes // 8),
    ]
    if data:
        setup = replay_setup(list(data), scenarios=list(scenarios) or None, **_LIMIT)
        collectors.append(ExampleCollector(setup, 3, weight=4.0))
    return collectors


@cache
def _collectors(data: tuple[str, ...], scenarios: tuple[str, ...], n_nodes: int) -> list[ExampleCollector]:
    """Return the collectors of examples; each worker makes them once."""
    return example_collectors(data, scenarios, n_nodes)


def _collected(worlds: tuple[Any, ...], networks: Networks | None, kind: int, number: int, seed: int) -> list[Examples]:
    return _collectors(*worlds)[kind].collect(networks, number, seed)


def round_of_examples(
    players: Turns,
    data: Sequence[str],
    scenarios: Sequence[str],
    n_nodes: int,
    *,
    networks: Networks | None,
    first_seed: int,
) -> list[Examples]:
    """Return the examples of a round of campaigns, in an order that does not depend on the workers.

    Raises:
        PevaError: the recordings cannot be read, or have no such scenarios; or a worker died.
    """
    worlds = tuple(data), tuple(scenarios), n_nodes
    campaigns = [
        (worlds, networks, kind, number, seed)
        for kind, collector in enumerate(_collectors(*worlds))
        for number, seed in collector.campaigns(first_seed)
    ]
    (collected,) = in_order(players, (_collected, campaigns))
    return list(chain(*collected))


def fit_estimate(examples: Sequence[Examples], seed: int, n_steps: int) -> Networks:
    """Fit the estimate to examples; the number of candidates of an entry does not change its weight."""
    weights = [np.full(len(entry.overloaded), entry.weight / len(entry.overloaded)) for entry in examples]
    features = np.concatenate([entry.features for entry in examples])
    overloaded = np.concatenate([entry.overloaded for entry in examples])
    return Networks(fit(features, overloaded, np.concatenate(weights), seed=seed, n_steps=n_steps))


def main(
    out: Annotated[Path, typer.Option(help="The file to write.")] = Path("learnt.npz"),
    data: Annotated[list[str], typer.Option(help="Recordings to learn on, too.")] = [],  # noqa: B006 - typer's way
    scenarios: Annotated[list[str], typer.Option(help="Only their maps with these names or prefixes.")] = [],  # noqa: B006
    nodes: Annotated[int, typer.Option(min=8, help="Simulated nodes of each kind and round.")] = 100,
    rounds: Annotated[int, typer.Option(min=1, help="Rounds of campaigns.")] = 4,
    steps: Annotated[int, typer.Option(min=1, help="Steps of each fit.")] = 6000,
    choices: Annotated[int, typer.Option(min=0, help="Choices that a correction learns from; 0: no correction.")] = 0,
    jobs: Annotated[int | None, typer.Option(min=1, help="Parallel processes (default: one per core).")] = None,
    ray: Annotated[str | None, typer.Option(help="A Ray cluster instead: HOST:PORT, auto or local.")] = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of networks and episodes.")] = 0,
) -> None:
    """Train the learnt agent's estimate on simulated nodes and recorded maps, then, with --choices, its correction."""
    require_sb3()
    one_thread()
    players, worlds = turns(jobs=jobs, ray=ray), correction_worlds(data, scenarios)
    examples: list[Examples] = []
    networks: Networks | None = None
    for number in range(rounds):
        began = time.monotonic()
        first_seed = _FIRST_SEED * (1 + seed) + number * 100_000
        examples += round_of_examples(players, data, scenarios, nodes, networks=networks, first_seed=first_seed)
        networks = fit_estimate(examples, seed, steps)
        networks.save(out)
        typer.echo(f"round {number + 1}: {len(examples)} examples, {time.monotonic() - began:.0f} s")
    if networks and choices:
        _correct(networks, worlds, choices, seed).save(out)
    typer.echo(f"wrote {out}")


def _correct(networks: Networks, worlds: Sequence[CorrectionWorld], n_choices: int, seed: int) -> Networks:
    from peva_agents.training.correction import correct  # PyTorch takes seconds to import, errors come first

    return correct(networks, worlds, n_choices=n_choices, n_evaluated=_N_EVALUATED, seed=seed, say=typer.echo)


def command() -> None:
    """Run this module; an error that a user can cause is one line, with the exit code that ``peva-env`` has for it."""
    try:
        typer.run(main)
    except PevaError as error:
        complain(str(error))
        sys.exit(2 if isinstance(error, ConfigError) else 1)


if __name__ == "__main__":
    guard_output()
    command()
