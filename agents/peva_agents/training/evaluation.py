"""Comparing a policy with the baselines, on episodes that none of them has met, at the same budget.

Every agent plays the same episodes: the same maps or nodes, in the same mood. What an agent has to say of an episode is
the map that is known at its end; *accuracy* is the share of the recorded configurations of which it says what is true,
so that an unknown one counts as wrong.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from peva_agents.arena import LegalOnly, Part, bootstrap, mean, resamples, score
from peva_agents.bisection import BisectionAgent
from peva_agents.cartesian import CartesianAgent
from peva_agents.loop import run_campaign
from peva_agents.models import best_legal
from peva_agents.training.worlds import TrainingWorlds
from peva_agents.uniform import UniformAgent
from peva_env.campaign import true_labels
from peva_env.config import DfaasConfig
from peva_env.space import Dominance

COLUMNS = {"resolved": "resolved", "accuracy": "accuracy", "reward": "return", "n_runs": "runs"}
"""What is told of an episode, by its name in a table."""

_BASELINES: Mapping[str, tuple[Callable[[DfaasConfig], Any], Dominance | None]] = {
    "cartesian (one-sided)": (CartesianAgent, "one_sided"),
    "uniform": (UniformAgent, None),
    "bisection": (BisectionAgent, None),
}
"""Each with the kind of dominance that its episodes have, the training's own where there is none."""


@dataclass(frozen=True, slots=True)
class EpisodeResult:
    """What an agent made of an episode: shares of the map resolved and told right, return, and runs."""

    agent: str
    scenario: str
    seed: int
    resolved: float
    accuracy: float
    reward: float
    n_runs: int


@dataclass(frozen=True, slots=True)
class Played:
    """Episodes that a policy played side by side, an array a figure (n,), and the maps at their ends (n, N)."""

    rewards: NDArray[np.float64]
    n_runs: NDArray[np.int64]
    resolved: NDArray[np.float64]
    labels: NDArray[np.int8]


def play_side_by_side(
    policy: Any, worlds: TrainingWorlds, part: Part, seeds: Sequence[int], scenario: str | None = None
) -> Played:
    """Let a policy play an episode of each seed, always its best legal action."""
    n = len(seeds)
    env = worlds.vector(part, n)
    observation, _ = env.reset(seed=seeds, options={"scenario": scenario} if scenario else {})
    playing = np.ones(n, np.bool_)
    rewards, n_runs, resolved = np.zeros(n), np.zeros(n, np.int64), np.zeros(n)
    labels = np.zeros(observation["map"].shape, np.int8)
    while playing.any():
        observation, paid, terminated, truncated, infos = env.step(best_legal(policy, observation, env.action_masks()))
        ended = playing & (terminated | truncated)
        last = infos.get("final_info", infos)
        rewards += paid * playing
        n_runs += np.where(ended, last["n_runs"], infos["n_runs"]) * playing
        if ended.any():
            resolved[ended] = infos["final_obs"]["progress"][ended, 0]
            labels[ended] = infos["final_obs"]["map"][ended]
            playing &= ~ended
    return Played(rewards, n_runs, resolved, labels)


def evaluate(policy: Any, name: str, worlds: TrainingWorlds, n_episodes: int) -> Iterable[EpisodeResult]:
    """Yield what the policy and the baselines make of ``n_episodes`` of each test scenario."""
    seeds = worlds.seeds("test", n_episodes)
    for number, scenario in enumerate(worlds.scenarios("test")):
        truths = [true_labels(worlds.parts["test"].world, seed, number) for seed in seeds]
        played = play_side_by_side(policy, worlds, "test", seeds, scenario)
        for i, seed in enumerate(seeds):
            accuracy = score(played.labels[i], truths[i]).accuracy
            figures = (float(played.resolved[i]), accuracy, float(played.rewards[i]), int(played.n_runs[i]))
            yield EpisodeResult(name, scenario, seed, *figures)
        for baseline in _BASELINES:
            yield from _baseline(baseline, worlds, scenario, seeds, truths)


def _baseline(
    name: str, worlds: TrainingWorlds, scenario: str, seeds: Sequence[int], truths: Sequence[NDArray[np.int8]]
) -> Iterable[EpisodeResult]:
    make, dominance = _BASELINES[name]
    env = worlds.single("test", dominance=dominance)
    for i, (seed, truth) in enumerate(zip(seeds, truths, strict=True)):
        result = run_campaign(env, LegalOnly(make(DfaasConfig(seed=i))), seed=seed, options={"scenario": scenario})
        labels = env.known.labels
        assert labels is not None  # noqa: S101 - no offline space is larger
        resolved = 1 - env.known.n_unknown / env.known.n_configs
        accuracy = score(labels, truth).accuracy
        yield EpisodeResult(name, scenario, seed, resolved, accuracy, result.total_reward, result.n_runs)


def summarize(results: Sequence[EpisodeResult]) -> list[dict[str, Any]]:
    """Return a row for each agent, over all scenarios and, if there are several, for each of them.

    A figure is its mean over the episodes, with the interval of ``peva_agents.arena.intervals.bootstrap``.
    """
    scenarios = list(dict.fromkeys(result.scenario for result in results))
    rows = []
    for scenario in [*(["all"] if len(scenarios) > 1 else []), *scenarios]:
        among = [result for result in results if scenario in ("all", result.scenario)]
        for agent in dict.fromkeys(result.agent for result in among):
            own = [asdict(result) for result in among if result.agent == agent]
            figures = {name: _interval(np.array([one[name] for one in own], np.float64)) for name in COLUMNS}
            rows.append({"scenario": scenario, "agent": agent, "n_episodes": len(own), **figures})
    return rows


def _interval(values: NDArray[np.float64]) -> dict[str, float]:
    low, high = bootstrap(values, mean, resamples(len(values)))
    return {"mean": float(mean(values)), "low": low, "high": high}
