"""Rewards of an agent.

What must always hold:

- **Nothing pays more than measuring.** The return of an episode, with the rewards that ship, is ``gain - charged``. The
  gain depends on the measurements alone. ``charged`` is the share of the budget that the episode is charged
  (``peva_env.objectives.charges``): at most 1, and exactly 1 if the episode ends with unknown configurations.
  From this follow two laws, for each play of each episode (proofs and limits: ``peva_env.objectives.shipped``):

  1. *Giving up*: an agent that from some step on measures nothing (stalls, repeats, stops) is worth no more than any
     agent that goes on measuring unknown configurations from that step on, whatever these measurements say.
  2. *Stalling on the way*: a play without its no-ops is worth no less than the play with them.

- The same code computes the rewards of one environment and of thousands side by side.
- A reward is finite, or the step is an error of one line.
"""

from peva_env.objectives.episode_rewards import EpisodeRewards
from peva_env.objectives.first_version import ILLEGAL_REWARD, FirstVersion
from peva_env.objectives.making import OBJECTIVES, make_objective
from peva_env.objectives.shipped import (
    EarlyObjective,
    FrontierObjective,
    GoodputObjective,
    RightObjective,
    SecondsObjective,
)
from peva_env.objectives.step import Objective, Step, checked_rewards

__all__ = [
    "ILLEGAL_REWARD",
    "OBJECTIVES",
    "EarlyObjective",
    "EpisodeRewards",
    "FirstVersion",
    "FrontierObjective",
    "GoodputObjective",
    "Objective",
    "RightObjective",
    "SecondsObjective",
    "Step",
    "checked_rewards",
    "make_objective",
]
