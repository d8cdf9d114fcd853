"""Observations: the map, the last event and the budget as arrays, shared by the environment and its agents.

Every array is a fresh copy and holds no NaN: what was not measured is 0 with mask 0.
"""

from typing import Any

import numpy as np
from gymnasium import spaces

from peva_env.contracts import ExecutionEvent
from peva_env.frontier import MonotoneMap
from peva_env.space import ConfigSpace

type Observation = dict[str, np.ndarray[Any, Any]]

LATENCY_CAP_S = 60.0


def observation_space(space: ConfigSpace, *, with_map: bool) -> spaces.Dict:
    """Return the space of observations of ``F`` functions and ``N`` configurations.

    - ``map``: int8 (N,), -1 OK, 0 unknown, 1 overloaded; only ``with_map``.
    - ``last_config``: float32 (F,), rate level last run as a share of the function's levels; 0 = absent.
    - ``last_measurement``: float32 (3 + 2 F,), node CPU and RAM as shares of capacity, margin clipped to -1..1, then
      success rate and p95 latency in seconds (at most 60) of each function.
    - ``last_mask``: int8, same shape, 1 where that value was measured.
    - ``progress``: float32 (1,), share of the map that is known.
    - ``budget``: float32 (2,), shares of the runs and of the seconds that are left, 1 without a limit.
    """
    n_functions = len(space.functions)
    n_values = 3 + 2 * n_functions
    low = np.array([0, 0, -1] + [0] * 2 * n_functions, np.float32)
    high = np.array([1, 1, 1] + [1] * n_functions + [LATENCY_CAP_S] * n_functions, np.float32)
    parts: dict[str, spaces.Space[Any]] = {
        "last_config": spaces.Box(0, 1, (n_functions,), np.float32),
        "last_measurement": spaces.Box(low, high, (n_values,), np.float32),
        "last_mask": spaces.Box(0, 1, (n_values,), np.int8),
        "progress": spaces.Box(0, 1, (1,), np.float32),
        "budget": spaces.Box(0, 1, (2,), np.float32),
    }
    if with_map:
        parts["map"] = spaces.Box(-1, 1, (space.n_configs,), np.int8)
    return spaces.Dict(parts)


def observe(known: MonotoneMap, last: ExecutionEvent | None, budget_left: tuple[float, float]) -> Observation:
    """Return the observation of what is known now; ``budget_left`` are the shares of runs and seconds left."""
    space = known.space
    values, mask = _last_measurement(space, last)
    observation: Observation = {
        "last_config": _level_shares(space, last),
        "last_measurement": values,
        "last_mask": mask,
        "progress": np.array([1 - known.n_unknown / space.n_configs], np.float32),
        "budget": np.array(budget_left, np.float32),
    }
    if known.labels is not None:
        observation["map"] = known.labels.copy()
    return observation


def _level_shares(space: ConfigSpace, last: ExecutionEvent | None) -> np.ndarray[Any, Any]:
    if last is None:
        return np.zeros(len(space.functions), np.float32)
    levels = np.array(space.levels(last.config_pairs), np.float32)
    return levels / np.array([len(rates) for rates in space.rates_rps], np.float32)


def _last_measurement(
    space: ConfigSpace, last: ExecutionEvent | None
) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    n_functions = len(space.functions)
    raw: list[float | None] = [None] * (3 + 2 * n_functions)
    if last is not None:
        cpu_pct, ram_pct = last.node.cpu_pct, last.node.ram_pct
        raw[0] = None if cpu_pct is None else cpu_pct / 100
        raw[1] = None if ram_pct is None else ram_pct / 100
        raw[2] = last.margin
        for function in last.functions:
            position = 3 + space.functions.index(function.name)
            raw[position] = function.success_rate
            raw[position + n_functions] = None if function.p95_ms is None else function.p95_ms / 1000
    mask = np.array([value is not None for value in raw], np.int8)
    values = np.array([value or 0.0 for value in raw], np.float32)
    values[:2] = values[:2].clip(0, 1)
    values[2] = values[2].clip(-1, 1)
    values[3 + n_functions :] = values[3 + n_functions :].clip(0, LATENCY_CAP_S)
    return values, mask
