"""What a model sees, as its file says it: a model fits the features that it was trained on, and no others."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from peva_env.errors import ConfigError, PolicyLoadError
from peva_env.views import CANDIDATES, CONTEXT, MAP, ROW, require_k

FORMAT = 1
"""The version of what a file says about the view and holds of the network."""

MAP_VIEW: dict[str, Any] = {"name": MAP}
"""The view of the map; files of models older than the views say nothing, and mean this."""


def candidate_view(k: int) -> dict[str, Any]:
    """Return the view of ``k`` candidates as plain data, with the names of its features."""
    return {
        "name": CANDIDATES,
        "format": FORMAT,
        "k": k,
        "row": [feature.name for feature in ROW],
        "context": [feature.name for feature in CONTEXT],
    }


def require_view(path: Path, view: Mapping[str, Any]) -> None:
    """Check that this version can show what the model in a file sees.

    Raises:
        PolicyLoadError: the view is unknown, its format is of another version, or its features are others.
    """
    name = view.get("name")
    if name == MAP:
        return
    if name != CANDIDATES:
        raise PolicyLoadError(
            f"{path}: its view is {name!r}, which this version does not know; it plays models of the views "
            f"{CANDIDATES!r} and {MAP!r}: install the version of peva-env that trained it, or train again"
        )
    if view.get("format") != FORMAT:
        raise PolicyLoadError(
            f"{path}: its format is {view.get('format')!r}, and this version reads format {FORMAT}; "
            "install the version of peva-env that trained it, or train again"
        )
    try:
        require_k(view.get("k"))
    except ConfigError as error:
        raise PolicyLoadError(f"{path}: {error}; train again with this version") from error
    own = candidate_view(1)
    changed = [name for part in ("row", "context") for name in set(own[part]) ^ set(view.get(part) or ())]
    if changed or any(list(view[part]) != own[part] for part in ("row", "context")):
        what = f"{', '.join(sorted(changed)[:3])} differ" if changed else "their order differs"
        raise PolicyLoadError(f"{path}: was trained on other features ({what}); train again with this version")
