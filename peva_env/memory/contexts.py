"""The hash of a context, and the name of its node."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from peva_env.system import one_line


def digest(text: str) -> str:
    """Return the first 16 hex digits of the sha256 of a text: it identifies the text without revealing it."""
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def context_hash(context: Mapping[str, Any]) -> str:
    """Return the first 16 hex digits of the sha256 of a context in canonical JSON."""
    return digest(json.dumps(context, sort_keys=True, separators=(",", ":")))


def node_name(context: Mapping[str, Any]) -> str | None:
    """Return the name of a context's node, or None if the context has none."""
    node = context.get("node")
    known = node if isinstance(node, Mapping) else {}
    names = (known.get(key) for key in ("name", "hostname", "gateway"))
    return next((one_line(name) for name in names if isinstance(name, str) and name.strip()), None)
