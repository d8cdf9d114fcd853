"""Training of the learnt agent: campaigns are played, and the estimate learns what was true of their candidates.

First the estimate, in rounds, as in DAgger (Ross, Gordon and Bagnell, AISTATS 2011): the first campaigns are driven by
chance and by bisection, later ones by what was learnt before, so that it is asked about the maps that it leads to
itself. Then the correction: see ``peva_agents.training.correction``.

    python -m peva_agents.training.learnt --data FOLDER --scenarios LIGHT --out learnt.npz
"""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from numpy.typing import NDArray

from peva_agents.beliefs import Network, Networks
from peva_agents.bisection import BisectionPolicy
from peva_agents.learnt import LearntPolicy
from peva_agents.loop import run_campaign
from peva_agents.models import one_thread, require_sb3
from peva_agents.policy_agent import PolicyAgent
from peva_agents.training.candidates import Place
from peva_agents.training.fitting import fit
from peva_agents.uniform import UniformPolicy
from peva_env.campaign import OfflineParts, replay_parts, sim_parts, true_labels
from peva_env.contracts import ExecutionEvent, PolicyContext, PreparedPolicy
from peva_env.env import PevaEnv
from peva_env.inference import OVERLOADED_LABEL
from peva_env.planning import Candidates
from peva_env.space import Config

_LOOKED_AT = frozenset([*range(1, 11), *range(12, 31, 2), *range(35, 100, 5), *range(100, 401, 25)])
"""After so many runs a campaign is looked at: neighbouring looks are nearly the same."""

_MOST_RUNS = 400
_FIRST_SEED = 10_000_000
"""Nodes are drawn from here on, far from the seeds that anybody would give an arena."""

_N_JUDGED = 200
"""So many campaigns a correction is judged by."""

_THREE = {name: list(range(0, 201, 20)) for name in ("a", "b", "c")}


@dataclass(frozen=True, slots=True)
class Lesson:
    """What could be known of some candidates, and what was true of them; ``weight`` is shared out among them."""

    features: NDArray[np.float32]  # (k, d)
    overloaded: NDArray[np.bool_]  # (k,)
    weight: float


@dataclass
class Pupil:
    """A policy that lets another one drive, and takes lessons from what both are offered."""

    driver: Any
    observer: LearntPolicy
    truth: NDArray[np.int8]  # (N,)
    weight: float
    lessons: list[Lesson] = field(default_factory=list)
    n_runs: int = 0

    def setup(self, context: PolicyContext) -> None:
        """Set both up."""
        self.observer.setup(context)
        if self.driver is not self.observer and isinstance(self.driver, PreparedPolicy):
            self.driver.setup(context)

    def choose_batch(self, *, candidates: Sequence[Config], desired_size: int) -> Sequence[Config]:
        """Take a lesson, and return what the driver chooses."""
        if self.n_runs in _LOOKED_AT and isinstance(candidates, Candidates):
            looked_at = self.observer.sample(candidates)
            counts = self.observer.counts(looked_at, candidates)
            found = self.observer.features(self.observer.shares(looked_at), counts).astype(np.float32)
            overloaded = self.truth[looked_at.indices] == OVERLOADED_LABEL
            self.lessons.append(Lesson(found, overloaded, self.weight))
        chosen: Sequence[Config] = self.driver.choose_batch(candidates=candidates, desired_size=desired_size)
        return chosen

    def update_online(self, event: ExecutionEvent) -> None:
        """Learn."""
        self.update_batch([event])

    def update_batch(self, events: list[ExecutionEvent]) -> None:
        """Learn."""
        self.n_runs += len(events)
        self.observer.update_batch(events)
        if self.driver is not self.observer:
            self.driver.update_batch(events)


@dataclass(frozen=True)
class School:
    """Some worlds: how many campaigns a round plays in each of their scenarios, and what a lesson of them weighs."""

    parts: OfflineParts
    n_campaigns: int
    weight: float = 1.0

    def lessons(self, networks: Networks | None, first_seed: int) -> Iterator[Lesson]:
        """Play a round, driven by the networks, or without any by chance and bisection in turn; yield its lessons."""
        world = self.parts.world
        env = PevaEnv(self.parts.campaigns(), self.parts.objective)
        for number, scenario in enumerate(world.scenarios):
            for seed in range(first_seed, first_seed + self.n_campaigns):
                truth = true_labels(world, seed, number)
                if len(set(truth.tolist()) - {0}) == 2:
                    pupil = self._pupil(networks, seed, truth)
                    run_campaign(env, PolicyAgent(pupil), seed=seed, options={"scenario": scenario})
                    yield from pupil.lessons

    def _pupil(self, networks: Networks | None, seed: int, truth: NDArray[np.int8]) -> Pupil:
        observer = LearntPolicy(networks or _NOTHING_LEARNT, seed)
        driver: Any = observer
        if networks is None:
            driver = BisectionPolicy(seed) if seed % 2 else UniformPolicy(seed)
        return Pupil(driver, observer, truth, self.weight)


_NOTHING_LEARNT = Networks(Network(np.zeros(1), np.ones(1), ()))


def places(data: Sequence[str], scenarios: Sequence[str]) -> list[Place]:
    """Return where the correction is trained: nodes that the estimate has not met, and recorded maps, which it has.

    On those its estimates are better than on others, so that being level there says little about other maps.

    Raises:
        PevaError: the recordings cannot be read, or have no such scenarios.
    """
    limit: dict[str, Any] = {"budget_runs": _MOST_RUNS}
    found = [
        Place(sim_parts("random", noise=0.0, **limit), 1.0),
        Place(sim_parts("random", iterations=3, **limit), 1.0),
        Place(sim_parts("random", rates_rps=_THREE, noise=0.0, **limit), 0.4),
    ]
    if data:
        parts = replay_parts(list(data), scenarios=list(scenarios) or None, iterations=3, **limit)
        found.append(Place(parts, 0.6))
    return found


def schools(data: Sequence[str], scenarios: Sequence[str], n_nodes: int) -> list[School]:
    """Return where lessons are taken: recorded maps, and nodes with and without noise, of two functions and of three.

    Raises:
        PevaError: the recordings cannot be read, or have no such scenarios.
    """
    limit: dict[str, Any] = {"budget_runs": _MOST_RUNS}
    found = [
        School(sim_parts("random", noise=0.0, **limit), n_nodes),
        School(sim_parts("random", **limit), n_nodes // 2),
        School(sim_parts("random", rates_rps=_THREE, **limit), n_nodes // 8),
    ]
    if data:
        parts = replay_parts(list(data), scenarios=list(scenarios) or None, **limit)
        found.append(School(parts, 3, weight=4.0))
    return found


def learn(lessons: Sequence[Lesson], seed: int, n_steps: int) -> Networks:
    """Fit the estimate to lessons; each lesson weighs the same, however many candidates it had, but for its weight."""
    weights = [np.full(len(lesson.overloaded), lesson.weight / len(lesson.overloaded)) for lesson in lessons]
    features = np.concatenate([lesson.features for lesson in lessons])
    overloaded = np.concatenate([lesson.overloaded for lesson in lessons])
    return Networks(fit(features, overloaded, np.concatenate(weights), seed=seed, n_steps=n_steps))


def main(
    out: Annotated[Path, typer.Option(help="The file to write.")] = Path("learnt.npz"),
    data: Annotated[list[str], typer.Option(help="Recordings to learn on, too.")] = [],  # noqa: B006 - typer's way
    scenarios: Annotated[list[str], typer.Option(help="Only those of them whose names begin so.")] = [],  # noqa: B006
    nodes: Annotated[int, typer.Option(min=8, help="Simulated nodes of each kind and round.")] = 100,
    rounds: Annotated[int, typer.Option(min=1, help="Rounds of campaigns.")] = 4,
    steps: Annotated[int, typer.Option(min=1, help="Steps of each fit.")] = 6000,
    choices: Annotated[int, typer.Option(min=0, help="Choices that a correction learns from; 0: none.")] = 0,
    seed: Annotated[int, typer.Option(min=0, help="Of networks and episodes.")] = 0,
) -> None:
    """Train the learnt agent's estimate on simulated nodes and recorded maps, then, where asked to, its correction."""
    require_sb3()
    one_thread()
    found, where = schools(data, scenarios, nodes), places(data, scenarios)
    lessons: list[Lesson] = []
    networks: Networks | None = None
    for number in range(rounds):
        began = time.monotonic()
        first_seed = _FIRST_SEED * (1 + seed) + number * 100_000
        lessons += [lesson for school in found for lesson in school.lessons(networks, first_seed)]
        networks = learn(lessons, seed, steps)
        networks.save(out)
        typer.echo(f"round {number + 1}: {len(lessons)} lessons, {time.monotonic() - began:.0f} s")
    if networks and choices:
        _correct(networks, where, choices, seed).save(out)
    typer.echo(f"wrote {out}")


def _correct(networks: Networks, where: Sequence[Place], n_choices: int, seed: int) -> Networks:
    from peva_agents.training.correction import correct  # PyTorch takes seconds to import, errors come first

    return correct(networks, where, n_choices=n_choices, n_judged=_N_JUDGED, seed=seed, say=typer.echo)


if __name__ == "__main__":
    typer.run(main)
