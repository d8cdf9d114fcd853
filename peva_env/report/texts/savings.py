"""What a report says that was saved: against the cartesian agent, to know the same."""

from collections.abc import Iterator
from dataclasses import dataclass

from peva_env.maps import NodeMap, cartesian_configs
from peva_env.report.texts.formats import count_text, span_text
from peva_env.report.texts.summary import Fact


@dataclass(frozen=True, slots=True)
class Savings:
    """What the cartesian agent would have run to know the same; times are seconds of machine time.

    ``n_missing`` are the runs that the configuration which was run last has not yet: they are not compared.
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


def savings(node_map: NodeMap) -> Savings:
    """Return what the cartesian agent would have run: each configuration as often as was asked for, as long as here."""
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


def saved(savings: Savings) -> Iterator[Fact]:
    """Say how many runs and how much machine time were not needed."""
    cartesian_s = savings.runs * savings.mean_run_s
    yield "cartesian agent", f"{count_text(savings.runs, 'run')}, {span_text(cartesian_s)}"
    yield "these campaigns", f"{count_text(savings.n_runs, 'run')}, {span_text(savings.cost_s)}"
    term = "saved" if savings.is_final else "saved so far"
    if savings.runs_saved > 0:
        share = savings.runs_saved / savings.runs
        yield term, f"{count_text(savings.runs_saved, 'run')} ({100 * share:.1f} %), {span_text(savings.saved_s)}"
    else:
        yield term, f"nothing; {-savings.runs_saved:,} runs more were made" if savings.runs_saved else "nothing"


def how_saved(node_map: NodeMap, savings: Savings) -> str:
    """Say how it was worked out what was saved."""
    known, is_last_short = node_map.known, savings.n_missing > 0
    last = ", and the one that was run last as often as here, as it is not finished" if is_last_short else ""
    left = f" What is unknown here ({known.n_unknown:,}) is compared with nothing." if known.n_unknown else ""
    return (
        "The cartesian agent goes from low rates to high ones and skips what lies above an overloaded configuration of "
        f"the same functions. To know the same, {known.n_configs - known.n_unknown:,} of {known.n_configs:,} "
        f"configurations, it would measure {savings.configs:,}: each with {count_text(savings.iterations, 'run')}, the "
        f"most valid ones that a configuration has here that nothing contradicts{last}. Its machine time is that "
        f"number of runs times {savings.mean_run_s:.1f} s, the mean of the runs here with their cooldown.{left}"
    )
