"""The arguments of the offline environments. They are validated first; an error message is one line."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import numpy as np
from pydantic import BeforeValidator, ConfigDict, Field, ValidationError

from peva_env.actions import ExtraActions
from peva_env.campaign.offline import OfflineSettings
from peva_env.config import OverloadConfig, Section, changed_rules, explain_problem, flat_rules, percent_share
from peva_env.errors import ConfigError, UnknownArgumentError
from peva_env.observation import Extras
from peva_env.planning import Refinement, UpdateSchedule
from peva_env.space import ConfigSpace, Dominance

DEFAULT_RATES_RPS = {"a": list(range(0, 201, 10)), "b": list(range(0, 201, 10))}
"""Two functions, rates as by default in a live campaign: a map of 21 x 21."""

DEFAULT_BUDGET_RUNS = 64

_STEPS_PER_RUN = 4
"""Default limit of steps, as a multiple of the limit of runs: the other steps are actions on known configurations."""


def _listed(value: object) -> object:
    """Convert ranges and tuples to lists."""
    return list(value) if isinstance(value, range | tuple) else value


def _plain(value: object) -> object:
    """Return data with NumPy's numbers and arrays as those of Python."""
    if isinstance(value, np.generic | np.ndarray):
        return value.tolist()
    if isinstance(value, Mapping):
        return {key: _plain(part) for key, part in value.items()}
    return [_plain(part) for part in value] if isinstance(value, list) else value


def _in_a_list(value: object) -> object:
    return [value] if isinstance(value, str) else _listed(value)


type Rates = Annotated[list[int], BeforeValidator(_listed)]
type Names = Annotated[list[str], BeforeValidator(_in_a_list)]


class OfflineArguments(Section):
    """The arguments of every offline environment."""

    # Strict: neither True nor "5" is a number of runs.
    model_config = ConfigDict(strict=True, allow_inf_nan=False)

    budget_runs: int | None = Field(DEFAULT_BUDGET_RUNS, gt=0)
    budget_seconds: float | None = Field(None, gt=0)
    max_steps: int | None = Field(None, gt=0)
    iterations: int = Field(1, gt=0, le=100)
    prior: Names | None = Field(None, min_length=1)
    dominance: Dominance = "within_sets"
    reward: str = "frontier"
    reward_kwargs: dict[str, Any] | None = None
    selection_mode: str = Field("online", pattern="^(online|micro_batch)$")
    micro_batch_size: int = Field(8, gt=0)
    version: int = Field(1, ge=0, le=1)
    stop: bool = False
    measure_again: bool = False
    coordinates: bool = False
    last_runs: int = Field(0, ge=0, le=1000)
    mean_latency: bool = False
    overload: dict[str, Any] | Annotated[list[dict[str, Any]], Field(min_length=1)] | None = None

    @property
    def objectives(self) -> dict[str, dict[str, Any] | None]:
        """The rules of each objective by its text; one without a name unless ``overload`` is a list.

        Raises:
            ConfigError: two objectives are equal.
        """
        if not isinstance(self.overload, list):
            return {"": self.overload}
        named = {_objective_text(rules): rules for rules in self.overload}
        if len(named) < len(self.overload):
            raise ConfigError(f"overload: two objectives are equal; there are: {', '.join(named)}")
        return dict(named)

    def settings(self, n_configs: int) -> OfflineSettings:
        """Return the settings of campaigns on a space of ``n_configs`` configurations."""
        steps = self.max_steps
        if "max_steps" not in self.model_fields_set:
            steps = _STEPS_PER_RUN * (self.budget_runs or n_configs)
        return OfflineSettings(
            budget_runs=self.budget_runs,
            budget_seconds=self.budget_seconds,
            max_steps=steps,
            dominance=self.dominance,
            actions=ExtraActions(self.stop, self.measure_again),
            extras=Extras(self.coordinates, self.last_runs, self.mean_latency),
            schedule=UpdateSchedule(self.selection_mode, self.micro_batch_size, window_s=float("inf")),
        )


class SimArguments(OfflineArguments):
    """The arguments of a simulated environment."""

    node: str | dict[str, Any] = "random"
    rates_rps: dict[str, Rates] | None = Field(None, min_length=1)
    min_functions: int | None = Field(None, ge=1)
    max_functions: int | None = Field(None, ge=1)
    noise: float = 0.03
    duration_s: float = 30.0
    refine: str | None = None

    def refinement(self, rates_rps: Mapping[str, Sequence[int]], min_functions: int) -> Refinement | None:
        """Return the refinement of the space that these rates make, if one was asked for.

        Raises:
            ConfigError: it cannot be made of this space, or under this dominance.
        """
        if self.refine is None:
            return None
        if self.dominance == "one_sided":
            raise ConfigError("refine: bisects, and so needs dominance within_sets or two_sided")
        most = len(rates_rps) + 1 if self.max_functions is None else self.max_functions
        try:
            space = ConfigSpace(rates_rps, min_functions=min_functions, max_functions=most)
            return Refinement(space, percent_share(self.refine))
        except ValueError as error:
            raise ConfigError(f"refine = {self.refine!r}: {error}") from error


class ReplayArguments(OfflineArguments):
    """The arguments of a replay environment."""

    data: Names = Field(["local-node-v1"], min_length=1)
    scenarios: Names | None = Field(None, min_length=1)


def _objective_text(rules: Mapping[str, Any]) -> str:
    """Return an objective as text, such as ``p95_ms_max=200``."""
    changed_rules(OverloadConfig(), rules)  # refuses what cannot be told
    limits = flat_rules(rules).items()
    return ",".join(f"{key}={'null' if limit is None else limit}" for key, limit in limits) or "usual"


def parse_arguments[T: OfflineArguments](kind: type[T], given: Mapping[str, Any]) -> T:
    """Validate keyword arguments.

    Raises:
        UnknownArgumentError: a keyword argument is unknown.
        ConfigError: a value is invalid.
    """
    try:
        return kind.model_validate({name: _plain(value) for name, value in given.items()})
    except ValidationError as error:
        problem = error.errors()[0]
        kind_of_error = UnknownArgumentError if problem["type"] == "extra_forbidden" else ConfigError
        raise kind_of_error(explain_problem(problem, kind)) from error
