"""Gaussian processes on the measurements of a node: verdicts, and the use of CPU or RAM."""

import numpy as np
from numpy.typing import NDArray

from peva_env.features.gaussian import GaussianProcess
from peva_env.features.measured import Measurements

type Floats = NDArray[np.float64]

USE_LENGTH, USE_HEIGHT, USE_NOISE = 1.0, 0.3, 0.0015
"""Parameters of the processes on CPU and RAM."""


def label_process(measured: Measurements, *, length: float, noise: float) -> GaussianProcess:
    """Return a process on the labels, -1 OK and 1 overloaded. No load at all is OK: that needs no measurement."""
    return GaussianProcess(_with_rest(measured.rates), np.append(measured.labels, -1.0), length=length, noise=noise)


def use_process(measured: Measurements, used_pct: Floats, limit_pct: float | None) -> GaussianProcess | None:
    """Return a process on CPU or RAM (t,) as a share of its limit; None without a limit or a measurement.

    Without load a node uses nothing.
    """
    known = ~np.isnan(used_pct)
    if limit_pct is None or not known.any():
        return None
    use = np.append(used_pct[known] / (limit_pct or 1), 0.0)
    return GaussianProcess(
        _with_rest(measured.rates[known]), use, length=USE_LENGTH, noise=USE_NOISE, height=USE_HEIGHT
    )


def _with_rest(rates: Floats) -> Floats:
    """Return rates (t + 1, F): those that were measured and no load."""
    return np.vstack([rates, np.zeros((1, rates.shape[1]))])
