"""One agent's episode in an arena: it plays until the map is complete, and is looked at on the way."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import gymnasium
import numpy as np

from peva_agents.arena.config import YARDSTICK, ArenaConfig, reading_points
from peva_agents.arena.legal_only import LegalOnly
from peva_agents.arena.scores import Labels, Scores, filled_in, score
from peva_agents.arena.world import ArenaWorld, Episode
from peva_agents.loop import run_campaign
from peva_env.config import DfaasConfig
from peva_env.contracts import Agent, EndStatus, PredictingAgent
from peva_env.env import PevaEnv
from peva_env.errors import PolicyError
from peva_env.inference import UNKNOWN_LABEL
from peva_env.planning import Candidates, agent_factory

_DIGITS = 6

SIDES = ("proved", "predicted")
"""What is scored: what is known, and that with what the agent predicts of the rest."""

FIGURES = tuple(f"{side}_{name}" for side in SIDES for name in Scores._fields)
"""What is read on the way, beside the runs and the machine seconds."""


@dataclass(frozen=True, slots=True)
class Played:
    """What became of an episode: a line of ``results.jsonl``.

    ``overloaded`` is the share of the ``recorded`` configurations that truly are; ``certificate`` the least number of
    runs that prove the true map (``peva_agents.arena.scores``); ``readings`` has a list for ``runs``, ``cost_s``
    (machine seconds until then) and each of ``FIGURES``, with an entry for each look at the map. The last one is at the
    end.
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
        """What makes it unique in an arena."""
        return self.agent, self.map, self.seed


class Reader(gymnasium.Wrapper[Any, Any, Any, Any]):
    """An environment that looks at the map after certain numbers of runs."""

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
        """Let the environment do a step."""
        result = super().step(action)
        info = result[4]
        self._n_runs += info["n_runs"]
        self._cost_s += info["cost_s"]
        if info["n_runs"] and self._n_runs in self._points:
            self._read()
        return result

    def finish(self) -> None:
        """Look at the map as it is at the end."""
        if self.readings["runs"][-1:] != [self._n_runs]:
            self._read()

    def _read(self) -> None:
        proved = self._campaign.known.labels
        assert proved is not None  # noqa: S101 - no offline space is larger
        figures = (*score(proved, self._truth), *score(self._predicted(proved), self._truth))
        values = (self._n_runs, round(self._cost_s, _DIGITS), *(round(figure, _DIGITS) for figure in figures))
        for name, value in zip(self.readings, values, strict=True):
            self.readings[name].append(value)

    def _predicted(self, proved: Labels) -> Labels:
        unknown = np.flatnonzero((proved == UNKNOWN_LABEL) & (self._truth != UNKNOWN_LABEL))
        if not unknown.size:
            return proved
        likely = self._predict(Candidates(self._campaign.space, unknown)) if self._predict else None
        self.predicts |= likely is not None
        return filled_in(proved, unknown, likely)


@cache
def arena_world(config: str) -> ArenaWorld:
    """Return the world of an arena's settings, as JSON; it is read once a process."""
    return ArenaWorld(ArenaConfig.model_validate_json(config))


def play(config: str, name: str, episode: Episode) -> Played:
    """Let an agent play an episode of an arena, whose settings are given as JSON.

    Raises:
        PolicyError: the agent, or its policy, cannot go on; the message names the episode.
    """
    world = arena_world(config)
    truth = world.truth(episode)
    try:
        agent: Agent = agent_factory(name)(DfaasConfig(seed=episode.seed))
        env = world.env(agent.dominance, limited=name != YARDSTICK)
        reader = Reader(env, agent, truth.labels, reading_points(world.config.budgets, truth.recorded))
        result = run_campaign(reader, LegalOnly(agent), seed=episode.seed, options={"scenario": episode.scenario})
        reader.finish()
    except PolicyError as error:
        raise PolicyError(f"agent {name} on {episode.map}, seed {episode.seed}: {error}") from error
    return Played(
        agent=name,
        map=episode.map,
        seed=episode.seed,
        recorded=truth.recorded,
        overloaded=round(truth.overloaded, _DIGITS),
        certificate=truth.certificate,
        complete=result.status is EndStatus.COMPLETE,
        predicts=reader.predicts,
        readings=reader.readings,
    )
