"""Small HDF5 files: Minari writes each array in growing chunks, without compression, which costs more than the data."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
from numpy.typing import NDArray

_COMPRESSED_FROM_BYTES = 1024
"""Smaller arrays are stored as they are: a chunk costs more than compression saves."""

_CHUNK_BYTES = 2**22

_KEPT_BITS = np.uint32(0xFFFFFF00)
"""Of a float32: sign, exponent and 15 bits of the fraction."""


def readable_space(space: gymnasium.spaces.Dict) -> gymnasium.spaces.Dict:
    """Return a space whose int8 boxes are int32: TorchRL's ``MinariExperienceReplay`` knows no int8."""
    return gymnasium.spaces.Dict({name: _readable(part) for name, part in space.items()})


def _readable(space: gymnasium.Space[Any]) -> gymnasium.Space[Any]:
    if isinstance(space, gymnasium.spaces.Box) and space.dtype == np.int8:
        return gymnasium.spaces.Box(space.low.astype(np.int32), space.high.astype(np.int32), dtype=np.int32)
    return space


def shortened(features: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return features without their last 8 bits, closer to 0 by less than 2^-15 of their value: these bits are noise.

    They are beyond the accuracy of the features, and no compression makes them smaller.
    """
    return (np.ascontiguousarray(features, np.float32).view(np.uint32) & _KEPT_BITS).view(np.float32)


def make_compact(path: Path) -> None:
    """Write an HDF5 file anew, with the same groups, attributes and arrays, compressed."""
    import h5py

    small = path.with_suffix(".compact")
    with h5py.File(path, "r") as old, h5py.File(small, "w", libver="latest") as new:
        _copy(old, new, h5py.Group)
    small.replace(path)


def _copy(old: Any, new: Any, group_type: Callable[..., Any]) -> None:
    new.attrs.update(old.attrs)
    for name, part in old.items():
        if isinstance(part, group_type):  # type: ignore[arg-type]
            _copy(part, new.create_group(name), group_type)
        else:
            new.create_dataset(name, data=part[()], **_storage(part)).attrs.update(part.attrs)


def _storage(array: Any) -> dict[str, Any]:
    n_bytes = array.dtype.itemsize * array.size
    if array.ndim == 0 or n_bytes < _COMPRESSED_FROM_BYTES:
        return {"dtype": array.dtype}
    rows = max(1, min(len(array), _CHUNK_BYTES * len(array) // n_bytes))
    return {"dtype": array.dtype, "chunks": (rows, *array.shape[1:]), "compression": "gzip", "shuffle": True}
