"""Observations: the map, the last event and the budget as arrays, shared by the environment and its agents.

Every array is a fresh copy and holds no NaN: what was not measured is 0 with mask 0.
"""

from typing import Any, NamedTuple

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from peva_env.contracts import ExecutionEvent
from peva_env.inference import MonotoneMap
from peva_env.space import Config, ConfigSpace

type Observation = dict[str, np.ndarray[Any, Any]]
"""Arrays by name: those of ``observation_space``."""

LATENCY_CAP_S = 60.0
"""Upper bound of a latency in observations."""

N_RUN_VALUES = 3
"""Number of a measurement's values for the whole run; the values of the ``F`` functions follow."""


class Measurement(NamedTuple):
    """The values of a run in the layout of ``last_measurement`` and ``last_mask``."""

    values: NDArray[np.float32]  # (3 + 2 F,)
    mask: NDArray[np.int8]  # (3 + 2 F,)


class LastRun(NamedTuple):
    """The last run: each function's rate level as a share of its number of levels, (F,), and the measurement."""

    level_shares: NDArray[np.float32]
    measurement: Measurement


def observation_space(space: ConfigSpace, *, with_map: bool) -> spaces.Dict:
    """Return the space of observations of ``F`` functions and ``N`` configurations.

    - ``map``: int8 (N,), -1 OK, 0 unknown, 1 overloaded; only ``with_map``.
    - ``last_config``: float32 (F,), rate level last run as a share of the function's levels; 0 = absent.
    - ``last_measurement``: float32 (3 + 2 F,), node CPU and RAM as shares of capacity, margin clipped to -1..1, then
      success rate and p95 latency in seconds (at most 60) of each function.
    - ``last_mask``: int8, same shape, 1 where that value was measured.
    - ``progress``: float32 (1,), share of the map that is known.
    - ``budget``: float32 (2,), remaining shares of the runs and of the seconds, 1 without a limit.
    """
    n_functions = len(space.functions)
    n_values = N_RUN_VALUES + 2 * n_functions
    low = np.array([0, 0, -1] + [0] * 2 * n_functions, np.float32)
    high = np.array([1, 1, 1] + [1] * n_functions + [LATENCY_CAP_S] * n_functions, np.float32)
    boxes: dict[str, spaces.Space[Any]] = {
        "last_config": spaces.Box(0, 1, (n_functions,), np.float32),
        "last_measurement": spaces.Box(low, high, (n_values,), np.float32),
        "last_mask": spaces.Box(0, 1, (n_values,), np.int8),
        "progress": spaces.Box(0, 1, (1,), np.float32),
        "budget": spaces.Box(0, 1, (2,), np.float32),
    }
    if with_map:
        boxes["map"] = spaces.Box(-1, 1, (space.n_configs,), np.int8)
    return spaces.Dict(boxes)


def no_run_yet(space: ConfigSpace) -> LastRun:
    """Return the placeholder for the last run before the first run."""
    n_functions = len(space.functions)
    n_values = N_RUN_VALUES + 2 * n_functions
    blank = Measurement(np.zeros(n_values, np.float32), np.zeros(n_values, np.int8))
    return LastRun(np.zeros(n_functions, np.float32), blank)


def observe(known: MonotoneMap, last: LastRun, budget_left: tuple[float, float]) -> Observation:
    """Return the current observation; ``budget_left`` are the remaining shares of runs and seconds."""
    observation: Observation = {
        "budget": np.array(budget_left, np.float32),
        "last_config": last.level_shares.copy(),
        "last_mask": last.measurement.mask.copy(),
        "last_measurement": last.measurement.values.copy(),
    }
    if known.labels is not None:
        observation["map"] = known.labels.copy()
    observation["progress"] = np.array([1 - known.n_unknown / known.n_configs], np.float32)
    return observation


def level_shares(space: ConfigSpace, config: Config) -> NDArray[np.float32]:
    """Return the rate levels of a configuration as shares of the functions' levels, (F,); 0 = absent."""
    shares: NDArray[np.float32] = np.array(space.levels(config), np.float32)
    shares /= np.array([len(rates) for rates in space.rates_rps], np.float32)
    return shares


def measurement_of(space: ConfigSpace, event: ExecutionEvent) -> Measurement:
    """Return the measurement of an event."""
    n_functions = len(space.functions)
    raw: list[float | None] = [None] * (N_RUN_VALUES + 2 * n_functions)
    cpu_pct, ram_pct = event.node.cpu_pct, event.node.ram_pct
    raw[:N_RUN_VALUES] = (
        None if cpu_pct is None else cpu_pct / 100,
        None if ram_pct is None else ram_pct / 100,
        event.margin,
    )
    for function in event.functions:
        position = N_RUN_VALUES + space.functions.index(function.name)
        raw[position] = function.success_rate
        raw[position + n_functions] = None if function.p95_ms is None else function.p95_ms / 1000
    mask = np.array([value is not None for value in raw], np.int8)
    return Measurement(clipped(np.array([value or 0.0 for value in raw], np.float32), n_functions), mask)


def clipped(values: NDArray[np.float32], n_functions: int) -> NDArray[np.float32]:
    """Clip measurements (..., 3 + 2 F) to the bounds of ``last_measurement``, in place."""
    values[..., :2].clip(0, 1, out=values[..., :2])
    values[..., 2].clip(-1, 1, out=values[..., 2])
    latencies_s = values[..., N_RUN_VALUES + n_functions :]
    latencies_s.clip(0, LATENCY_CAP_S, out=latencies_s)
    return values
