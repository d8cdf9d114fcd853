"""Offline campaigns: an episode of a world, measured at no cost, with nothing written anywhere."""

import time
from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, replace
from difflib import get_close_matches
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from peva_env.campaign.protocols import Budget, Campaign, ConfigOutcome, require_options, why_known
from peva_env.contracts import (
    CampaignObserver,
    DfaasRunContext,
    EndStatus,
    MeasurementSource,
    PolicyAlgorithm,
)
from peva_env.errors import ConfigError
from peva_env.inference import UNKNOWN_LABEL, VERDICTS, MonotoneMap, RateGrid, is_dense
from peva_env.memory.tensors import TensorCache
from peva_env.observation import Measurement
from peva_env.planning import PolicyUpdates
from peva_env.sources import Episodes, Outcomes, World, hashed
from peva_env.space import ConfigSpace, Dominance, config_key

_TABLE_LIMIT = 2**16
"""Up to so many configurations an episode's outcomes are worked out at once, when it begins."""

_SCENARIO_DRAW = 0
"""Which draw of an episode's word decides its scenario."""


@dataclass(frozen=True, slots=True)
class OfflineSettings:
    """What an offline campaign may spend and how it infers; see ``peva_env.make`` for the meaning."""

    budget_runs: int | None = None
    budget_seconds: float | None = None
    max_steps: int | None = None
    dominance: Dominance = "within_sets"
    selection_mode: str = "online"
    micro_batch_size: int = 8

    def budget(self) -> Budget:
        """Return the budget of one campaign."""
        return Budget(self.budget_runs, self.budget_seconds, self.max_steps)


def drawn_scenarios(words: NDArray[np.uint64], n_scenarios: int) -> NDArray[np.int64]:
    """Return the scenario of each episode word, (n,)."""
    if n_scenarios == 1:
        return np.zeros(len(words), np.int64)
    return (hashed(words, _SCENARIO_DRAW) % np.uint64(n_scenarios)).astype(np.int64)


def chosen_scenario(options: Mapping[str, Any], names: Sequence[str]) -> int | None:
    """Return the number of the scenario that reset's options ask for, or None where they ask for none.

    Raises:
        ConfigError: there is no such option, or no such scenario.
    """
    require_options(options, "scenario")
    name = options.get("scenario")
    if name is None:
        return None
    if not isinstance(name, str) or name not in names:
        near = get_close_matches(str(name), names, n=1) or [names[0]]
        raise ConfigError(f"scenario {name!r}: none of {len(names)} has that name; did you mean {near[0]!r}?")
    return list(names).index(name)


@dataclass(slots=True)
class EpisodeExecutor:
    """Looks up what measuring gives. Events are made only where somebody is told of them."""

    episodes: Episodes
    make_source: Callable[[], MeasurementSource]
    known: MonotoneMap
    budget: Budget
    updates: PolicyUpdates
    tensors: TensorCache
    run_id: str
    observers: Sequence[CampaignObserver] = ()
    has_policy: bool = False
    _table: Outcomes | None = None
    _context: DfaasRunContext | None = None
    _source: MeasurementSource | None = None

    def __post_init__(self) -> None:
        if self.known.space.n_configs <= _TABLE_LIMIT:
            self._table = self.episodes.outcomes(np.arange(self.known.space.n_configs))

    @property
    def context(self) -> DfaasRunContext:
        """The campaign as a scheduler sees it, kept up to date from when it was first asked for."""
        if self._context is None:
            space = self.known.space
            self._context = DfaasRunContext(
                configs=space,
                existing_index=set(self.known.measured),
                function_names=list(space.functions),
                run_id=self.run_id,
            )
        return self._context

    def execute(self, index: int, rng: np.random.Generator) -> ConfigOutcome:
        """Look up a configuration's outcome, unless it is known already or was never recorded."""
        reason = self._skip_reason(index)
        if reason:
            verdict = self.known.verdict(self.known.space.config(index))
            return ConfigOutcome(verdict=verdict, skip_reason=reason)
        table, row = (self._table, index) if self._table else (self.episodes.outcomes(np.array([index])), 0)
        label, cost_s = int(table.labels[row]), float(table.cost_s[row])
        self.budget.spend(cost_s)
        if self.has_policy or self.observers:
            self._tell(index, rng)
        resolved = len(self.known.enter(index, label))
        if self._context is not None:
            self._context.existing_index.add(config_key(self.known.space.config(index)))
        for observer in self.observers:
            observer.concluded(self.known.space.config(index), VERDICTS[label], resolved)
        return ConfigOutcome(
            verdict=VERDICTS[label],
            resolved=resolved,
            n_runs=1,
            cost_s=cost_s,
            measurement=Measurement(table.values[row], table.mask[row]),
        )

    def _skip_reason(self, index: int) -> str | None:
        labels, recorded = self.known.labels, self.known.recorded
        if labels is not None and labels[index] == UNKNOWN_LABEL and (recorded is None or recorded[index]):
            return None
        config = self.known.space.config(index)
        if config_key(config) in self.known.measured:
            return "already measured"
        if recorded is not None and not recorded[index]:
            return "never recorded"
        return why_known(self.known, config)

    def _tell(self, index: int, rng: np.random.Generator) -> None:
        config = self.known.space.config(index)
        for observer in self.observers:
            observer.starting(config, 0)
        self._source = self._source or self.make_source()
        event = replace(self._source.measure(config, iteration=0, rng=rng), run_id=self.run_id, repetition=1)
        self.tensors.add(event)
        self.updates.learn(event)
        for observer in self.observers:
            observer.measured(event)


class OfflineCampaigns:
    """Opens campaigns in a world; ``prior`` is what their memory holds of other campaigns."""

    def __init__(
        self, world: World, settings: OfflineSettings, config: Mapping[str, Any], prior: TensorCache | None = None
    ) -> None:
        self.world = world
        self.settings = settings
        self.space: ConfigSpace = world.space(0)
        self.grid = RateGrid(self.space) if is_dense(self.space) else None
        self._config = dict(config)
        self._prior = prior or TensorCache()
        self._executor: EpisodeExecutor | None = None

    @property
    def paths(self) -> list[Path]:
        """Nothing is written."""
        return []

    def check(self, options: Mapping[str, Any]) -> None:
        """Accept what ``open`` can be asked for: ``{"scenario": name}``.

        Raises:
            ConfigError: an unknown option or scenario.
        """
        chosen_scenario(options, self.world.scenarios)

    def open(self, options: Mapping[str, Any], word: int) -> Campaign:
        """Begin an episode; ``options={"scenario": name}`` fixes which."""
        words = np.array([word], np.uint64)
        chosen = chosen_scenario(options, self.world.scenarios)
        scenario = int(drawn_scenarios(words, len(self.world.scenarios))[0]) if chosen is None else chosen
        self.space = self.world.space(scenario)
        recorded = self.world.recorded(np.array([scenario]))[0] if self.grid else None
        settings = self.settings
        self._executor = EpisodeExecutor(
            episodes=self.world.begin(words, np.array([scenario])),
            make_source=partial(self.world.source, word, scenario),
            known=MonotoneMap(self.space, dominance=settings.dominance, grid=self.grid, recorded=recorded),
            budget=settings.budget(),
            updates=PolicyUpdates(
                mode=settings.selection_mode,
                batch_size=settings.micro_batch_size,
                window_s=float("inf"),
                clock=time.monotonic,
                updated=_no_note,
            ),
            tensors=deepcopy(self._prior),
            run_id=f"episode-{word:016x}",
        )
        info = {
            "scenario": self.world.scenarios[scenario],
            "n_unrecorded": self.space.n_configs - self._executor.known.n_configs,
        }
        return Campaign(self._executor, (), self._executor.tensors, info)

    def end(self, status: EndStatus, detail: str | None) -> None:  # noqa: ARG002
        """Hand pending events to the policy, unless it may be what failed."""
        if self._executor is not None and status is not EndStatus.FAILED:
            self._executor.updates.flush()

    def attach_policy(self, policy: PolicyAlgorithm, *, agent: str) -> None:  # noqa: ARG002
        """Update a policy from now on."""
        if self._executor is not None:
            self._executor.updates.policy = policy
            self._executor.has_policy = True

    def config_data(self) -> dict[str, Any]:
        """Return the environment's arguments."""
        return dict(self._config)

    def close(self) -> None:
        """Hold nothing."""


def _no_note(policy: str, n_events: int, score: Any) -> None:
    """Offline no memory keeps track of updates."""
