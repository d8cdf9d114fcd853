"""What an arena is: who plays what, and when is read how far they are, as plain data."""

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from peva_env.config import explain
from peva_env.errors import ConfigError

YARDSTICK = "cartesian"
"""Whose campaigns the others are measured against. It always plays to the end."""

BASELINES = (YARDSTICK, "uniform", "bisection")
"""Who always plays."""

_USUAL: Mapping[str, Mapping[str, Any]] = {"data": {"seeds": 20, "min_recorded": 1}, "sim": {"noise": 0.03}}
"""What each kind of world has where nothing else is said."""


class ArenaConfig(BaseModel):
    """All that decides what an arena finds, beside the folder that it writes to."""

    model_config = ConfigDict(extra="forbid", validate_default=True, frozen=True)

    agents: tuple[str, ...] = Field((), description="names, model files, or module:Class; beside the baselines")
    data: tuple[str, ...] | None = Field(
        None, min_length=1, description="folders of core Parquet, or names of datasets"
    )
    scenarios: tuple[str, ...] | None = Field(None, min_length=1, description="recorded maps to play on")
    min_recorded: int | None = Field(None, ge=1, description="recorded configurations that a map has at least")
    seeds: int | None = Field(None, ge=1, description="episodes of each recorded map")
    sim: str | None = Field(None, pattern=r"^random:[1-9][0-9]{0,6}$", description="random:K, K simulated nodes")
    rates_rps: Mapping[str, tuple[int, ...]] | None = Field(None, description="rates of each simulated function")
    noise: float | None = Field(None, ge=0, description="noise of a simulated run, as a share")
    prior: tuple[str, ...] | None = Field(
        None, min_length=1, description="recordings that agents may learn from beforehand"
    )
    iterations: int = Field(3, ge=1, le=100, description="k6 runs that each configuration takes; the majority decides")
    budgets: tuple[int, ...] = Field((12, 25, 50, 100, 200, 400), min_length=1, description="runs to read after")
    max_runs: int | None = Field(None, ge=1, description="runs of an episode at most")

    @model_validator(mode="after")
    def _one_world(self) -> "ArenaConfig":
        if (self.data is None) == (self.sim is None):
            raise ValueError("give either --data (a folder or the name of a dataset) or --sim random:K (K nodes)")
        recorded, simulated = ("scenarios", "min_recorded", "seeds"), ("rates_rps", "noise")
        for name in recorded if self.data is None else simulated:
            if getattr(self, name) is not None:
                raise ValueError(f"{name} belongs to {'--data' if self.data is None else '--sim'}; leave it out")
        return self

    @model_validator(mode="after")
    def _readable(self) -> "ArenaConfig":
        if self.budgets[0] < 1 or any(later <= one for one, later in zip(self.budgets, self.budgets[1:], strict=False)):
            raise ValueError(f"budgets {list(self.budgets)}: must be numbers of runs of at least 1, ascending")
        return self

    @property
    def entrants(self) -> tuple[str, ...]:
        """Who plays: the baselines, then the others, each once."""
        return tuple(dict.fromkeys((*BASELINES, *self.agents)))

    @property
    def n_nodes(self) -> int:
        """How many simulated nodes are played on."""
        return int((self.sim or "random:0").partition(":")[2])

    def described(self) -> dict[str, Any]:
        """Return it as plain data."""
        return self.model_dump(mode="json")


def parse_arena(given: Mapping[str, Any]) -> ArenaConfig:
    """Check the settings of an arena.

    Raises:
        ConfigError: one cannot be used; one line that says which.
    """
    try:
        usual = {name: value for kind in _USUAL.keys() & given.keys() for name, value in _USUAL[kind].items()}
        return ArenaConfig.model_validate(usual | dict(given))
    except ValidationError as error:
        problem = error.errors()[0]
        if problem["loc"] == ("sim",):
            raise ConfigError(f"--sim {problem['input']!r}: must be random:K, K nodes, as in random:100") from error
        raise ConfigError(explain(problem, ArenaConfig)) from error


def reading_points(budgets: Sequence[int], most_runs: int) -> frozenset[int]:
    """Return after how many runs an episode is looked at: at the budgets, and whenever a tenth more was spent."""
    points, last = set(budgets), 1
    while last <= most_runs:
        points.add(last)
        last += max(1, last // 10)
    return frozenset(points)
