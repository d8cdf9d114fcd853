"""The agents of an arena, the check of its settings, and the numbers of runs after which maps are scored."""

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import ValidationError

from peva_env.config import explain_problem
from peva_env.config.offline import ArenaConfig
from peva_env.errors import ConfigError

REFERENCE = "cartesian"
"""The reference agent: runs and seconds of other agents are divided by its own. It has no limit of runs."""

BASELINES = (REFERENCE, "uniform", "bisection")
"""The agents that always play."""

_BUDGETS = (1, 3, 6, 12, 25, 50, 100, 200, 400)
_MOST_BUDGETS = 6

_DEFAULTS: Mapping[str, Mapping[str, Any]] = {"data": {"seeds": 20, "min_recorded": 1}, "sim": {"noise": 0.03}}
"""The defaults of settings that only one kind of world has."""


def agent_names(config: ArenaConfig) -> tuple[str, ...]:
    """Return the names of the agents that play: the baselines, then the others, each once."""
    return tuple(dict.fromkeys((*BASELINES, *config.agents)))


def parse_arena(given: Mapping[str, Any]) -> ArenaConfig:
    """Check the settings of an arena.

    Raises:
        ConfigError: a setting cannot be used; the message is one line that names it.
    """
    try:
        defaults = {name: value for kind in _DEFAULTS.keys() & given.keys() for name, value in _DEFAULTS[kind].items()}
        return ArenaConfig.model_validate(defaults | dict(given))
    except ValidationError as error:
        problem = error.errors()[0]
        if problem["loc"] == ("sim",):
            raise ConfigError(f"--sim {problem['input']!r}: must be random:K, K nodes, as in random:100") from error
        raise ConfigError(explain_problem(problem, ArenaConfig)) from error


def fitting_budgets(n_configs: int) -> tuple[int, ...]:
    """Return numbers of runs that are less than the configurations of a map, at most six, each about twice the last."""
    return tuple(budget for budget in _BUDGETS if budget < n_configs)[-_MOST_BUDGETS:] or (1,)


def reading_points(budgets: Sequence[int], most_runs: int) -> frozenset[int]:
    """Return the numbers of runs after which a map is scored: the budgets, and 1, 2, ... in steps of a tenth."""
    points, last = set(budgets), 1
    while last <= most_runs:
        points.add(last)
        last += max(1, last // 10)
    return frozenset(points)
