"""Turns: a function is mapped over many tasks, on processes of this machine or on the workers of a Ray cluster.

Workers also host objects that are asked again and again, such as environments.

What must always hold:

- There is one contract, ``Turns``, and what uses it does not know which of its two forms it got.
- A result depends on its task alone: not on the form, the number of workers, or the tasks that a worker did before.
  Linear algebra has one thread everywhere, so that results are the same to the bit.
- Results of a map come as they end, each with the index of its task; a hosted object answers in the order of its calls.
- Whoever stops waiting for results ends the workers, too.
"""

from peva_agents.turns.contract import Hosted, Turns, in_order, turns
from peva_agents.turns.on_processes import ProcessTurns
from peva_agents.turns.on_ray import RayTurns

__all__ = ["Hosted", "ProcessTurns", "RayTurns", "Turns", "in_order", "turns"]
