"""What a context is called."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any


def context_hash(context: Mapping[str, Any]) -> str:
    """Return the first 16 hex digits of the sha256 of a context in canonical JSON."""
    return hashlib.sha256(json.dumps(context, sort_keys=True, separators=(",", ":")).encode()).hexdigest()[:16]
