"""Z_2^64 as int64 words: exact integers in, exact integers out.

The planner proves that every result lies in (-2^62, 2^62), so the signed reading of a word is the
integer itself. Nothing here rounds.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

RANGE_MAX = 1 << 62
"""Values of results lie strictly inside (-RANGE_MAX, RANGE_MAX)."""

MODULUS = 1 << 64
WORD_BYTES = 8


def encode(values: Iterable[int]) -> NDArray[np.int64]:
    """Python integers, of any size, as words modulo 2^64. One dimension."""
    residues = [value % MODULUS for value in values]
    return np.array(residues, dtype=np.uint64).view(np.int64)


def decode(words: NDArray[np.int64]) -> list[int]:
    """The signed reading of each word."""
    return [int(word) for word in words]


def add(parts: Sequence[NDArray[np.int64]]) -> NDArray[np.int64]:
    """Sum modulo 2^64 of vectors of one length (at least one of them)."""
    total = parts[0].view(np.uint64).copy()
    for part in parts[1:]:
        total += part.view(np.uint64)
    return total.view(np.int64)


def to_bytes(words: NDArray[np.int64]) -> bytes:
    """Little-endian bytes, 8 a word, in order."""
    return words.astype("<i8", copy=False).tobytes()


def from_bytes(data: bytes) -> NDArray[np.int64]:
    """The vector that ``to_bytes`` wrote. Raises ValueError on a broken length."""
    if len(data) % WORD_BYTES:
        raise ValueError("ring bytes come in words of 8")
    return np.frombuffer(data, dtype="<i8").astype(np.int64)
