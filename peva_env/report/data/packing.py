"""Columns of numbers as the page takes them: little-endian binary in base64.

An object for each cell or run would be ten times as large, and slower to read.
"""

import base64
from collections.abc import Iterable
from typing import Any

import numpy as np


def column(values: Iterable[Any], kind: str) -> dict[str, str] | None:
    """Pack a value a row, NaN where it is None; nothing at all where all are."""
    filled = [np.nan if value is None else value for value in values]
    return None if kind.startswith("f") and np.isnan(filled).all() else packed(filled, kind)


def packed(values: Any, kind: str) -> dict[str, str]:
    """Pack numbers; ``kind`` is NumPy's letter of a type with its bytes, such as ``f4``."""
    return {"kind": kind, "base64": base64.b64encode(np.asarray(values, f"<{kind}").tobytes()).decode("ascii")}
