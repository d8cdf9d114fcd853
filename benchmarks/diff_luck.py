"""How often ``peva-env diff`` calls luck a loss, and how often it sees a real one.

``python -m benchmarks diff-luck``: pairs of campaigns on random simulated nodes of two functions, 144 mixes, with 3 %
noise. The seeds begin at 5,000; the rule was tuned on none of them. In *unchanged* pairs nothing was lost: a loss is a
false alarm. In the others the first function lost 10 or 20 % of its slots, and the pairs count in which that overloads
at least ``_FELT`` of the configurations that were OK.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from benchmarks.simulated_maps import before_and_after, simulated_world
from peva_env.inference import OK_LABEL, OVERLOADED_LABEL
from peva_env.maps import MapDifference, compare

_N_PAIRS = 100
_FIRST_SEED = 5_000
_TARGET = 0.95
_FELT = 0.05
_COVERAGE = 0.9


@dataclass(frozen=True)
class Pair:
    """The difference of two maps, and the share of the safe region that was really lost."""

    difference: MapDifference
    truly_lost: float

    @property
    def is_alarm(self) -> bool:
        """Whether ``diff`` would end with 3."""
        return len(self.difference.lost) > 0

    @property
    def would_alarm_without_margins(self) -> bool:
        """Whether any configuration was OK and is overloaded, sure or not."""
        return self.is_alarm or self.difference.n_safe_undecided > 0


def pairs(first_seed: int, n: int, iterations: int, *, slots: float = 1.0) -> Iterator[Pair]:
    """Yield ``n`` pairs; in the second campaign the first function has a share of its slots only."""
    world = simulated_world()
    for seed in range(first_seed, first_seed + n):
        before, after = before_and_after(world, seed, iterations, slots=slots)
        lost = (before.truth == OK_LABEL) & (after.truth == OVERLOADED_LABEL)
        truly_lost = float(lost.sum() / max(1, (before.truth == OK_LABEL).sum()))
        yield Pair(compare(before.node_map(), after.node_map()), truly_lost)


def main() -> None:
    """Print false alarms, losses found, and how much was covered, for one and for three iterations."""
    for iterations in (1, 3):
        print(f"{iterations} iteration{'s' if iterations > 1 else ''}, {_N_PAIRS} pairs each", flush=True)
        same = list(pairs(_FIRST_SEED, _N_PAIRS, iterations))
        quiet = sum(not pair.is_alarm for pair in same)
        luck = sum(pair.would_alarm_without_margins for pair in same)
        print(f"  unchanged: no loss in {quiet} (target {_TARGET:.0%}); by verdicts alone a loss in {luck}")
        print(f"  {_covered(same)}", flush=True)
        for slots in (0.9, 0.8):
            felt = [one for one in pairs(_FIRST_SEED, _N_PAIRS, iterations, slots=slots) if one.truly_lost >= _FELT]
            found = sum(one.is_alarm for one in felt)
            print(f"  {1 - slots:.0%} of the slots lost: found in {found} of {len(felt)}; {_covered(felt)}", flush=True)


def _covered(found: list[Pair]) -> str:
    covered = [one.difference.coverage for one in found]
    few = sum(one < _COVERAGE for one in covered)
    return f"covered {sum(covered) / len(covered):.1%} on average, below {_COVERAGE:.0%} in {few} of {len(found)}"
