"""Offline worlds from plain data: what the ids ``peva/FaasSim-v0`` and ``peva/FaasReplay-v0`` are built of."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from peva_env import datasets
from peva_env.errors import UnknownArgumentError
from peva_env.objectives import Objective, make_objective
from peva_env.offline import OfflineCampaigns, OfflineSettings
from peva_env.sources.episodes import World
from peva_env.sources.replay import ReplayWorld
from peva_env.sources.simulated import SimulatedWorld

DEFAULT_RATES_RPS = {"a": range(0, 201, 10), "b": range(0, 201, 10)}
"""Two functions, rates as by default in a live campaign: a map of 21 x 21."""

DEFAULT_BUDGET_RUNS = 64

_STEPS_PER_RUN = 4
"""An episode ends after so many times the steps that its runs take: what is left is spent on what is known."""


@dataclass(frozen=True, slots=True)
class OfflineParts:
    """What an offline environment, single or vector, is built of."""

    world: World
    settings: OfflineSettings
    objective: Objective
    arguments: Mapping[str, Any]

    def campaigns(self) -> OfflineCampaigns:
        """Return the host of a single environment."""
        return OfflineCampaigns(self.world, self.settings, self.arguments)


def sim_parts(
    node: str | Mapping[str, Any] = "random",
    *,
    rates_rps: Mapping[str, Sequence[int]] | None = None,
    min_functions: int | None = None,
    max_functions: int | None = None,
    noise: float = 0.03,
    duration_s: float = 30.0,
    overload: Mapping[str, Any] | None = None,
    **settings: Any,
) -> OfflineParts:
    """Build a simulated node; see ``peva_env.make.make_sim_env``."""
    rates = {name: list(rates) for name, rates in (rates_rps or DEFAULT_RATES_RPS).items()}
    world = SimulatedWorld(
        rates,
        node,
        min_functions=len(rates) if min_functions is None else min_functions,
        max_functions=max_functions,
        noise=noise,
        duration_s=duration_s,
        rules=overload,
    )
    return _parts(world, settings, {"node": node, "rates_rps": rates, "noise": noise})


def replay_parts(
    data: str | Sequence[str] = "local-node-v1", *, scenarios: Sequence[str] | None = None, **settings: Any
) -> OfflineParts:
    """Build a replay of recordings; see ``peva_env.make.make_replay_env``."""
    folders = [data] if isinstance(data, str) else list(data)
    world = ReplayWorld([_folder(one) for one in folders], scenarios=scenarios)
    return _parts(world, settings, {"data": folders, "scenarios": scenarios})


def _folder(data: str) -> Path:
    """Return a folder of core Parquet: that of a dataset which comes with the package, or the one of that name."""
    return datasets.load(data) if data in datasets.names() else Path(data)


def _parts(world: World, settings: Mapping[str, Any], arguments: Mapping[str, Any]) -> OfflineParts:
    known = {field.name for field in fields(OfflineSettings)}
    reward, reward_kwargs = settings.get("reward", "frontier"), settings.get("reward_kwargs") or {}
    given = {name: value for name, value in settings.items() if name not in ("reward", "reward_kwargs")}
    for name in given.keys() - known:
        near = get_close_matches(name, [*known, "reward", "reward_kwargs"], n=1)
        raise UnknownArgumentError(f"there is no argument {name!r}" + (f"; did you mean {near[0]!r}?" if near else ""))
    given.setdefault("budget_runs", DEFAULT_BUDGET_RUNS)
    n_runs = given["budget_runs"] or world.space(0).n_configs
    given.setdefault("max_steps", _STEPS_PER_RUN * n_runs)
    return OfflineParts(
        world, OfflineSettings(**given), make_objective(reward, reward_kwargs, world.space(0)), arguments
    )
