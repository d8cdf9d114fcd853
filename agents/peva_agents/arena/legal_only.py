"""An agent held to the mask."""

from collections.abc import Mapping
from typing import Any

from peva_env.contracts import Agent, CampaignView


class LegalOnly:
    """Another agent without its actions that are no-ops, such as the cartesian one's for what was never recorded.

    They would cost steps and rewards, which a policy that is held to the mask does not pay either.
    """

    def __init__(self, agent: Agent) -> None:
        self.name = agent.name
        self.dominance = agent.dominance
        self._agent = agent

    def begin(self, campaign: CampaignView) -> None:
        """Get the agent ready."""
        self._agent.begin(campaign)

    def act(self, observation: Any, info: Mapping[str, Any]) -> Any | None:
        """Return the agent's next action that is legal."""
        action = self._agent.act(observation, info)
        while action is not None and not info["action_mask"][action]:
            action = self._agent.act(observation, info)
        return action
