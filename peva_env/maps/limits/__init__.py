"""What to do with a map: the loads that are safe, as mixes, as multiples of a mix, and as one limit for each function.

What must always hold:

- Only what is proved is safe: a load at or below a measured OK configuration that nothing contradicts. A load that is
  unknown, predicted or contradicted is not.
- A limit on which no proved overload lies is told to be a lower bound.
"""

from peva_env.maps.limits.box import Box, FunctionLimit
from peva_env.maps.limits.limits import Limits, SafeMix, limits_of
from peva_env.maps.limits.multiples import MixLimit

__all__ = [
    "Box",
    "FunctionLimit",
    "Limits",
    "MixLimit",
    "SafeMix",
    "limits_of",
]
