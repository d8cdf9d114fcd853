"""An agent in a fleet: it chooses when its node may run, with what other nodes have measured until then."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from peva_env.contracts import Agent, CampaignView, ExecutionEvent, TransferringAgent
from peva_env.env import PevaEnv
from peva_env.inference import MonotoneMap


class Begun(NamedTuple):
    """The map and the name of a campaign, which its environment no longer tells when it has ended."""

    known: MonotoneMap
    run_id: str


class ListeningAgent:
    """Lets an agent choose when its node may run, with what other nodes have measured until then."""

    def __init__(self, agent: Agent, choosing: Callable[[], Sequence[ExecutionEvent]], dominance: str) -> None:
        self.name, self.dominance = agent.name, dominance
        self._agent, self._choosing = agent, choosing

    def begin(self, campaign: CampaignView) -> None:
        """See ``Agent``; keeps what the campaign is."""
        assert isinstance(campaign, PevaEnv)  # noqa: S101 - the id is ours
        self.begun = Begun(campaign.known, campaign.run_context.run_id)
        self._agent.begin(campaign)

    def act(self, observation: Any, info: Mapping[str, Any]) -> Any | None:
        """See ``Agent``; waits until the node may run."""
        lessons = self._choosing()
        if lessons and isinstance(self._agent, TransferringAgent):
            self._agent.learn_elsewhere(lessons)
        return self._agent.act(observation, info)
