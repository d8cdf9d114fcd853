"""Scouting: from stepped runs along rays to brackets of the limits, and from brackets to rates.

What must always hold:

- A *ray* is a set of functions whose rates grow in proportion: each function alone, then all together. Its *bracket* is
  the highest step that was OK and the lowest that was overloaded.
- An INVALID step is no evidence. A ray whose steps contradict each other breaks at random, and says so.
- Rates are a function of stored steps alone, so a resumed campaign has the plan of its start.
"""

from peva_env.planning.scouting.brackets import Bracket, brackets, outcome_text
from peva_env.planning.scouting.rates import scouted_config, with_placeholder_rates, with_rates
from peva_env.planning.scouting.rays import Limits, climb, ladder, rays, together

__all__ = [
    "Bracket",
    "Limits",
    "brackets",
    "climb",
    "ladder",
    "outcome_text",
    "rays",
    "scouted_config",
    "together",
    "with_placeholder_rates",
    "with_rates",
]
