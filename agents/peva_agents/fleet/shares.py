"""Which node may be loaded next: at most so many at once, and a budget in proportion to what a node's runs gain.

Notation: ``g_i`` is the expected gain of node ``i``, the configurations that become known by a second of machine time:
their number in its last runs divided by the time of these runs, with one configuration and one second added, so that a
node is neither given up for one bad run nor preferred for one good run.

With a budget, machine time is shared in proportion to the gains by stride scheduling (Waldspurger and Weihl, MIT 1995):
a run of ``c`` seconds adds ``c / g_i`` to the *pass* of its node, and the node with the lowest pass comes next. A node
whose pass is ahead of the lowest one by more than a run of its own waits. Without a budget the order is that of the
file.
"""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field

_LAST_RUNS = 8


@dataclass(slots=True)
class _Account:
    spent_s: float = 0.0
    passed: float = 0.0
    n_runs: int = 0
    last: deque[tuple[float, int]] = field(default_factory=lambda: deque(maxlen=_LAST_RUNS))

    @property
    def gain(self) -> float:
        """The expected gain, in configurations per second."""
        return (1 + sum(resolved for _, resolved in self.last)) / (1 + sum(cost_s for cost_s, _ in self.last))

    @property
    def run_s(self) -> float:
        """The expected machine time of a run; 0 before the first run."""
        return self.spent_s / self.n_runs if self.n_runs else 0.0


class LoadShares:
    """Decides which nodes may start a run.

    Args:
        names: the nodes, in the order of the file.
        max_loaded: nodes under load at the same time, at most; None for all.
        budget_s: machine time for all nodes together; None for no limit.
    """

    def __init__(self, names: Iterable[str], *, max_loaded: int | None = None, budget_s: float | None = None) -> None:
        self._accounts = {name: _Account() for name in names}
        self._max_loaded = max_loaded or len(self._accounts)
        self._budget_s = budget_s

    @property
    def spent_s(self) -> float:
        """The machine time that all nodes have spent."""
        return sum(account.spent_s for account in self._accounts.values())

    @property
    def is_spent(self) -> bool:
        """Whether the budget is spent."""
        return self._budget_s is not None and self.spent_s >= self._budget_s

    def charge(self, name: str, cost_s: float, resolved: int) -> None:
        """Enter a run of a node: its machine time, and how many configurations became known since its last run."""
        account = self._accounts[name]
        account.passed += cost_s / account.gain
        account.last.append((cost_s, resolved))
        account.spent_s += cost_s
        account.n_runs += 1

    def next(self, asking: Iterable[str], loaded: Iterable[str]) -> list[str]:
        """Return which of the nodes that ask for a run may start it, while others are under load."""
        loaded, asking = list(loaded), set(asking)
        free = self._max_loaded - len(loaded)
        order = [name for name in self._accounts if name in asking]
        if self._budget_s is not None:
            free = min(free, len(order))
            lowest = min((self._accounts[name].passed for name in (*order, *loaded)), default=0.0)
            order = sorted((name for name in order if self._may(name, lowest)), key=self._passed)
            return self._within_budget(order[: max(0, free)], loaded)
        return order[: max(0, free)]

    def _passed(self, name: str) -> float:
        return self._accounts[name].passed

    def _may(self, name: str, lowest: float) -> bool:
        account = self._accounts[name]
        return account.passed - lowest <= account.run_s / account.gain

    def _within_budget(self, order: list[str], loaded: list[str]) -> list[str]:
        assert self._budget_s is not None  # noqa: S101 - asked for with a budget only
        left_s = self._budget_s - self.spent_s - sum(self._accounts[name].run_s for name in loaded)
        allowed = []
        for name in order:
            if left_s <= 0:
                break
            allowed.append(name)
            left_s -= self._accounts[name].run_s
        return allowed
