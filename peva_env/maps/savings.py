"""What the cartesian agent would have run."""

from peva_env.errors import ConfigError
from peva_env.inference import OVERLOADED_LABEL, UNKNOWN_LABEL, MonotoneMap, above_any


def cartesian_configs(known: MonotoneMap) -> int:
    """Return how many configurations the cartesian agent measures to know the same: what is known, but what is skipped.

    It goes from low rates to high ones within each set of functions, so that whatever lies above an overloaded
    configuration of the same functions is skipped. What is unknown is compared with nothing: it does not count.

    Raises:
        ConfigError: the space is too large to be looked at one by one.
    """
    if known.labels is None:
        raise ConfigError(f"{known.space.n_configs:,} configurations are too many to look at one by one")
    skipped = above_any(known.space, known.labels == OVERLOADED_LABEL)
    return int(((known.labels != UNKNOWN_LABEL) & ~skipped).sum())
