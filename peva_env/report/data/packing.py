"""Packing columns of numbers for the page: little-endian binary in base64.

A JSON object for each cell or run would be ten times as large, and slower to read.
"""

import base64
from collections.abc import Iterable
from typing import Any

import numpy as np


def packed_column(values: Iterable[Any], kind: str) -> dict[str, str] | None:
    """Pack one value a row, None as NaN; return None if all values of a column of floats are missing."""
    filled = [np.nan if value is None else value for value in values]
    return None if kind.startswith("f") and np.isnan(filled).all() else packed(filled, kind)


def packed(values: Any, kind: str) -> dict[str, str]:
    """Pack numbers; ``kind`` is NumPy's type code with its size in bytes, such as ``f4``."""
    return {"kind": kind, "base64": base64.b64encode(np.asarray(values, f"<{kind}").tobytes()).decode("ascii")}
