"""Bit planes: the bits of many ring words, packed so that one word holds one bit of 64 elements.

A gate on bit planes is one word operation for 64 elements ("bit slicing", Biham 1997). Plane ``j``
of ``n`` elements holds bit ``j`` of each, element ``i`` at bit ``i % 64`` of word ``i // 64``.
Words are little-endian, as they travel.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Planes = NDArray[np.uint64]
"""Words of packed bits; the last axis runs along the elements."""

Ring = NDArray[np.uint64]
"""Elements of Z_2^64. Unsigned, so that numpy wraps without complaint."""

WORD_BITS = 64
FULL = np.uint64(0xFFFF_FFFF_FFFF_FFFF)

_BLOCK_WORDS = 512
_SWAPS = (
    (np.uint64(7), np.uint64(0x00AA_00AA_00AA_00AA)),
    (np.uint64(14), np.uint64(0x0000_CCCC_0000_CCCC)),
    (np.uint64(28), np.uint64(0x0000_0000_F0F0_F0F0)),
)


def plane_words(count: int) -> int:
    """Words that a plane of ``count`` elements takes."""
    return -(-count // WORD_BITS)


def to_planes(words: Ring) -> Planes:
    """The 64 planes of a vector: shape (64, words of a plane). Padding elements are zero.

    Transposes 8 by 8 bits at a time (Warren, Hacker's Delight, 7-3), in blocks that stay in cache.
    """
    width = plane_words(words.size)
    planes = np.empty((WORD_BITS, width), np.uint64)
    for start in range(0, width, _BLOCK_WORDS):
        block = planes[:, start : start + _BLOCK_WORDS]
        elements = words[start * WORD_BITS : (start + _BLOCK_WORDS) * WORD_BITS]
        if elements.size < block.shape[1] * WORD_BITS:
            padded = np.zeros(block.shape[1] * WORD_BITS, np.uint64)
            padded[: elements.size] = elements
            elements = padded
        block[:] = _transposed(elements)
    return planes


def _transposed(elements: Ring) -> Planes:
    octets = np.ascontiguousarray(
        np.ascontiguousarray(elements).view(np.uint8).reshape(-1, 8).T
    ).view(np.uint64)
    moved = np.empty_like(octets)
    for shift, mask in _SWAPS:
        np.right_shift(octets, shift, out=moved)
        moved ^= octets
        moved &= mask
        octets ^= moved
        moved <<= shift
        octets ^= moved
    turned = octets.view(np.uint8).reshape(8, -1, 8).transpose(0, 2, 1)
    return np.ascontiguousarray(turned).reshape(WORD_BITS, -1).view(np.uint64)


def from_plane(plane: Planes, count: int) -> Ring:
    """The first ``count`` bits of a plane, each as the ring word 0 or 1. Other axes are kept."""
    octets = np.ascontiguousarray(plane).view(np.uint8)
    return np.unpackbits(octets, axis=-1, count=count, bitorder="little").astype(np.uint64)


def to_plane(bits: NDArray[np.bool_]) -> Planes:
    """What :func:`from_plane` reads: bits along the last axis, padded with zeros."""
    width = plane_words(bits.shape[-1])
    octets = np.zeros((*bits.shape[:-1], width * 8), np.uint8)
    packed = np.packbits(bits, axis=-1, bitorder="little")
    octets[..., : packed.shape[-1]] = packed
    return octets.view(np.uint64)
