"""Observations: the map, the last event and the budget as arrays, shared by the environment and its agents.

Every array is a fresh copy and holds no NaN: what was not measured is 0 with mask 0.
"""

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from peva_env.contracts import ExecutionEvent
from peva_env.errors import ConfigError
from peva_env.inference import MonotoneMap
from peva_env.space import Config, ConfigSpace

type Observation = dict[str, np.ndarray[Any, Any]]
"""Arrays by name: those of ``observation_space``."""

LATENCY_CAP_S = 60.0
"""Upper bound of a latency in observations."""

N_RUN_VALUES = 3
"""Number of a measurement's values for the whole run; the values of the ``F`` functions follow."""


class Measurement(NamedTuple):
    """The values of a run: those in the layout of ``last_measurement`` and ``last_mask``, and the mean latencies."""

    values: NDArray[np.float32]  # (3 + 2 F,)
    mask: NDArray[np.int8]  # (3 + 2 F,)
    mean_ms: NDArray[np.float32]  # (F,): mean latency of the successful requests, NaN where not measured; in no layout


class LastRun(NamedTuple):
    """The last run: each function's rate level as a share of its number of levels, (F,), and the measurement."""

    level_shares: NDArray[np.float32]
    measurement: Measurement


@dataclass(frozen=True, slots=True)
class Extras:
    """Optional parts of an observation.

    They are the ``coordinates`` of all configurations, the last ``n_runs`` runs, and the ``mean_latency`` of the last.
    """

    coordinates: bool = False
    n_runs: int = 0
    mean_latency: bool = False

    def require(self, space: ConfigSpace) -> None:
        """Check that a space can have these parts.

        Raises:
            ConfigError: coordinates of more than ``DENSE_LIMIT`` configurations.
        """
        if self.coordinates and not space.is_dense:
            raise ConfigError(
                f"coordinates = True: {space.n_configs:,} configurations are too many for it; give fewer rates"
            )


class RunHistory:
    """The last ``T`` runs of ``n`` environments side by side, newest first; zeros before the first run."""

    def __init__(self, n: int, n_runs: int, n_functions: int) -> None:
        n_values = N_RUN_VALUES + 2 * n_functions
        self._parts: dict[str, np.ndarray[Any, Any]] = {
            "runs_config": np.zeros((n, n_runs, n_functions), np.float32),
            "runs_measurement": np.zeros((n, n_runs, n_values), np.float32),
            "runs_mask": np.zeros((n, n_runs, n_values), np.int8),
        }

    def begin(self, where: NDArray[np.int64]) -> None:
        """Forget the runs of environments ``where`` (k,)."""
        for part in self._parts.values():
            part[where] = 0

    def add(
        self,
        where: NDArray[np.int64],
        shares: NDArray[np.float32],
        values: NDArray[np.float32],
        mask: NDArray[np.int8],
    ) -> None:
        """Add a run of each environment ``where`` (k,): rate levels (k, F), values and mask (k, 3 + 2 F)."""
        for part, newest in zip(self._parts.values(), (shares, values, mask), strict=True):
            if part.shape[1] and where.size:
                part[where, 1:] = part[where, :-1]
                part[where, 0] = newest

    def observation(self, rows: Any = slice(None)) -> Observation:
        """Return the runs of environments ``rows``, copied; nothing for ``T = 0``."""
        return {name: part[rows].copy() for name, part in self._parts.items() if part.shape[1]}


def observation_space(space: ConfigSpace, *, with_map: bool, extras: Extras = Extras()) -> spaces.Dict:
    """Return the space of observations of ``F`` functions and ``N`` configurations.

    - ``map``: int8 (N,), -1 OK, 0 unknown, 1 overloaded; only ``with_map``.
    - ``last_config``: float32 (F,), rate level last run as a share of the function's levels; 0 = absent.
    - ``last_measurement``: float32 (3 + 2 F,), node CPU and RAM as shares of capacity, margin clipped to -1..1, then
      success rate and p95 latency in seconds (at most 60) of each function.
    - ``last_mask``: int8, same shape, 1 where that value was measured.
    - ``progress``: float32 (1,), share of the map that is known.
    - ``budget``: float32 (2,), remaining shares of the runs and of the seconds, 1 without a limit.
    - ``last_mean_latency``: float32 (F,), mean latency of each function in the last run in seconds, at most 60; 0 where
      not measured; only if asked for.
    - ``coordinates``: float32 (N, F), each configuration as ``last_config`` shows one; only if asked for.
    - ``runs_config`` (T, F), ``runs_measurement`` and ``runs_mask`` (T, 3 + 2 F): the last ``T`` runs, newest first, as
      ``last_config``, ``last_measurement`` and ``last_mask`` show the last one; only if asked for.

    Raises:
        ConfigError: the space is too large for the extras.
    """
    extras.require(space)
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
    if extras.mean_latency:
        boxes["last_mean_latency"] = spaces.Box(0, LATENCY_CAP_S, (n_functions,), np.float32)
    if extras.coordinates:
        boxes["coordinates"] = spaces.Box(0, 1, (space.n_configs, n_functions), np.float32)
    if extras.n_runs:
        boxes["runs_config"] = spaces.Box(0, 1, (extras.n_runs, n_functions), np.float32)
        bounds = np.tile(low, (extras.n_runs, 1)), np.tile(high, (extras.n_runs, 1))
        boxes["runs_measurement"] = spaces.Box(*bounds, (extras.n_runs, n_values), np.float32)
        boxes["runs_mask"] = spaces.Box(0, 1, (extras.n_runs, n_values), np.int8)
    return spaces.Dict(boxes)


def no_run_yet(space: ConfigSpace) -> LastRun:
    """Return the placeholder for the last run before the first run."""
    n_functions = len(space.functions)
    n_values = N_RUN_VALUES + 2 * n_functions
    unmeasured = np.full(n_functions, np.nan, np.float32)
    blank = Measurement(np.zeros(n_values, np.float32), np.zeros(n_values, np.int8), unmeasured)
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
    mean_ms = np.full(n_functions, np.nan)
    raw[:N_RUN_VALUES] = (
        None if cpu_pct is None else cpu_pct / 100,
        None if ram_pct is None else ram_pct / 100,
        event.margin,
    )
    for function in event.functions:
        number = space.functions.index(function.name)
        position = N_RUN_VALUES + number
        raw[position] = function.success_rate
        raw[position + n_functions] = None if function.p95_ms is None else function.p95_ms / 1000
        mean_ms[number] = np.nan if function.mean_ms is None else function.mean_ms
    mask = np.array([value is not None for value in raw], np.int8)
    values = clipped(np.array([value or 0.0 for value in raw], np.float32), n_functions)
    return Measurement(values, mask, mean_ms.clip(0.0, LATENCY_CAP_S * 1000).astype(np.float32))


def latency_s(mean_ms: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return mean latencies in seconds, as in ``last_mean_latency``: 0 where not measured."""
    seconds: NDArray[np.float32] = np.nan_to_num(mean_ms / np.float32(1000))
    return seconds


def clipped(values: NDArray[np.float32], n_functions: int) -> NDArray[np.float32]:
    """Clip measurements (..., 3 + 2 F) to the bounds of ``last_measurement``, in place."""
    values[..., :2].clip(0, 1, out=values[..., :2])
    values[..., 2].clip(-1, 1, out=values[..., 2])
    latencies_s = values[..., N_RUN_VALUES + n_functions :]
    latencies_s.clip(0, LATENCY_CAP_S, out=latencies_s)
    return values
