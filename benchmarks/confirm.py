"""What ``--confirm`` costs, and how many wrong labels it leaves.

``python -m benchmarks confirm``: campaigns on random simulated nodes of two functions, 144 mixes, with 3 % noise,
without and with a confirmation at 0.95. The seeds begin at 5,000; nothing was tuned on them. A label is wrong if the
node without noise has the other one.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from benchmarks.simulated_maps import SimulatedCampaign, simulated_world

LEVEL = 0.95
_N_NODES = 200
_FIRST_SEED = 5_000
_TARGET_WRONG, _TARGET_RUNS = 0.003, 1.3


@dataclass(frozen=True)
class Confirmed:
    """Runs and share of wrong labels of a campaign, before and after its confirmation, and the certificate's size."""

    n_runs_before: int
    n_runs_after: int
    wrong_before: float
    wrong_after: float
    n_certificate: int


def confirmed(first_seed: int, n: int, iterations: int, level: float = LEVEL) -> Iterator[Confirmed]:
    """Yield ``n`` campaigns with a confirmation at the end."""
    world = simulated_world()
    for seed in range(first_seed, first_seed + n):
        campaign = SimulatedCampaign(world, seed, iterations=iterations)
        campaign.complete()
        n_runs, wrong = campaign.n_runs, _wrong(campaign)
        campaign.confirm(level)
        size = len(campaign.known.certificate())
        yield Confirmed(n_runs, campaign.n_runs, wrong, _wrong(campaign), size)


def _wrong(campaign: SimulatedCampaign) -> float:
    assert campaign.known.labels is not None
    return float(np.mean(campaign.known.labels != campaign.truth))


def main() -> None:
    """Print wrong labels and runs, before and after, for one and for three iterations."""
    for iterations in (1, 3):
        found = list(confirmed(_FIRST_SEED, _N_NODES, iterations))
        before, after = (np.mean([getattr(one, f"wrong_{when}") for one in found]) for when in ("before", "after"))
        runs = [(one.n_runs_before, one.n_runs_after, one.n_certificate) for one in found]
        n_before, n_after, size = np.mean(runs, axis=0)
        print(
            f"{iterations} iteration{'s' if iterations > 1 else ''}, {_N_NODES} nodes: wrong labels {before:.2%} -> "
            f"{after:.2%} (target {_TARGET_WRONG:.1%}), runs {n_before:.1f} -> {n_after:.1f} = "
            f"{n_after / n_before:.2f} x (target {_TARGET_RUNS}), certificate {size:.1f}",
            flush=True,
        )
