"""The re-check against its targets: ``python -m benchmarks.recheck [NODES] [--data FOLDER]``.

On simulated nodes: runs per configuration of the certificate and false alarms where nothing has changed, and how often
a loss of one function's slots is found where it changes the true map. On recordings (``FOLDER`` has folders of DFaaS
files, LIGHT of a node with two cores and MID with four): one part of the iterations is re-checked against the rest.
The earlier map of a simulated node is that of a campaign of the agent ``learnt`` under the same noise.
"""

import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from peva_agents.learnt import LearntAgent
from peva_agents.loop import run_campaign
from peva_agents.recheck import RecheckAgent
from peva_env.campaign.offline import OfflineCampaigns, OfflineSettings
from peva_env.config import DfaasConfig
from peva_env.contracts import Agent, ExecutionEvent, Ledger, MeasurementSource
from peva_env.env import PevaEnv
from peva_env.inference import OK_LABEL, OVERLOADED_LABEL, EarlierMap, MonotoneMap
from peva_env.maps import Recheck, recheck_of, valid_runs
from peva_env.memory import DuckDBMemoryStore, RecheckLedger, RunLedger
from peva_env.memory.dfaas import import_dfaas
from peva_env.memory.tensors import TensorCache
from peva_env.rules import majority
from peva_env.sources.episodes import Episodes, Indices, Seeds, hashed
from peva_env.sources.simulated.episodes import RUN_DRAWS, SimulatedEpisodes
from peva_env.sources.simulated.node_model import Nodes
from peva_env.sources.simulated.source import SimulatedSource
from peva_env.sources.simulated.world import SimulatedWorld
from peva_env.space import Config, ConfigKey, ConfigSpace, config_key

FIRST_NODE = 0
"""The seed of the first node. The level of the test was chosen on nodes from 1,000,000 on."""

RATES_RPS = {"a": range(0, 201, 10), "b": range(0, 201, 10)}
_CORES = {"LIGHT": 2, "MID": 4}


@dataclass
class LedgerSource:
    """Measures a configuration as often as a ledger asks for, and returns a run with the majority's verdict."""

    source: MeasurementSource
    ledger: Ledger
    events: list[ExecutionEvent] = field(default_factory=list)

    def measure(self, config: Config, *, iteration: int, rng: np.random.Generator) -> ExecutionEvent:
        """Run until no run is missing; a configuration that is measured again is contradicted."""
        key, own = config_key(config), list[ExecutionEvent]()
        while self.ledger.missing_runs(key, again=iteration > 0) or not own:
            own.append(self.source.measure(config, iteration=self.ledger.next_iteration(key), rng=rng))
            self.ledger.record(own[-1])
        self.events += own
        verdict = majority(self.ledger.verdicts(key))
        return next((event for event in own if event.verdict is verdict), replace(own[-1], verdict=verdict))

    def close(self) -> None:
        """Nothing is held."""


@dataclass(frozen=True)
class OneNode:
    """A world of one episode, whose runs come from a source."""

    plan: ConfigSpace
    measures: MeasurementSource
    has_record: NDArray[np.bool_]

    scenarios = ("node",)

    def space(self, scenario: int) -> ConfigSpace:  # noqa: ARG002 - the only one
        """Return the plan."""
        return self.plan

    def recorded(self, scenarios: Indices) -> NDArray[np.bool_]:
        """Return which configurations can be measured."""
        return np.repeat(self.has_record[None], len(scenarios), axis=0)

    def begin(self, seeds: Seeds, scenarios: Indices) -> Episodes:  # noqa: ARG002 - see the docstring
        """Return nothing that could be asked: the policy of an agent is always attached."""
        return None  # type: ignore[return-value]

    def truth(self, seed: int, scenario: int) -> NDArray[np.int8]:
        """Nobody asks for it here."""
        raise NotImplementedError

    def source(self, seed: int, scenario: int) -> MeasurementSource:  # noqa: ARG002 - the only one
        """Return the source."""
        return self.measures


def play(
    plan: ConfigSpace, source: MeasurementSource, agent: Agent, has_record: NDArray[np.bool_] | None = None
) -> MonotoneMap:
    """Let an agent measure a node until it stops, and return the map."""
    there = np.ones(plan.n_configs, np.bool_) if has_record is None else has_record
    env = PevaEnv(OfflineCampaigns(OneNode(plan, source, there), OfflineSettings(), {}))
    run_campaign(env, agent, seed=0)
    return env.known


@dataclass(frozen=True)
class Earlier:
    """The runs of an earlier campaign, by configuration."""

    runs: Mapping[ConfigKey, Sequence[ExecutionEvent]]

    def rechecked(
        self,
        plan: ConfigSpace,
        source: MeasurementSource,
        *,
        has_record: NDArray[np.bool_] | None = None,
        **ledger_settings: int,
    ) -> Recheck:
        """Re-check the map of these runs."""
        verdicts = {key: majority(run.verdict for run in runs) for key, runs in self.runs.items()}
        earlier = EarlierMap(verdicts, plan, "within_sets")
        margins = {key: [run.margin or 0.0 for run in runs] for key, runs in self.runs.items()}
        ledger = RecheckLedger(earlier, margins, **ledger_settings)
        counted, tensors = LedgerSource(source, ledger), TensorCache()
        for event in (run for runs in self.runs.values() for run in runs):
            tensors.add(event)
        agent = RecheckAgent(DfaasConfig(seed=0), before=tensors, has_changed=lambda: bool(ledger.certain))
        known = play(plan, counted, agent, has_record)
        return recheck_of(earlier, known, certain=ledger.certain, unsure=ledger.unsure, n_runs=len(counted.events))


class SimulatedNode:
    """A random node, and the runs of earlier and later campaigns on it."""

    def __init__(self, seed: int, noise: float) -> None:
        self._world = SimulatedWorld(RATES_RPS, min_functions=2, noise=noise)
        self.plan = self._world.space()
        self._seed = seed
        self._episode = self._world.begin(np.array([seed], np.uint64), np.array([0]))

    def earlier(self, iterations: int) -> Earlier:
        """Return the runs of a campaign of the agent learnt."""
        counted = LedgerSource(SimulatedSource(self._episode), RunLedger(iterations))
        play(self.plan, counted, LearntAgent(DfaasConfig(seed=self._seed)))
        return Earlier(valid_runs(counted.events))

    def later(self, function: int = 0, loss: float = 0.0, draw: int = 1) -> SimulatedSource:
        """Return a source with other noise, of the node after a function has lost a share of its slots."""
        return SimulatedSource(self._changed(function, loss, draw))

    def truth(self, function: int = 0, loss: float = 0.0) -> NDArray[np.int8]:
        """Return the true labels of the node after the loss, (N,)."""
        return self._changed(function, loss, 1).truth(np.arange(self.plan.n_configs))

    def _changed(self, function: int, loss: float, draw: int) -> SimulatedEpisodes:
        rows = self._episode.nodes.rows.copy()
        n_functions = len(self.plan.functions)
        rows[2 + 2 * n_functions + function] *= 1 - loss  # the slots
        seeds = hashed(np.array([self._seed], np.uint64), 7919 + draw)
        return replace(self._episode, nodes=Nodes(rows), chance=hashed(seeds, RUN_DRAWS))


@dataclass
class Figures:
    """What was counted over many nodes."""

    n_nodes: int = 0
    n_runs: int = 0
    n_certificate: int = 0
    n_alarms: int = 0
    n_losses: int = 0
    n_found: int = 0
    runs_to_tell: int = 0

    @property
    def runs_per_certificate(self) -> float:
        """Runs divided by the size of the certificates, a ratio of sums."""
        return self.n_runs / max(1, self.n_certificate)

    def add_unchanged(self, found: Recheck) -> None:
        """Count a re-check of an unchanged node."""
        self.n_nodes += 1
        self.n_runs += found.n_runs
        self.n_certificate += found.n_certificate
        self.n_alarms += found.has_changed

    def add_loss(self, found: Recheck) -> None:
        """Count a re-check after a loss that changes the true map."""
        self.n_losses += 1
        self.n_found += bool(found.lost)
        self.runs_to_tell += found.n_runs


def simulated(
    seeds: Iterable[int], *, noise: float, iterations: int, losses: Sequence[float] = ()
) -> tuple[Figures, dict[float, Figures]]:
    """Re-check nodes that have not changed, and after losses of slots, each where it changes the true map."""
    unchanged, lost = Figures(), {loss: Figures() for loss in losses}
    for seed in seeds:
        node = SimulatedNode(seed, noise)
        earlier, before = node.earlier(iterations), node.truth()
        unchanged.add_unchanged(earlier.rechecked(node.plan, node.later()))
        for loss, figures in lost.items():
            for function in (seed % 2, 1 - seed % 2):
                after = node.truth(function, loss)
                if np.any((before == OK_LABEL) & (after == OVERLOADED_LABEL)):
                    figures.add_loss(earlier.rechecked(node.plan, node.later(function, loss)))
                    break
    return unchanged, lost


@dataclass(frozen=True)
class RecordedSource:
    """Returns the recorded runs of each configuration in turn."""

    runs: Mapping[ConfigKey, Sequence[ExecutionEvent]]

    def measure(self, config: Config, *, iteration: int, rng: np.random.Generator) -> ExecutionEvent:  # noqa: ARG002
        """Return the next run."""
        own = self.runs[config_key(config)]
        return replace(own[iteration % len(own)], iteration=iteration)

    def close(self) -> None:
        """Nothing is held."""


def recorded_maps(folder: Path) -> Iterator[tuple[str, list[ExecutionEvent]]]:
    """Yield the name and the valid runs of each recorded map: of a node, and a set of three functions."""
    with closing(DuckDBMemoryStore(":memory:")) as store:
        store.startup()
        for node, cores in _CORES.items():
            files = sorted((folder / node).glob("*.csv"))
            import_dfaas(store, files, node=node, cores=cores, latency_unit="ns", duration_s=30.0)
        contexts = store.database.connection.execute(
            "SELECT DISTINCT context_hash, context_json FROM run_sessions ORDER BY 1"
        ).fetchall()
        for context_hash, context in contexts:
            node = next(name for name in _CORES if f'"{name}"' in context)
            events = [event for event in store.events(context_hash, 1) if event.is_valid]
            for names in sorted({event.config_key[0] for event in events}):
                yield f"{node}:{'+'.join(names)}", [event for event in events if event.config_key[0] == names]


def recorded(folder: Path) -> Iterator[tuple[str, Recheck]]:
    """Re-check one part of the iterations of each recorded map against the rest: each iteration against both others.

    A configuration is measured no more often than it was recorded, so that no run is counted twice.
    """
    for name, events in recorded_maps(folder):
        for iteration in range(3):
            one = valid_runs(event for event in events if event.iteration == iteration)
            others = valid_runs(event for event in events if event.iteration != iteration)
            yield name, _rechecked_part(one, others, most_runs=2)
            yield name, _rechecked_part(others, one, most_runs=1)


def _rechecked_part(
    before: Mapping[ConfigKey, Sequence[ExecutionEvent]],
    after: Mapping[ConfigKey, Sequence[ExecutionEvent]],
    *,
    most_runs: int,
) -> Recheck:
    rates: dict[str, set[int]] = {}
    for name, rate in (pair for key in (*before, *after) for pair in zip(*key, strict=True)):
        rates.setdefault(name, set()).add(rate)
    plan = ConfigSpace(rates, min_functions=len(rates), max_functions=len(rates) + 1)
    has_record = np.array([config_key(config) in after for config in plan], np.bool_)
    source = RecordedSource(after)
    return Earlier(before).rechecked(plan, source, has_record=has_record, most_runs=most_runs)


def main(n_nodes: int = 200, folder: Path | None = None, first: int = FIRST_NODE) -> None:
    """Print the figures of simulated nodes, then those of recordings."""
    seeds = range(first, first + n_nodes)
    print(f"{n_nodes} simulated nodes with 441 configurations, seeds from {first}")
    for iterations, noise in ((3, 0.0), (3, 0.03), (1, 0.03)):
        unchanged, lost = simulated(seeds, noise=noise, iterations=iterations, losses=(0.2, 0.1))
        print(
            f"noise {noise:.0%}, earlier map with {iterations} run{'s' * (iterations > 1)} of a configuration\n"
            f"  unchanged: {unchanged.runs_per_certificate:.3f} runs / certificate "
            f"({unchanged.n_runs} / {unchanged.n_certificate}), {unchanged.n_alarms} false alarms",
            flush=True,
        )
        for loss, found in lost.items():
            print(
                f"  {loss:.0%} of the slots lost: found on {found.n_found} of {found.n_losses} nodes "
                f"({found.n_found / found.n_losses:.1%}), {found.runs_to_tell / found.n_losses:.1f} runs each",
                flush=True,
            )
    if folder is not None:
        _print_recorded(folder)


def _print_recorded(folder: Path) -> None:
    alarms: Counter[str] = Counter()
    n, unsure, runs, certificate = 0, 0, 0, 0
    for name, found in recorded(folder):
        n += 1
        alarms[name] += found.has_changed
        unsure += len(found.unsure)
        runs, certificate = runs + found.n_runs, certificate + found.n_certificate
    n_false = sum(alarms.values())
    print(
        f"recordings: {n_false} false alarms in {n} re-checks of {len(alarms)} maps; {runs / certificate:.2f} runs / "
        f"certificate, {unsure / n:.1f} configurations of a map differ, perhaps by chance"
    )


if __name__ == "__main__":
    given = sys.argv[1:]
    data = Path(given[given.index("--data") + 1]) if "--data" in given else None
    numbers = [int(word) for word in given if word.isdigit()]
    main(numbers[0] if numbers else 200, data)
