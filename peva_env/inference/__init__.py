"""Inference of verdicts from measured verdicts: dominance, contradictions, counting; also for very large spaces.

What must always hold:

- Nothing is inferred from a measurement that contradicts another one.
- ``MonotoneMap`` (one campaign) and ``Reach`` (many campaigns as bit sets) infer the same labels; a test compares them.
- Labels are int8: -1 OK, 0 unknown, 1 overloaded.
"""

from peva_env.inference.batch import Reach
from peva_env.inference.bitsets import Bits, contains, counted, no_sets, packed, singletons, unpacked
from peva_env.inference.cells import CELL_NAMES, Cell, cell_codes, cell_of
from peva_env.inference.change import PooledVariance, chance_of_fall
from peva_env.inference.counting import Blocks, Lattice, above_any, below_any, lattice_size
from peva_env.inference.earlier_map import EarlierMap
from peva_env.inference.grid import OK_LABEL, OVERLOADED_LABEL, UNKNOWN_LABEL, RateGrid, no_lower_pairs
from peva_env.inference.monotone_map import LABELS, VERDICTS, MonotoneMap
from peva_env.inference.predicted import filled_in
from peva_env.inference.records import Dispute, Status

__all__ = [
    "CELL_NAMES",
    "LABELS",
    "OK_LABEL",
    "OVERLOADED_LABEL",
    "UNKNOWN_LABEL",
    "VERDICTS",
    "Bits",
    "Blocks",
    "Cell",
    "Dispute",
    "EarlierMap",
    "Lattice",
    "MonotoneMap",
    "PooledVariance",
    "RateGrid",
    "Reach",
    "Status",
    "above_any",
    "below_any",
    "cell_codes",
    "cell_of",
    "chance_of_fall",
    "contains",
    "counted",
    "filled_in",
    "lattice_size",
    "no_lower_pairs",
    "no_sets",
    "packed",
    "singletons",
    "unpacked",
]
