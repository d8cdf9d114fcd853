"""Builds the worlds, settings and objectives of ``peva/FaasSim-v1`` and ``peva/FaasReplay-v1`` from plain data."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from peva_env import datasets
from peva_env.campaign.offline import OfflineCampaigns, OfflineSettings
from peva_env.campaign.offline_arguments import (
    DEFAULT_RATES_RPS,
    OfflineArguments,
    ReplayArguments,
    SimArguments,
    parse_arguments,
)
from peva_env.errors import ConfigError
from peva_env.memory.parquet import Recording, load_recording
from peva_env.memory.tensors import TensorCache
from peva_env.objectives import Objective, make_objective
from peva_env.sources import RepeatedWorld, UnitedWorld, World
from peva_env.sources.replay import ReplayWorld, names_by_size
from peva_env.sources.simulated import SimulatedWorld
from peva_env.space import Dominance


@dataclass(frozen=True, slots=True)
class OfflineSetup:
    """Everything that an offline environment, single or vector, is built from."""

    world: World
    settings: OfflineSettings
    objective: Objective
    arguments: Mapping[str, Any]
    prior: TensorCache | None = None

    def campaigns(self, dominance: Dominance | None = None) -> OfflineCampaigns:
        """Return the campaign host of a single environment; ``dominance`` overrides the setting."""
        settings = replace(self.settings, dominance=dominance) if dominance else self.settings
        return OfflineCampaigns(self.world, settings, self.arguments, self.prior)


def simulated_setup(node: str | Mapping[str, Any] = "random", **arguments: Any) -> OfflineSetup:
    """Return the setup of a simulation; arguments as for ``peva_env.make.make_sim_env``."""
    parsed = parse_arguments(SimArguments, {"node": node, **arguments})
    rates_rps: Mapping[str, Sequence[int]] = parsed.rates_rps or DEFAULT_RATES_RPS
    least = len(rates_rps) if parsed.min_functions is None else parsed.min_functions
    refinement = parsed.refinement(rates_rps, least)
    if refinement:
        rates_rps = refinement.rates_rps
    worlds = {
        objective: SimulatedWorld(
            rates_rps,
            parsed.node,
            min_functions=least,
            max_functions=parsed.max_functions,
            noise=parsed.noise,
            duration_s=parsed.duration_s,
            rules=rules,
        )
        for objective, rules in parsed.objectives.items()
    }
    setup = _setup(_united(worlds), parsed)
    return replace(setup, settings=replace(setup.settings, refinement=refinement))


def replay_setup(data: str | Sequence[str] = "local-node-v1", **arguments: Any) -> OfflineSetup:
    """Return the setup of a replay; arguments as for ``peva_env.make.make_replay_env``."""
    parsed = parse_arguments(ReplayArguments, {"data": data, **arguments})
    return _replayed(parsed, load_recording([_folder(data) for data in parsed.data]))


def replay_setups(data: str | Sequence[str], **arguments: Any) -> tuple[OfflineSetup, ...]:
    """Return a setup for each number of functions that the recorded maps have; arguments as for ``replay_setup``."""
    parsed = parse_arguments(ReplayArguments, {"data": data, **arguments})
    recording = load_recording([_folder(data) for data in parsed.data])
    sizes = names_by_size(recording.judged(None))
    if len(sizes) < 2:
        return (_replayed(parsed, recording),)
    return tuple(_replayed(parsed.model_copy(update={"scenarios": names}), recording) for names in sizes)


def _replayed(parsed: ReplayArguments, recording: Recording) -> OfflineSetup:
    objectives = parsed.objectives
    worlds = {
        objective: ReplayWorld(recording, scenarios=parsed.scenarios, overload=rules)
        for objective, rules in objectives.items()
    }
    return _setup(_united(worlds), parsed)


def _united(worlds: Mapping[str, World]) -> World:
    """Return the worlds of several objectives as one; the only world as it is, if it has no name."""
    return worlds[""] if "" in worlds else UnitedWorld(worlds)


def _folder(data: str) -> Path:
    """Return the core Parquet folder of a shipped dataset, or else the folder with this path.

    Raises:
        ConfigError: the text is empty.
    """
    if not data:
        raise ConfigError(f"data: a name is empty; give a folder or a dataset: {', '.join(datasets.names())}")
    return datasets.load(data) if data in datasets.names() else Path(data).absolute()


def _setup(world: World, arguments: OfflineArguments) -> OfflineSetup:
    if arguments.iterations > 1:
        world = RepeatedWorld(world, arguments.iterations)
    space = world.space(0)
    objective = make_objective(
        arguments.reward,
        arguments.reward_kwargs or {},
        space,
        budget_seconds=arguments.budget_seconds,
        version=arguments.version,
    )
    prior = load_recording([_folder(data) for data in arguments.prior]) if arguments.prior else None
    return OfflineSetup(
        world=world,
        settings=arguments.settings(space.n_configs),
        objective=objective,
        arguments=arguments.model_dump(mode="json"),
        prior=TensorCache.holding(prior.rows) if prior else None,
    )
