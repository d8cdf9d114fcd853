"""Rewards: what an agent is paid for."""

ILLEGAL_REWARD = -0.001
"""Reward of an action that asks for what is already known: nothing runs, a little is lost."""


def frontier_reward(resolved: int, n_configs: int, spent_share: float) -> float:
    """Return the share of the map that a step resolved minus the share of the budget that it spent.

    ``reward = resolved / n_configs - spent_share``, so that the sum over an episode is the share of the map resolved
    less the share of the budget spent. Without a budget nothing is charged.
    """
    return resolved / n_configs - spent_share
