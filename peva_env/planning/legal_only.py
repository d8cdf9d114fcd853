"""An agent whose illegal actions are left out."""

from collections.abc import Mapping
from typing import Any

from peva_env.contracts import Agent, CampaignView


class LegalOnly:
    """Wraps an agent and skips its illegal actions, such as the cartesian agent's for configurations never recorded.

    Illegal actions are no-ops that are charged like runs; a policy that obeys the mask does not pay for them either.
    """

    def __init__(self, agent: Agent) -> None:
        self.name = agent.name
        self.dominance = agent.dominance
        self._agent = agent

    def begin(self, campaign: CampaignView) -> None:
        """Let the agent begin a campaign."""
        self._agent.begin(campaign)

    def act(self, observation: Any, info: Mapping[str, Any]) -> Any | None:
        """Return the agent's next legal action, or None if it has no more actions."""
        action = self._agent.act(observation, info)
        while action is not None and not info["action_mask"][action]:
            action = self._agent.act(observation, info)
        return action
