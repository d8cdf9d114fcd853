"""A map with predictions in the place of what is unknown."""

import numpy as np
from numpy.typing import NDArray

from peva_env.inference.grid import OK_LABEL, OVERLOADED_LABEL

_LIKELY = 0.5
"""A configuration with a higher probability of overload is predicted to be overloaded."""


def filled_in(
    proved: NDArray[np.int8], unknown: NDArray[np.int64], likely: NDArray[np.float64] | None
) -> NDArray[np.int8]:
    """Return a map whose unknown configurations (k,) have predicted labels: overloaded, where that is ``likely`` (k,).

    Without predictions they are taken to be OK, as an operator takes them until they turn out to be overloaded.
    """
    labels = proved.copy()
    labels[unknown] = OK_LABEL if likely is None else np.where(likely > _LIKELY, OVERLOADED_LABEL, OK_LABEL)
    return labels
