"""The settings of an arena: its agents, its scenarios, and the numbers of runs after which maps are compared."""

from collections.abc import Mapping
from itertools import pairwise
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, model_validator

from peva_env.config.offline.option import CommandOption
from peva_env.config.offline.texts import parse_budgets, parse_names, parse_rates
from peva_env.config.section import LARGEST_COUNT

Names = tuple[str, ...] | None


class ArenaConfig(BaseModel):
    """All settings that determine the results of an arena."""

    model_config = ConfigDict(extra="forbid", validate_default=True, frozen=True, defer_build=True)

    agents: Annotated[tuple[str, ...], CommandOption(parse=parse_names)] = Field(
        (), description="Names, model files or module:Class, with commas between; the baselines always play"
    )
    data: Names = Field(None, min_length=1, description="A folder of core Parquet, or the name of a dataset")
    scenarios: Names = Field(None, min_length=1, description="With --data: maps, by name or prefix")
    min_recorded: int | None = Field(
        None, ge=1, description="With --data: smallest number of recorded configurations of a map"
    )
    seeds: int | None = Field(None, ge=1, description="With --data: episodes of each map (default: 20)")
    sim: Annotated[str | None, CommandOption(metavar="random:K")] = Field(
        None, pattern=r"^random:[1-9][0-9]{0,6}$", description="Play on K simulated nodes, one episode each"
    )
    rates_rps: Annotated[
        Mapping[str, tuple[int, ...]] | None,
        CommandOption("--rates", metavar="NAME=RATES", parse=parse_rates, repeatable=True),
    ] = Field(None, description="With --sim: rates of a function, as a=0,20,40 or a=0:200:10")
    noise: float | None = Field(None, ge=0, description="With --sim: noise of a run, as a share (default: 0.03)")
    prior: Names = Field(None, min_length=1, description="A recording that agents may learn from beforehand")
    iterations: int = Field(
        3, ge=1, le=100, description="k6 runs of each configuration; the majority decides its verdict"
    )
    budgets: Annotated[tuple[Annotated[int, Field(le=LARGEST_COUNT)], ...], CommandOption(parse=parse_budgets)] = Field(
        (), description="Numbers of runs after which maps are compared (default: numbers that suit the largest map)"
    )
    max_runs: int | None = Field(
        None, ge=1, description="Most runs of an episode, except for the cartesian agent (default: no limit)"
    )

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
    def _ascending_budgets(self) -> "ArenaConfig":
        budgets = self.budgets
        if (budgets and budgets[0] < 1) or any(later <= one for one, later in pairwise(budgets)):
            raise ValueError(f"budgets {list(budgets)}: must be numbers of runs of at least 1, ascending")
        return self

    @property
    def n_nodes(self) -> int:
        """The number of simulated nodes."""
        return int((self.sim or "random:0").partition(":")[2])

    def described(self) -> dict[str, Any]:
        """Return the settings as plain data."""
        return self.model_dump(mode="json")
