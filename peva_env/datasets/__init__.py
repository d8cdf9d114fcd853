"""Recordings that come with the package: each a folder of core Parquet, beside it a card that says what it is."""

from difflib import get_close_matches
from pathlib import Path

from peva_env.datasets.demonstrations import Demonstrated, Demonstrations
from peva_env.datasets.minari import Exported, MinariDataset
from peva_env.errors import ConfigError

__all__ = ["Demonstrated", "Demonstrations", "Exported", "MinariDataset", "load", "names"]

_HOME = Path(__file__).parent


def names() -> tuple[str, ...]:
    """Return the recordings that there are."""
    return tuple(sorted(card.stem for card in _HOME.glob("*.md")))


def load(name: str) -> Path:
    """Return the folder of a recording, for ``ReplayWorld`` or ``peva-env memory preload``.

    Raises:
        ConfigError: there is none of this name.
    """
    if name not in names():
        near = get_close_matches(name, names(), n=1, cutoff=0.0)
        raise ConfigError(f"dataset {name!r}: there is none; did you mean {near[0]!r}? There are: {', '.join(names())}")
    return _HOME / name
