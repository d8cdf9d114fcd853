"""Records an episode as the arrays of a dataset.

Notation: ``T`` steps, ``N`` actions, ``F`` functions, ``V = 3 + 2 F`` values of a measurement.
"""

from typing import Any

import gymnasium
import numpy as np
from numpy.typing import NDArray

from peva_env.datasets.compact import shortened
from peva_env.inference import LABELS, UNKNOWN_LABEL

_FEATURES = "candidates"
"""The part of an observation that is large and holds features: see ``peva_env.views``."""

_COUNTS = ("n_unknown", "n_resolved", "n_runs")


class Recorder(gymnasium.Wrapper[Any, Any, Any, Any]):
    """Records the steps of the current episode; see ``peva_env.datasets.minari`` for what is recorded."""

    def reset(self, **arguments: Any) -> tuple[Any, dict[str, Any]]:
        """Begin the record of an episode."""
        observation, info = self.env.reset(**arguments)
        self.actions: list[Any] = []
        self.rewards: list[float] = []
        self.ends: list[tuple[bool, bool]] = []
        self.observations, self.infos = [observation], [info]
        self._rows = [self._row(info, is_first=True)]
        return observation, info

    def step(self, action: Any) -> tuple[Any, Any, bool, bool, dict[str, Any]]:
        """Record a step."""
        observation, reward, terminated, truncated, info = result = self.env.step(action)
        self.actions.append(action)
        self.rewards.append(float(reward))
        self.ends.append((terminated, truncated))
        self.observations.append(observation)
        self.infos.append(info)
        self._rows.append(self._row(info, is_first=False))
        return result

    def observation_arrays(self, dtypes: dict[str, Any]) -> dict[str, NDArray[Any]]:
        """Return the observations as an array of ``T + 1`` rows for each name."""
        arrays = {
            name: np.stack([one[name] for one in self.observations]).astype(dtype) for name, dtype in dtypes.items()
        }
        return arrays | {name: shortened(array) for name, array in arrays.items() if name == _FEATURES}

    def info_arrays(self, log_probs: list[float]) -> dict[str, NDArray[Any]]:
        """Return the infos as arrays of ``T + 1`` rows."""
        arrays = {name: np.stack([row[name] for row in self._rows]) for name in self._rows[0]}
        if log_probs:
            arrays["log_prob"] = np.array([*log_probs, 0.0], np.float32)
        return arrays

    def _row(self, info: dict[str, Any], *, is_first: bool) -> dict[str, Any]:
        """Return a row of each array; at ``reset`` nothing has been measured."""
        base: Any = self.env.unwrapped
        n_functions = len(base.space.functions)
        measurement = None if is_first or not info["n_runs"] else base.outcome.measurement
        row: dict[str, Any] = {"action_mask": _flat(info["action_mask"])}
        row |= {name: np.int64(info[name]) for name in _COUNTS}
        row["cost_s"] = np.float64(info["cost_s"])
        row["verdict"] = np.int8(UNKNOWN_LABEL if is_first else LABELS.get(base.outcome.verdict, UNKNOWN_LABEL))
        row["rates_rps"] = np.zeros(n_functions, np.int32)
        if "config" in info:
            row["rates_rps"] = base.space.rates_of([info["config"]])[0].astype(np.int32)
        n_values = 3 + 2 * n_functions
        row["measurement"] = np.zeros(n_values, np.float32) if measurement is None else measurement.values
        row["measurement_mask"] = np.zeros(n_values, np.int8) if measurement is None else measurement.mask
        mean_ms = np.zeros(n_functions, np.float32) if measurement is None else np.nan_to_num(measurement.mean_ms)
        row["mean_latency_ms"] = mean_ms
        return row


def _flat(mask: Any) -> NDArray[np.int8]:
    """Return a mask as one row, also if it is a tuple of masks, one for each function."""
    flat: NDArray[np.int8] = np.concatenate(mask) if isinstance(mask, tuple) else mask
    return flat
