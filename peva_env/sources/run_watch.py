"""Watching a live run: the sequential test of the rules, with the use of the node that the platform measures."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from peva_env.config import OverloadConfig
from peva_env.contracts import FunctionMeasurement, NodeMeasurement
from peva_env.errors import MetricsError
from peva_env.platforms import NodeUsage, Usage
from peva_env.rules import Ending, Part, Reading, Watch, backlog_of
from peva_env.sources.other_programs import crowded_share


class RunWatch:
    """Watches one run; ``ending`` says why it was ended.

    Args:
        rules: the overload rules.
        duration_s: the planned length of the run.
        timeout_s: the timeout of a request.
        usage: measures the node between two moments in seconds since the epoch.
    """

    def __init__(
        self,
        rules: OverloadConfig,
        *,
        duration_s: float,
        timeout_s: float,
        usage: Callable[[float, float], NodeUsage],
    ) -> None:
        self.ending: Ending | None = None
        self._started_at = 0.0
        self._generator_cpu_pct = 0.0
        self._usage = usage
        self._watch = Watch(rules, duration_s=duration_s, timeout_s=timeout_s, part=self._part)

    def read(self, reading: Reading, started_at: float) -> bool:
        """Take what k6 has counted since ``started_at``, and tell whether the run is to be ended.

        A run goes on while the node cannot be measured: other programs may explain what the counts show.
        """
        self._started_at = started_at
        self._generator_cpu_pct = reading.generator_cpu_pct
        try:
            self.ending = self._watch.add(reading)
        except MetricsError:  # if it lasts, the verdict of the whole run says so
            return False
        return self.ending is not None

    def with_backlog(self, functions: Sequence[FunctionMeasurement]) -> tuple[FunctionMeasurement, ...]:
        """Return the functions of the ended run with the backlogs for which it was ended."""
        growth = self.ending.growth if self.ending else {}
        return tuple(
            replace(function, backlog=backlog_of(growth[function.name], function.offered))
            if function.name in growth
            else function
            for function in functions
        )

    def _part(self, functions: Sequence[FunctionMeasurement], start_s: float, end_s: float) -> Part:
        usage = self._usage(self._started_at + start_s, self._started_at + end_s)
        used = [self._with_usage(one, usage) for one in functions]
        return Part(used, NodeMeasurement(cpu_pct=usage.node.cpu_pct, ram_pct=usage.node.ram_pct))

    def _with_usage(self, function: FunctionMeasurement, usage: NodeUsage) -> FunctionMeasurement:
        used = usage.functions.get(function.name, Usage())
        share = crowded_share(used, usage, self._generator_cpu_pct)
        return replace(function, replicas=used.replicas, crowded_out=round(function.offered * share))
