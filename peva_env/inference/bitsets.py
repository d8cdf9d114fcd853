"""Bit sets of configurations: one word operation intersects, unites or counts 64 members.

Notation: ``N`` configurations, ``W = ceil(N / 64)`` words. A set is a row (W,) of uint64. Its bytes are in the order of
``numpy.packbits``, and the bits after the ``N``-th are 0.
"""

import numpy as np
from numpy.typing import NDArray

type Bits = NDArray[np.uint64]

_WORD = 64
_SINGLE = np.array([128 >> place for place in range(8)], np.uint8)


def no_sets(n: int, n_configs: int) -> Bits:
    """Return ``n`` empty sets, (n, W)."""
    return np.zeros((n, -(-n_configs // _WORD)), np.uint64)


def packed(flags: NDArray[np.bool_]) -> Bits:
    """Return flags (n, N) as sets (n, W)."""
    bits = no_sets(*flags.shape)
    some = np.packbits(flags, axis=-1)
    bits.view(np.uint8)[..., : some.shape[-1]] = some
    return bits


def unpacked(bits: Bits, n_configs: int) -> NDArray[np.int8]:
    """Return 1 for each member of the sets (n, W), 0 elsewhere, (n, N)."""
    return np.unpackbits(bits.view(np.uint8), axis=-1, count=n_configs).view(np.int8)


def counted(bits: Bits) -> NDArray[np.int64]:
    """Return the number of members of each set (n, W), (n,)."""
    counts: NDArray[np.int64] = np.einsum("ij->i", np.bitwise_count(bits), dtype=np.int64)  # faster than its sum()
    return counts


def contains(bits: Bits, indices: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return whether ``indices[i]`` is in set ``i`` of (n, W), (n,)."""
    row_bytes = bits.shape[-1] * 8
    at = np.arange(0, len(bits) * row_bytes, row_bytes) + (indices >> 3)
    found: NDArray[np.bool_] = bits.view(np.uint8).take(at) & _SINGLE.take(indices & 7) != 0
    return found


def singletons(indices: NDArray[np.int64], n_configs: int) -> Bits:
    """Return the set with one member for each of ``n`` indices, (n, W)."""
    bits = no_sets(len(indices), n_configs)
    bits.view(np.uint8)[np.arange(len(indices)), indices >> 3] = _SINGLE.take(indices & 7)
    return bits
