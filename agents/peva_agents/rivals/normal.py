"""The normal distribution function, of one variable and of two."""

import math

import numpy as np
from numpy.typing import NDArray

type Floats = NDArray[np.float64]

_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(10)
"""Gauss-Legendre quadrature on -1..1; with ten nodes ``both_below`` is right to 1e-4 up to a correlation of 0.95."""

_MOST_CORRELATED = 0.999

_erf = np.vectorize(math.erf, otypes=[np.float64])


def below(limit: Floats) -> Floats:
    """Return the probability that a standard normal variable is below a limit, of any shape."""
    probability: Floats = 0.5 * (1 + _erf(limit / math.sqrt(2)))
    return probability


def density(value: Floats) -> Floats:
    """Return the density of a standard normal variable, of any shape."""
    found: Floats = np.exp(-0.5 * value**2) / math.sqrt(2 * math.pi)
    return found


def both_below(first: Floats, second: Floats, correlation: Floats) -> Floats:
    """Return the probability that two standard normal variables are below their limits, (k, m).

    Plackett's identity (Biometrika 41, 1954), integrated over the arcsine of the correlation as in Drezner and
    Wesolowsky, "On the computation of the bivariate normal integral", J. Statist. Comput. Simul. 35 (1990).

    Args:
        first: limits of the first variable, (k,).
        second: limits of the second variable, (m,).
        correlation: their correlations, (k, m).
    """
    angle = np.arcsin(np.clip(correlation, -_MOST_CORRELATED, _MOST_CORRELATED))
    squares, product = first[:, None] ** 2 + second**2, first[:, None] * second
    integral = np.zeros_like(angle)
    for node, weight in zip(_NODES, _WEIGHTS, strict=True):
        sine = np.sin(angle * (1 + node) / 2)
        integral += weight * np.exp((product * sine - squares / 2) / (1 - sine**2))
    joint = below(first)[:, None] * below(second) + integral * angle / (4 * math.pi)
    return np.clip(joint, 0.0, 1.0)
