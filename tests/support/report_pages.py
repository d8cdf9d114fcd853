"""Reading the data of a report's page."""

import base64
from typing import Any

import numpy as np


def unpacked(column: dict[str, str]) -> Any:
    """Return the numbers of a packed column."""
    return np.frombuffer(base64.b64decode(column["base64"]), f"<{column['kind']}")
