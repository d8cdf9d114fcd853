"""The one loop that runs every agent on every environment."""

from dataclasses import dataclass
from typing import Any

import gymnasium

from peva_env.contracts import Agent, CampaignView, EndStatus


@dataclass(frozen=True, slots=True)
class CampaignResult:
    """The result of a campaign: its end status, its numbers of steps and runs, and the sum of its rewards."""

    status: EndStatus
    n_steps: int
    n_runs: int
    total_reward: float


def run_campaign(
    env: gymnasium.Env[Any, Any], agent: Agent, *, seed: int | None = None, options: dict[str, Any] | None = None
) -> CampaignResult:
    """Let an agent act on an environment until the map is complete, the budget is spent, or the agent returns None.

    Raises:
        PevaError: the campaign cannot go on; it is recorded as failed. Ctrl-C ends it as interrupted.
        TypeError: the environment is not peva-env's.
    """
    campaign = env.unwrapped
    if not isinstance(campaign, CampaignView):
        raise TypeError(f"run_campaign drives environments of peva-env; got {campaign!r}")
    observation, info = env.reset(seed=seed, options=options)
    n_steps, n_runs, total_reward, done = 0, 0, 0.0, False
    with campaign.recording():
        agent.begin(campaign)
        while not done and (action := agent.act(observation, info)) is not None:
            observation, reward, terminated, truncated, info = env.step(action)
            n_steps, n_runs, total_reward = n_steps + 1, n_runs + info["n_runs"], total_reward + float(reward)
            done = terminated or truncated
        total_reward += campaign.stop()
    return CampaignResult(campaign.status, n_steps, n_runs, total_reward)
