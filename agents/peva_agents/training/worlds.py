"""The worlds of a training: for learning, for choosing the best model (validation), and for the test.

Recorded maps are split by name, or by a seeded shuffle; simulated nodes by seed. A training may have both. The seeds of
the three parts have three remainders modulo 3, so that no episode belongs to two parts.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import numpy as np

from peva_agents.arena import PARTS, Part, part_seeds
from peva_env.campaign import (
    OfflineSetup,
    SomeScenarios,
    replay_setup,
    replay_setups,
    select_scenarios,
    simulated_setup,
)
from peva_env.config.offline import TrainingConfig
from peva_env.env import PevaEnv
from peva_env.errors import ConfigError
from peva_env.space import ConfigSpace, Dominance
from peva_env.vector import PevaVectorEnv
from peva_env.views import MAP

_SEEDS_OF_A_TRAINING = 10_000_000
"""The distance between the first episodes of trainings whose seeds differ by 1."""

_GRIDS: tuple[dict[str, list[int]], ...] = (
    {name: list(range(0, 201, 10)) for name in "ab"},  # 441 configurations
    {"a": list(range(0, 301, 20)), "b": [0, 10, 20, 40, 60, 80, 120, 160, 240]},  # 144
    {name: list(range(0, 201, 20)) for name in "abc"},  # 1,331
    {name: [0, 20, 50, 90, 140, 200] for name in "abcd"},  # 1,296
)
"""The rates of simulated nodes on which a model learns to play in any space."""

_SHARES = (0.6, 0.2, 0.2)
"""The shares of training, validation and test among the maps that are not named."""


@dataclass(frozen=True)
class TrainingWorlds:
    """The worlds of a training's parts; ``note`` says which maps or nodes the parts share, if any.

    A part has a setup for each shape of space; with the view of the map it has one.
    """

    seed: int
    setups: dict[Part, tuple[OfflineSetup, ...]]
    note: str | None
    view: str = MAP

    @property
    def space(self) -> ConfigSpace:
        """Return the space of a scenario; with the view of the map the spaces of all scenarios have one shape."""
        return self.spaces[0]

    @property
    def spaces(self) -> tuple[ConfigSpace, ...]:
        """Return a space of each shape that is learned on."""
        return tuple(setup.world.space(0) for setup in self.setups["train"])

    def scenarios(self, part: Part) -> tuple[str, ...]:
        """Return the scenarios of a part."""
        return tuple(dict.fromkeys(name for setup in self.setups[part] for name in setup.world.scenarios))

    def seeds(self, part: Part, n: int, *, first: int = 0) -> list[int]:
        """Return ``n`` seeds of a part, beginning with its seed number ``first``."""
        return part_seeds(part, n, self.seed * _SEEDS_OF_A_TRAINING + first)

    def sizes(self, part: Part, n_envs: int) -> list[int]:
        """Return how many of ``n_envs`` environments each shape of space has: nearly as many, and one at least."""
        n_shapes = len(self.setups[part])
        return [max(1, (n_envs + i) // n_shapes) for i in range(n_shapes)]

    def vector[V: PevaVectorEnv](self, part: Part, number: int, n_envs: int, kind: type[V]) -> V:
        """Return environments of a part's setup, side by side."""
        return kind(n_envs, self.setups[part][number], "SameStep", view=self.view)

    def vectors(self, part: Part, n_envs: int) -> list[PevaVectorEnv]:
        """Return ``n_envs`` environments of a part, side by side: a vector of each shape."""
        return [self.vector(part, number, n, PevaVectorEnv) for number, n in enumerate(self.sizes(part, n_envs))]

    def learning_env(self, n_envs: int) -> Any:
        """Return the environments that a model learns on, as a ``VecEnv``."""
        from peva_env.sb3_vec_env import PevaSB3VecEnv, SpacesSB3VecEnv  # it imports stable_baselines3, for seconds

        parts = [PevaSB3VecEnv(vector, ends_are_final=True) for vector in self.vectors("train", n_envs)]
        return parts[0] if len(parts) == 1 else SpacesSB3VecEnv(parts)

    def single(self, part: Part, *, number: int = 0, dominance: Dominance | None = None) -> PevaEnv:
        """Return one environment of a part's setup, with the training's kind of dominance unless another is given."""
        setup = self.setups[part][number]
        return PevaEnv(setup.campaigns(dominance), setup.objective)


def training_worlds(config: TrainingConfig) -> TrainingWorlds:
    """Build the worlds of a training.

    Raises:
        ConfigError: a setting cannot be used, or there is no such scenario.
        MemoryStoreError: a recording cannot be read.
    """
    settings: dict[str, Any] = {
        "budget_runs": config.budget_runs,
        "dominance": config.dominance,
        "iterations": config.iterations,
        "reward": config.reward,
        "reward_kwargs": config.reward_kwargs,
    }
    setups: dict[Part, tuple[OfflineSetup, ...]] = dict.fromkeys(PARTS, ())
    notes = []
    if config.sim is not None:
        simulated = _simulated(config, config.sim, {"noise": config.noise, **settings})
        setups = dict.fromkeys(PARTS, simulated)
        if config.sim != "random":
            notes.append("one simulated node: training and test differ in the noise alone")
    if config.data is not None:
        recorded, note = _recorded(config, config.data, settings)
        setups = {part: setups[part] + recorded[part] for part in PARTS}
        notes += [note] if note else []
    return TrainingWorlds(config.seed, setups, "; ".join(notes) or None, config.view)


@cache
def worlds_of(settings: str) -> TrainingWorlds:
    """Return the worlds of a training, given its settings as JSON; a worker builds them once."""
    return training_worlds(TrainingConfig.model_validate_json(settings))


def _simulated(
    config: TrainingConfig, node: str | dict[str, Any], settings: dict[str, Any]
) -> tuple[OfflineSetup, ...]:
    """Return the setups of simulated nodes.

    With the view of candidates, and without rates, random nodes have two to four functions on different grids.

    Raises:
        ConfigError: a setting cannot be used, or no grid has so many functions.
    """
    fewest, end = config.min_functions, config.max_functions
    if node != "random" or config.view == MAP or config.rates_rps is not None:
        given = {"rates_rps": config.rates_rps, "min_functions": fewest, "max_functions": end}
        return (simulated_setup(node, **given, **settings),)
    grids = [grid for grid in _GRIDS if (fewest or 1) <= len(grid) < (end or len(grid) + 1)]
    if not grids:
        raise ConfigError(
            f"min_functions = {fewest}, max_functions = {end}: without --rates nodes have 2, 3 or 4 functions; "
            "give --rates for other numbers"
        )
    return tuple(simulated_setup("random", rates_rps=grid, **settings) for grid in grids)


def _recorded(
    config: TrainingConfig, data: Sequence[str], settings: dict[str, Any]
) -> tuple[dict[Part, tuple[OfflineSetup, ...]], str | None]:
    """Return the setups of recorded maps, and which maps the parts share, if any."""
    wanted = (config.train_scenarios, config.validation_scenarios, config.test_scenarios)
    if config.view == MAP:
        only = None if None in wanted else [name for names in wanted for name in names or ()]
        wholes: tuple[OfflineSetup, ...] = (replay_setup(list(data), scenarios=only, **settings),)
    else:
        wholes = replay_setups(list(data), **settings)
    chosen = split([name for whole in wholes for name in whole.world.scenarios], wanted, config.seed)
    setups: dict[Part, tuple[OfflineSetup, ...]] = {
        part: _restricted(wholes, names) for part, names in zip(PARTS, chosen, strict=True)
    }
    return setups, _shared_note(*chosen)


def _restricted(wholes: Sequence[OfflineSetup], names: Sequence[str]) -> tuple[OfflineSetup, ...]:
    """Return the setups that have maps of these names, with these maps alone."""
    own = [(whole, [name for name in names if name in whole.world.scenarios]) for whole in wholes]
    return tuple(replace(whole, world=SomeScenarios(whole.world, some)) for whole, some in own if some)


def _shared_note(train: Sequence[str], validation: Sequence[str], test: Sequence[str]) -> str | None:
    if set(train) & set(test):
        listed = ", ".join(sorted(set(train) & set(test)))
        return f"tested on maps that were learned on ({listed}): other draws of the noise, the same map"
    if set(train) & set(validation):
        return "the best model is chosen on maps that were learned on; the test maps are others"
    return None


def split(
    names: Sequence[str], wanted: Sequence[Sequence[str] | None], seed: int
) -> tuple[list[str], list[str], list[str]]:
    """Return the training, validation and test maps.

    A part whose maps are not ``wanted`` by name gets some of the maps that are left, in a seeded order: about three
    fifths are for training and a fifth for each of the others. If too few are left to give each part one, parts share
    maps: validation takes those of training, and with a single map all three parts have that one.

    Raises:
        ConfigError: there is no map of a wanted name, or of a prefix, which ends in ``*``.
    """
    chosen = [[] if names_wanted is None else select_scenarios(names, names_wanted) for names_wanted in wanted]
    taken = {name for part in chosen for name in part}
    order = np.random.default_rng(seed).permutation(len(names))
    left = [names[i] for i in order if names[i] not in taken]
    n_left, shares = len(left), [0.0 if part else share for part, share in zip(chosen, _SHARES, strict=True)]
    for part in (2, 1):
        if shares[part]:
            spare = len(left) - (not chosen[0])
            n = min(max(1, round(n_left * shares[part] / sum(shares))), max(0, spare))
            chosen[part], left = left[:n], left[n:]
    train = chosen[0] or left or list(names)
    return train, chosen[1] or train, chosen[2] or train
