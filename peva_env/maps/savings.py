"""What a campaign saved: the runs that the cartesian agent would have made to know the same."""

from dataclasses import dataclass

from peva_env.errors import ConfigError
from peva_env.inference import OVERLOADED_LABEL, UNKNOWN_LABEL, MonotoneMap, above_any
from peva_env.maps.node_map import NodeMap


@dataclass(frozen=True, slots=True)
class Savings:
    """The runs that the cartesian agent would have made to know the same; times are seconds of machine time.

    ``n_missing`` are the runs that the last configuration still lacks: the cartesian agent is not charged for them.
    """

    configs: int
    iterations: int
    n_missing: int
    mean_run_s: float
    n_runs: int
    cost_s: float
    is_final: bool

    @property
    def runs(self) -> int:
        """Runs that the cartesian agent would have made."""
        return self.configs * self.iterations - self.n_missing

    @property
    def runs_saved(self) -> int:
        """Runs that were not needed; negative where more were made."""
        return self.runs - self.n_runs

    @property
    def saved_s(self) -> float:
        """Machine time of the runs that were not needed."""
        return self.runs_saved * self.mean_run_s


def savings_of(node_map: NodeMap) -> Savings:
    """Compare a map's runs with those of the cartesian agent, which makes every iteration at the same mean time."""
    n_runs = len(node_map.events)
    return Savings(
        configs=cartesian_configs(node_map.known),
        iterations=node_map.iterations,
        n_missing=_n_missing(node_map),
        mean_run_s=node_map.cost_s / n_runs if n_runs else 0.0,
        n_runs=n_runs,
        cost_s=node_map.cost_s,
        is_final=not node_map.known.n_unknown and node_map.is_complete,
    )


def _n_missing(node_map: NodeMap) -> int:
    last = node_map.runs.get(node_map.events[-1].config_key) if node_map.events else None
    return node_map.iterations - min(node_map.iterations, len(last)) if last and not node_map.is_complete else 0


def cartesian_configs(known: MonotoneMap) -> int:
    """Return how many configurations the cartesian agent measures to know the same: all known ones that it cannot skip.

    It goes from low rates to high ones within each set of functions, and skips every configuration above an overloaded
    one of the same functions. Unknown configurations do not count.

    Raises:
        ConfigError: the space is too large to list.
    """
    if known.labels is None:
        raise ConfigError(f"{known.space.n_configs:,} configurations are too many to list")
    skipped = above_any(known.space, known.labels == OVERLOADED_LABEL)
    return int(((known.labels != UNKNOWN_LABEL) & ~skipped).sum())
