"""What a training is: its settings as plain data, the space that it is for, and the versions that made it."""

import platform
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from peva_env.config import explain
from peva_env.errors import ConfigError
from peva_env.space import ConfigSpace, Dominance

type Algorithm = Literal["maskable-ppo", "ppo", "dqn"]

_PACKAGES = ("peva-env", "gymnasium", "numpy", "stable-baselines3", "sb3-contrib", "torch")

_LARGE_MAP = 2_000
"""Beyond so many configurations a step costs several times as much."""


class TrainingConfig(BaseModel):
    """All that decides what a training does, beside the folder that it writes to."""

    model_config = ConfigDict(extra="forbid", validate_default=True, frozen=True)

    algo: Algorithm = Field("maskable-ppo", description="the algorithm")
    data: tuple[str, ...] | None = Field(
        None, min_length=1, description="folders of core Parquet, or names of datasets"
    )
    sim: str | dict[str, Any] | None = Field(None, description="random, local, or plain data of a node")
    rates_rps: dict[str, list[int]] | None = Field(None, description="rates of each simulated function")
    min_functions: int | None = Field(None, ge=1, description="fewest functions in a simulated configuration")
    max_functions: int | None = Field(None, ge=2, description="exclusive upper bound of their number")
    noise: float = Field(0.03, ge=0, description="noise of a simulated run")
    train_scenarios: tuple[str, ...] | None = Field(None, min_length=1, description="recorded maps to learn on")
    validation_scenarios: tuple[str, ...] | None = Field(None, min_length=1, description="to choose the best model on")
    test_scenarios: tuple[str, ...] | None = Field(None, min_length=1, description="to compare agents on")
    budget_runs: int = Field(64, ge=1, description="runs of an episode")
    dominance: Dominance = Field("within_sets", description="how verdicts are inferred")
    reward: str = Field("frontier", description="what the agent is paid for")
    reward_kwargs: dict[str, Any] = Field(default_factory=dict, description="arguments of the reward")
    total_steps: int | None = Field(None, ge=1, description="steps of all environments together")
    n_envs: int | None = Field(None, ge=1, le=4096, description="environments side by side")
    seed: int = Field(0, ge=0, lt=2**31, description="of networks, episodes and the split")
    hyperparameters: dict[str, Any] = Field(default_factory=dict, description="of the algorithm, instead of defaults")
    validation_episodes: int = Field(32, ge=1, description="episodes of each validation")
    evaluation_episodes: int = Field(50, ge=1, description="episodes of each test scenario at the end")

    @model_validator(mode="after")
    def _one_world(self) -> "TrainingConfig":
        if (self.data is None) == (self.sim is None):
            raise ValueError("give either --data (a folder or the name of a dataset) or --sim random")
        recorded = ("train_scenarios", "validation_scenarios", "test_scenarios")
        simulated = ("rates_rps", "min_functions", "max_functions")
        for name in recorded if self.data is None else simulated:
            if getattr(self, name) is not None:
                raise ValueError(f"{name} belongs to {'--data' if self.data is None else '--sim'}; leave it out")
        return self

    def sized_for(self, space: ConfigSpace) -> "TrainingConfig":
        """Return the same with the numbers of steps and environments, which depend on the size of the map."""
        n_envs = self.n_envs or (16 if is_large(space) else 64)
        usual = 30_000 if is_large(space) else 60_000 if self.algo == "dqn" else 300_000
        total_steps = self.total_steps or usual
        return self.model_copy(update={"n_envs": n_envs, "total_steps": total_steps})


def is_large(space: ConfigSpace) -> bool:
    """Tell whether a map is so large that the defaults are of fewer environments and a smaller network."""
    return space.n_configs > _LARGE_MAP


def parse_training(given: Mapping[str, Any]) -> TrainingConfig:
    """Check the settings of a training.

    Raises:
        ConfigError: one cannot be used; one line that says which.
    """
    try:
        return TrainingConfig.model_validate(dict(given))
    except ValidationError as error:
        raise ConfigError(explain(error.errors()[0], TrainingConfig)) from error


def versions() -> dict[str, str]:
    """Return the versions of Python and of what a model is made with."""
    found = {"python": platform.python_version()}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "not installed"
    return found
