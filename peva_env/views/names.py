"""The views by name, and their numbers of candidates."""

import numpy as np

from peva_env.actions import ExtraActions
from peva_env.errors import ConfigError
from peva_env.observation import Extras

MAP, CANDIDATES = VIEWS = ("map", "candidates")

DEFAULT_K = 64

_MOST_K = 4096


def candidates_of(view: object, k: object) -> int:
    """Return the number of candidates of a view; ``DEFAULT_K`` for None.

    Raises:
        ConfigError: there is no view of that name, it has no candidates, or ``k`` is no number of candidates.
    """
    if view not in VIEWS:
        raise ConfigError(f"view = {view!r}: must be one of {', '.join(VIEWS)}")
    if k is None:
        return DEFAULT_K
    if view != CANDIDATES:
        raise ConfigError(f"k = {k!r}: the view {view!r} has no candidates; give view='{CANDIDATES}' with it")
    return require_k(k)


def require_supported(view: str, actions: ExtraActions, extras: Extras) -> None:
    """Check that a view can show the optional actions and observations.

    Raises:
        ConfigError: the view of candidates has none of them.
    """
    asked = {
        "stop": actions.stop,
        "measure_again": actions.measure_again,
        "coordinates": extras.coordinates,
        "last_runs": extras.n_runs > 0,
        "mean_latency": extras.mean_latency,
    }
    for name in asked if view == CANDIDATES else ():
        if asked[name]:
            raise ConfigError(f"{name}: the view {view!r} does not have it; leave it out, or give view='{MAP}'")


def require_k(k: object) -> int:
    """Return a number of candidates.

    Raises:
        ConfigError: it is not a whole number from 1 to ``_MOST_K``.
    """
    if isinstance(k, bool) or not isinstance(k, int | np.integer) or not 1 <= k <= _MOST_K:
        raise ConfigError(f"k = {k!r}: the number of candidates must be a whole number from 1 to {_MOST_K}, such as 64")
    return int(k)
