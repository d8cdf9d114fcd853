"""One agent's episode in an arena: the agent plays until the map is complete, and the map is scored on the way."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import gymnasium
import numpy as np

from peva_agents.arena.config import REFERENCE, reading_points
from peva_agents.arena.scores import Labels, Scores, score
from peva_agents.arena.world import ArenaWorld, Episode
from peva_agents.loop import CampaignResult, run_campaign
from peva_env.config import DfaasConfig
from peva_env.config.offline import ArenaConfig
from peva_env.contracts import Agent, EndStatus, PredictingAgent
from peva_env.env import PevaEnv
from peva_env.errors import PolicyError
from peva_env.inference import UNKNOWN_LABEL, filled_in
from peva_env.planning import Candidates, LegalOnly, agent_factory

_DIGITS = 6

_MAPS = ("proved", "predicted")
"""The maps that are scored: the known labels alone, and the known labels filled in with the agent's predictions."""

FIGURES = tuple(f"{kind}_{name}" for kind in _MAPS for name in Scores._fields)
"""The scores of a reading; it also has the runs and the machine seconds until then."""


@dataclass(frozen=True, slots=True)
class EpisodeRecord:
    """An episode that was played: a line of ``results.jsonl``.

    ``recorded`` is the number of recorded configurations, ``overloaded`` the share of them that is truly overloaded,
    ``certificate`` the least number of runs that prove the true map (``peva_agents.arena.scores``). ``readings`` maps
    ``runs``, ``cost_s`` (machine seconds so far) and each of ``FIGURES`` to a list with one entry per scoring of the
    map; the last entry is the end of the episode.
    """

    agent: str
    map: str
    seed: int
    recorded: int
    overloaded: float
    certificate: int
    complete: bool
    predicts: bool
    readings: Mapping[str, list[float]]

    @property
    def key(self) -> tuple[str, str, int]:
        """The agent, the map and the seed, which no two records of an arena share."""
        return self.agent, self.map, self.seed


class MapScorer(gymnasium.Wrapper[Any, Any, Any, Any]):
    """Scores the map of an environment against the truth, after the numbers of runs in ``points`` and at the end.

    ``readings`` holds the scores as ``EpisodeRecord`` has them, not yet rounded.
    """

    def __init__(self, env: PevaEnv, agent: Agent, truth: Labels, points: frozenset[int]) -> None:
        super().__init__(env)
        self.readings: dict[str, list[float]] = {name: [] for name in ("runs", "cost_s", *FIGURES)}
        self.predicts = False
        self._campaign = env
        self._predict = agent.predict if isinstance(agent, PredictingAgent) else None
        self._truth = truth
        self._points = points
        self._n_runs, self._cost_s = 0, 0.0

    def step(self, action: Any) -> tuple[Any, Any, bool, bool, dict[str, Any]]:
        """Do a step, and score the map if the number of runs is one of the points."""
        result = super().step(action)
        info = result[4]
        self._n_runs += info["n_runs"]
        self._cost_s += info["cost_s"]
        if info["n_runs"] and self._n_runs in self._points:
            self._read()
        return result

    def finish(self) -> None:
        """Score the map at the end of the episode."""
        if self.readings["runs"][-1:] != [self._n_runs]:
            self._read()

    def _read(self) -> None:
        proved = self._campaign.known.labels
        assert proved is not None  # noqa: S101 - no offline space is larger
        figures = (*score(proved, self._truth), *score(self._predicted(proved), self._truth))
        for name, value in zip(self.readings, (self._n_runs, self._cost_s, *figures), strict=True):
            self.readings[name].append(value)

    def _predicted(self, proved: Labels) -> Labels:
        unknown = np.flatnonzero((proved == UNKNOWN_LABEL) & (self._truth != UNKNOWN_LABEL))
        if not unknown.size:
            return proved
        likely = self._predict(Candidates(self._campaign.space, unknown)) if self._predict else None
        self.predicts |= likely is not None
        return filled_in(proved, unknown, likely)


def play_episode(
    env: PevaEnv, agent: Agent, episode: Episode, truth: Labels, points: frozenset[int] = frozenset()
) -> tuple[CampaignResult, MapScorer]:
    """Let an agent play an episode on its legal actions alone; return how it ended and the scores of its map.

    Raises:
        PolicyError: the agent, or its policy, cannot go on.
    """
    scorer = MapScorer(env, agent, truth, points)
    result = run_campaign(scorer, LegalOnly(agent), seed=episode.seed, options={"scenario": episode.scenario})
    scorer.finish()
    return result, scorer


@cache
def arena_world(config: str) -> ArenaWorld:
    """Return the world of an arena, whose settings are given as JSON; each process reads it once."""
    return ArenaWorld(ArenaConfig.model_validate_json(config))


def record_episode(config: str, name: str, episode: Episode) -> EpisodeRecord:
    """Let an agent play an episode of an arena, whose settings are given as JSON.

    Raises:
        PolicyError: the agent, or its policy, cannot go on; the message names the episode.
    """
    world = arena_world(config)
    truth = world.truth(episode)
    try:
        agent: Agent = agent_factory(name)(DfaasConfig(seed=episode.seed))
        env = world.env(agent.dominance, limited=name != REFERENCE)
        points = reading_points(world.config.budgets, truth.recorded)
        result, scorer = play_episode(env, agent, episode, truth.labels, points)
    except PolicyError as error:
        raise PolicyError(f"agent {name} on {episode.map}, seed {episode.seed}: {error}") from error
    return EpisodeRecord(
        agent=name,
        map=episode.map,
        seed=episode.seed,
        recorded=truth.recorded,
        overloaded=round(truth.overloaded, _DIGITS),
        certificate=truth.certificate,
        complete=result.status is EndStatus.COMPLETE,
        predicts=scorer.predicts,
        readings={name: [round(value, _DIGITS) for value in values] for name, values in scorer.readings.items()},
    )
