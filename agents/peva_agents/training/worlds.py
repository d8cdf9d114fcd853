"""The worlds of a training: for learning, for choosing the best model (validation), and for the test.

Recorded maps are split by name, or by a seeded shuffle; simulated nodes by seed. The seeds of the three parts have
three remainders modulo 3, so that no episode belongs to two parts.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from peva_agents.arena import PARTS, Part, part_seeds
from peva_env.campaign import OfflineSetup, SomeScenarios, replay_setup, simulated_setup
from peva_env.config.offline import TrainingConfig
from peva_env.env import PevaEnv
from peva_env.errors import ConfigError
from peva_env.space import ConfigSpace, Dominance
from peva_env.vector import PevaVectorEnv

_SEEDS_OF_A_TRAINING = 10_000_000
"""The distance between the first episodes of trainings whose seeds differ by 1."""

_SHARES = (0.6, 0.2, 0.2)
"""The shares of training, validation and test among the maps that are not named."""


@dataclass(frozen=True)
class TrainingWorlds:
    """The worlds of a training's parts; ``note`` says which maps or nodes the parts share, if any."""

    seed: int
    setups: dict[Part, OfflineSetup]
    note: str | None

    @property
    def space(self) -> ConfigSpace:
        """Return the space of a scenario; the spaces of all scenarios have one shape."""
        return self.setups["train"].world.space(0)

    def scenarios(self, part: Part) -> tuple[str, ...]:
        """Return the scenarios of a part."""
        return self.setups[part].world.scenarios

    def seeds(self, part: Part, n: int, *, first: int = 0) -> list[int]:
        """Return ``n`` seeds of a part, beginning with its seed number ``first``."""
        return part_seeds(part, n, self.seed * _SEEDS_OF_A_TRAINING + first)

    def vector(self, part: Part, n_envs: int) -> PevaVectorEnv:
        """Return environments of a part, side by side."""
        return PevaVectorEnv(n_envs, self.setups[part], "SameStep")

    def single(self, part: Part, *, dominance: Dominance | None = None) -> PevaEnv:
        """Return one environment of a part, with the training's kind of dominance unless another is given."""
        setup = self.setups[part]
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
        "reward": config.reward,
        "reward_kwargs": config.reward_kwargs,
    }
    if config.sim is not None:
        setup = simulated_setup(
            config.sim,
            rates_rps=config.rates_rps,
            min_functions=config.min_functions,
            max_functions=config.max_functions,
            noise=config.noise,
            **settings,
        )
        note = None if config.sim == "random" else "one simulated node: training and test differ in the noise alone"
        return TrainingWorlds(config.seed, dict.fromkeys(PARTS, setup), note)
    return _recorded(config, settings)


def _recorded(config: TrainingConfig, settings: dict[str, Any]) -> TrainingWorlds:
    wanted = (config.train_scenarios, config.validation_scenarios, config.test_scenarios)
    only = None if None in wanted else [name for names in wanted for name in names or ()]
    whole = replay_setup(list(config.data or ()), scenarios=only, **settings)
    chosen = split(whole.world.scenarios, wanted, config.seed)
    setups = {
        part: replace(whole, world=SomeScenarios(whole.world, names)) for part, names in zip(PARTS, chosen, strict=True)
    }
    return TrainingWorlds(config.seed, setups, _shared_note(*chosen))


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
        ConfigError: there is no map of a wanted name or prefix.
    """
    chosen = [[] if names_wanted is None else _named(names, names_wanted) for names_wanted in wanted]
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


def _named(names: Sequence[str], wanted: Sequence[str]) -> list[str]:
    chosen: dict[str, None] = {}
    for text in wanted:
        found = [name for name in names if name == text] or [name for name in names if name.startswith(text)]
        if not found:
            raise ConfigError(f"scenario {text!r} is not recorded; there are: {', '.join(names)}")
        chosen |= dict.fromkeys(found)
    return list(chosen)
