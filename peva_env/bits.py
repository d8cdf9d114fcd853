"""Sets of configurations as bits: 64 of them are intersected, united or counted at once.

Notation: ``N`` configurations, ``W = ceil(N / 64)`` words. A set is a row (W,) of uint64, its bytes being those of
``numpy.packbits``, and what is beyond ``N`` is 0. Of a function's arguments the last axis is the set.
"""

import numpy as np
from numpy.typing import NDArray

type Bits = NDArray[np.uint64]

_WORD = 64
_SINGLE = np.array([128 >> place for place in range(8)], np.uint8)


def packed(flags: NDArray[np.bool_]) -> Bits:
    """Return sets (..., W) of what flags (..., N) tell."""
    n_words = -(-flags.shape[-1] // _WORD)
    rows = np.zeros((*flags.shape[:-1], n_words * 8), np.uint8)
    rows[..., : -(-flags.shape[-1] // 8)] = np.packbits(flags, axis=-1)
    return rows.view(np.uint64)


def unpacked(bits: Bits, n_configs: int) -> NDArray[np.int8]:
    """Return 1 for what is in each set, 0 for what is not, (..., N)."""
    return np.unpackbits(bits.view(np.uint8), axis=-1, count=n_configs).view(np.int8)


def counted(bits: Bits) -> NDArray[np.int64]:
    """Return how many there are in each set (n, W), (n,)."""
    counts: NDArray[np.int64] = np.einsum("ij->i", np.bitwise_count(bits), dtype=np.int64)  # faster than its sum()
    return counts


def contains(bits: Bits, indices: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return whether ``indices[i]`` is in set ``i`` of (n, W), (n,)."""
    row_bytes = bits.shape[-1] * 8
    at = np.arange(0, len(bits) * row_bytes, row_bytes) + (indices >> 3)
    found: NDArray[np.bool_] = bits.view(np.uint8).take(at) & _SINGLE.take(indices & 7) != 0
    return found


def singletons(indices: NDArray[np.int64], n_words: int) -> Bits:
    """Return for each of ``n`` indices the set of it alone, (n, W)."""
    bits = np.zeros((len(indices), n_words), np.uint64)
    bits.view(np.uint8)[np.arange(len(indices)), indices >> 3] = _SINGLE.take(indices & 7)
    return bits
