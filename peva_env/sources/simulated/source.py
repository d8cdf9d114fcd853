"""One simulated episode as a measurement source: its outcomes as complete events."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from peva_env.contracts import ExecutionEvent, FunctionMeasurement, NodeMeasurement
from peva_env.rules import judge
from peva_env.sources.episodes import Indices
from peva_env.sources.simulated.episodes import SimulatedEpisodes, SimulatedRuns
from peva_env.sources.simulated.node_model import Served
from peva_env.space import Config, config_key

_REFUSED = "status_5xx"  # the name that k6's counts give a 503
_PERCENTILES = (50, 90, 95, 99)


@dataclass(slots=True)
class SimulatedSource:
    """The measurement source of one episode. Its clock starts at 0 and advances by the cost of each run."""

    episode: SimulatedEpisodes
    _now_s: float = field(default=0.0, init=False)

    def measure(self, config: Config, *, iteration: int, rng: np.random.Generator) -> ExecutionEvent:  # noqa: ARG002
        """Run one iteration. The episode's seed decides its noise; ``rng`` is not used.

        Raises:
            ValueError: the configuration is not in the space.
        """
        settings = self.episode.settings
        indices = self._indices(config)
        runs = self.episode.run(indices, iteration)
        functions = tuple(self._function(runs, name, rate_rps) for name, rate_rps in sorted(config))
        node = self._node(runs)
        judgement = judge(functions, node, settings.rules)
        started_at = self._now_s
        self._now_s += settings.cost_s
        return ExecutionEvent(
            config_key=config_key(config),
            iteration=iteration,
            verdict=judgement.verdict,
            reasons=judgement.reasons,
            margin=judgement.margin,
            functions=functions,
            overloaded_functions=judgement.overloaded_functions,
            node=node,
            started_at=started_at,
            ended_at=self._now_s,
            duration_s=settings.duration_s,
            cooldown_s=settings.cooldown_s,
            cost_s=settings.cost_s,
        )

    def close(self) -> None:
        """Nothing is held."""

    def _indices(self, config: Config) -> Indices:
        return np.array([self.episode.settings.space.index(config)])

    def _function(self, runs: SimulatedRuns, name: str, rate_rps: int) -> FunctionMeasurement:
        settings, nodes, served = self.episode.settings, self.episode.nodes, runs.served
        f = settings.space.functions.index(name)
        offered, succeeded = round(rate_rps * settings.duration_s), int(runs.succeeded[f, 0])
        lost = offered - succeeded if offered else 0
        refused = lost if nodes.slots[f, 0] <= rate_rps * settings.timeout_s else 0
        return FunctionMeasurement(
            name=name,
            rate_rps=rate_rps,
            offered=offered,
            sent=offered - (lost - refused),
            dropped=lost - refused,
            succeeded=offered - lost,
            failed={_REFUSED: refused} if refused else {},
            success_rate=float(runs.success[f, 0]),
            cpu_pct=float(100 * served.cores_taken[f, 0] / nodes.cores[0]),
            ram_bytes=int(nodes.base_bytes[f, 0] + nodes.request_bytes[f, 0] * served.in_flight[f, 0]),
            **(_latencies_ms(served, f, settings.timeout_s) if offered - lost else {}),
        )

    def _node(self, runs: SimulatedRuns) -> NodeMeasurement:
        ram_bytes = self.episode.nodes.ram_bytes[0]
        idle_bytes = sum(self.episode.nodes.base_bytes[:, 0].tolist())
        return NodeMeasurement(
            cpu_pct=float(runs.cpu_pct[0]),
            ram_bytes=int(runs.served.memory[0] * ram_bytes),
            ram_pct=float(runs.ram_pct[0]),
            idle_cpu_pct=float(100 * self.episode.nodes.idle[0]),
            idle_ram_bytes=int(idle_bytes),
            idle_ram_pct=float(100 * idle_bytes / ram_bytes),
        )


def _latencies_ms(served: Served, f: int, timeout_s: float) -> dict[str, Any]:
    """Return the latencies of function ``f`` by their field names in ``FunctionMeasurement``."""
    percentiles = {f"p{percent}_ms": served.percentile_s(percent, timeout_s) for percent in _PERCENTILES}
    seconds = {"mean_ms": served.mean_s(timeout_s)} | percentiles
    return {name: float(1000 * latency_s[f, 0]) for name, latency_s in seconds.items()}
