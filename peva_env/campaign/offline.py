"""Offline campaigns: episodes of a world. Measurements are looked up, and nothing is written."""

from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, replace
from difflib import get_close_matches
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from peva_env.actions import ExtraActions
from peva_env.campaign.budget import Budget
from peva_env.campaign.campaign import Campaign, CompleteConfigs
from peva_env.campaign.host import require_options
from peva_env.campaign.protocols import ConfigOutcome
from peva_env.campaign.tally import Tally
from peva_env.contracts import (
    CampaignObserver,
    DfaasRunContext,
    EndStatus,
    MeasurementSource,
    PolicyAlgorithm,
)
from peva_env.errors import ConfigError
from peva_env.inference import LABELS, VERDICTS, MonotoneMap, RateGrid
from peva_env.memory.tensors import TensorCache
from peva_env.observation import Extras, Measurement, measurement_of
from peva_env.planning import PolicyUpdates, Refinement, UpdateSchedule
from peva_env.sources import Episodes, Outcomes, World, hashed
from peva_env.space import ConfigSpace, Dominance

_MAX_TABLE_CONFIGS = 2**16
"""In spaces of at most this size, the first look-up of an episode computes the outcomes of all configurations."""

_NOTHING_DUE = ConfigOutcome()

_SCENARIO_DRAW = 0
"""The hash counter of the draw that decides an episode's scenario."""


@dataclass(frozen=True, slots=True)
class OfflineSettings:
    """Budget, inference and policy updates of an offline campaign; ``peva_env.make`` documents each setting."""

    budget_runs: int | None = None
    budget_seconds: float | None = None
    max_steps: int | None = None
    dominance: Dominance = "within_sets"
    schedule: UpdateSchedule = UpdateSchedule()  # noqa: RUF009 - frozen
    actions: ExtraActions = ExtraActions()  # noqa: RUF009 - frozen
    extras: Extras = Extras()  # noqa: RUF009 - frozen
    refinement: Refinement | None = None

    def budget(self) -> Budget:
        """Return the budget of one campaign."""
        return Budget(self.budget_runs, self.budget_seconds, self.max_steps)


def drawn_scenarios(seeds: NDArray[np.uint64], n_scenarios: int) -> NDArray[np.int64]:
    """Return the scenario of each episode seed, (n,)."""
    if n_scenarios == 1:
        return np.zeros(len(seeds), np.int64)
    return (hashed(seeds, _SCENARIO_DRAW) % np.uint64(n_scenarios)).astype(np.int64)


def chosen_scenario(options: Mapping[str, Any], names: Sequence[str]) -> int | None:
    """Return the index of the scenario in the options of ``reset``, or None without this option.

    Raises:
        ConfigError: an option or the scenario is unknown.
    """
    require_options(options, "scenario")
    name = options.get("scenario")
    if name is None:
        return None
    if not isinstance(name, str) or name not in names:
        near = get_close_matches(str(name), names, n=1) or [names[0]]
        raise ConfigError(f"unknown scenario {name!r} ({len(names)} are known); did you mean {near[0]!r}?")
    return list(names).index(name)


@dataclass(slots=True)
class _Truth:
    """Returns the true labels of an episode, (N,), which are computed when they are first asked for."""

    world: World
    seed: int
    scenario: int
    _labels: NDArray[np.int8] | None = None

    def __call__(self) -> NDArray[np.int8]:
        if self._labels is None:
            self._labels = self.world.truth(self.seed, self.scenario)
        return self._labels


@dataclass(slots=True)
class EpisodeExecutor:
    """Looks up outcomes. With a policy or an observer the outcome is an event; without, only its numbers."""

    episodes: Episodes
    make_source: Callable[[], MeasurementSource]
    tally: Tally
    budget: Budget
    updates: PolicyUpdates
    tensors: TensorCache
    run_id: str
    _has_policy: bool = False
    _table: Outcomes | None = None
    _source: MeasurementSource | None = None

    def execute(self, index: int, rng: np.random.Generator, observers: Sequence[CampaignObserver]) -> ConfigOutcome:
        """Look up the outcome of a configuration's next measurement."""
        iteration = self.tally.n_measurements(index)
        if self._has_policy or observers:
            label, cost_s, measurement = self._measure_event(index, iteration, rng, observers)
        else:
            label, cost_s, measurement = self._look_up(index, iteration)
        self.budget.spend(cost_s)
        label, newly = self.tally.enter(index, label)
        return ConfigOutcome(
            verdict=VERDICTS[label],
            newly=newly,
            n_runs=1,
            cost_s=cost_s,
            measurement=measurement,
        )

    def run_due(self, rng: np.random.Generator, observers: Sequence[CampaignObserver]) -> ConfigOutcome:  # noqa: ARG002
        """Do nothing: offline nothing is due, because a recorded node does not change."""
        return _NOTHING_DUE

    @property
    def confirmation(self) -> None:
        """None: an offline campaign confirms nothing."""

    @property
    def has_due(self) -> bool:
        """False: offline nothing is due."""
        return False

    def record_known(self, index: int) -> None:
        """Do nothing: an offline campaign writes no record."""

    def attach_policy(self, policy: PolicyAlgorithm, *, agent: str) -> None:  # noqa: ARG002
        """Update a policy from now on."""
        self.updates.policy = policy
        self._has_policy = True

    def end(self, status: EndStatus, why: Callable[[], str | None]) -> None:  # noqa: ARG002
        """Update the policy by its pending events, unless the campaign failed: the policy may be the cause."""
        if status is not EndStatus.FAILED:
            self.updates.flush()

    def _look_up(self, index: int, iteration: int) -> tuple[int, float, Measurement]:
        """Return label, cost in seconds and measurement, without an event."""
        n_configs = self.tally.known.space.n_configs
        if self._table is None and n_configs <= _MAX_TABLE_CONFIGS:
            self._table = self.episodes.outcomes(np.arange(n_configs))
        if self._table and iteration == 0:
            table, row = self._table, index
        else:
            table, row = self.episodes.outcomes(np.array([index]), iteration), 0
        return int(table.labels[row]), float(table.cost_s[row]), _measurement(table, row)

    def _measure_event(
        self, index: int, iteration: int, rng: np.random.Generator, observers: Sequence[CampaignObserver]
    ) -> tuple[int, float, Measurement]:
        """Return label, cost in seconds and measurement of an event, and pass the event to policy and observers."""
        space = self.tally.known.space
        config = space.config(index)
        for observer in observers:
            observer.starting(config, iteration)
        self._source = self._source or self.make_source()
        event = replace(self._source.measure(config, iteration=iteration, rng=rng), run_id=self.run_id, repetition=1)
        self.tensors.add(event)
        self.updates.learn(event)
        for observer in observers:
            observer.measured(event)
        return LABELS[event.verdict], event.cost_s, measurement_of(space, event)


def _measurement(outcomes: Outcomes, row: int) -> Measurement:
    return Measurement(outcomes.values[row], outcomes.mask[row], outcomes.mean_ms[row])


class OfflineCampaigns:
    """The host of offline campaigns in a world; ``prior`` holds the events of other campaigns for their memory."""

    def __init__(
        self, world: World, settings: OfflineSettings, config: Mapping[str, Any], prior: TensorCache | None = None
    ) -> None:
        self.world = world
        self.settings = settings
        self.space: ConfigSpace = world.space(0)
        self.grid = RateGrid(self.space) if self.space.is_dense else None
        self._config = dict(config)
        self._prior = prior or TensorCache()

    @property
    def paths(self) -> list[Path]:
        """An empty list: nothing is written."""
        return []

    def check(self, options: Mapping[str, Any]) -> None:
        """Check the options of ``open``: ``{"scenario": name}``.

        Raises:
            ConfigError: an unknown option or scenario.
        """
        chosen_scenario(options, self.world.scenarios)

    def open(self, options: Mapping[str, Any], seed: int) -> Campaign:
        """Begin an episode; ``options={"scenario": name}`` fixes its scenario."""
        seeds = np.array([seed], np.uint64)
        chosen = chosen_scenario(options, self.world.scenarios)
        scenario = int(drawn_scenarios(seeds, len(self.world.scenarios))[0]) if chosen is None else chosen
        self.space = self.world.space(scenario)
        recorded = self.world.recorded(np.array([scenario]))[0] if self.grid else None
        settings = self.settings
        if settings.refinement:
            recorded = settings.refinement.of_grid
        known = MonotoneMap(self.space, dominance=settings.dominance, grid=self.grid, recorded=recorded)
        tensors, run_id, budget = deepcopy(self._prior), f"episode-{seed:016x}", settings.budget()
        return Campaign(
            known=known,
            budget=budget,
            executor=EpisodeExecutor(
                episodes=self.world.begin(seeds, np.array([scenario])),
                make_source=partial(self.world.source, seed, scenario),
                tally=Tally(known),
                budget=budget,
                updates=PolicyUpdates(settings.schedule),
                tensors=tensors,
                run_id=run_id,
            ),
            context=DfaasRunContext(
                configs=self.space,
                existing_index=CompleteConfigs(known),
                function_names=list(self.space.functions),
                run_id=run_id,
            ),
            tensors=tensors,
            truth=_Truth(self.world, seed, scenario),
            refinement=settings.refinement,
            info={
                "scenario": self.world.scenarios[scenario],
                "n_unrecorded": self.space.n_configs - known.n_configs,
            },
        )

    def config_data(self) -> dict[str, Any]:
        """Return the environment's arguments."""
        return dict(self._config)

    def close(self) -> None:
        """Do nothing: no resource is held."""
