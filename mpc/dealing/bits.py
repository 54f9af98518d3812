"""Recipes on bits: monomials of a mask's bits, gates on packed bit planes, bits in both sharings.

What one comparison takes is :class:`MaskBits`, then two :class:`GateMasks`, then a
:class:`SharedBit` or :class:`BitProduct`; :mod:`mpc.protocols.compare` shows how they fit.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from functools import cached_property
from itertools import combinations

import numpy as np

from mpc.dealing.recipe import Sharing, Slot
from mpc.ring.planes import WORD_BITS, Ring, from_plane, plane_words, to_planes
from mpc.ring.products import Products

ADDITIVE, XOR = Sharing.ADDITIVE, Sharing.XOR
CHUNK_BITS = 4
CHUNKS = WORD_BITS // CHUNK_BITS
MONOMIALS = (1 << CHUNK_BITS) - 1
"""Of a chunk: monomial ``m`` (from 1) multiplies the bits that are set in ``m``."""

Term = tuple[int, ...]


@dataclass(frozen=True)
class MaskBits:
    """Free mask r of ``count`` words; derived the monomials of each 4-bit chunk of its bits.

    ``sign``: the top bit is dealt as a plane of its own and counts as zero within its chunk, for
    comparing the other 63 bits.
    """

    count: int
    sign: bool

    @property
    def free(self) -> tuple[Slot, ...]:
        return (Slot(ADDITIVE, (self.count,)),)

    @property
    def derived(self) -> tuple[Slot, ...]:
        width = plane_words(self.count)
        monomials = Slot(XOR, (MONOMIALS, CHUNKS, width))
        return (monomials, Slot(XOR, (width,))) if self.sign else (monomials,)

    def derive(self, free: Sequence[Ring], products: Products) -> Sequence[Ring]:
        (mask,) = free
        planes = to_planes(mask)
        top = planes[-1].copy()
        if self.sign:
            planes[-1] = 0
        bits = planes.reshape(CHUNKS, CHUNK_BITS, -1)
        monomials = np.empty((MONOMIALS, CHUNKS, planes.shape[-1]), np.uint64)
        for bit in range(CHUNK_BITS):
            low = 1 << bit
            monomials[low - 1] = bits[:, bit]
            for below in range(1, low):
                np.bitwise_and(monomials[below - 1], bits[:, bit], out=monomials[low + below - 1])
        return (monomials, top) if self.sign else (monomials,)


class Gate(Enum):
    """A gate on shared bits: how many factors it takes, and its outputs as XORs of products.

    A comparison's node takes l0, l1, l2 and e0 to e3 of four neighbours, the highest last: "less"
    and "equal" of that part of the numbers. l3 goes through as it is and is no factor.
    """

    AND = (2, (((0, 1),),))
    NODE = (7, (((6, 2), (6, 5, 1), (6, 5, 4, 0)), ((6, 5, 4, 3),)))
    LESS = (6, (((5, 2), (5, 4, 1), (5, 4, 3, 0)),))
    EQUAL = (4, (((3, 2, 1, 0),),))

    def __init__(self, factors: int, outputs: tuple[tuple[Term, ...], ...]) -> None:
        self.factors = factors
        self.outputs = outputs

    @cached_property
    def dealt(self) -> tuple[Term, ...]:
        """Every product of two masks or more that the outputs need, shorter ones first."""
        terms = {term for output in self.outputs for term in output}
        parts = {
            tuple(sorted(part))
            for term in terms
            for size in range(2, len(term) + 1)
            for part in combinations(term, size)
        }
        return tuple(sorted(parts, key=lambda part: (len(part), part)))


@dataclass(frozen=True)
class GateMasks:
    """Free masks of the factors of ``nodes`` gates on planes of ``width`` words; their products."""

    gate: Gate
    nodes: int
    width: int

    @property
    def free(self) -> tuple[Slot, ...]:
        return (Slot(XOR, (self.gate.factors, self.nodes, self.width)),)

    @property
    def derived(self) -> tuple[Slot, ...]:
        return (Slot(XOR, (len(self.gate.dealt), self.nodes, self.width)),)

    def derive(self, free: Sequence[Ring], products: Products) -> Sequence[Ring]:
        (masks,) = free
        dealt = np.empty((len(self.gate.dealt), self.nodes, self.width), np.uint64)
        place = {term: at for at, term in enumerate(self.gate.dealt)}
        for at, term in enumerate(self.gate.dealt):
            rest = term[1:]  # shorter, so it was made before
            factor = masks[rest[0]] if len(rest) == 1 else dealt[place[rest]]
            np.bitwise_and(masks[term[0]], factor, out=dealt[at])
        return (dealt,)


@dataclass(frozen=True)
class SharedBit:
    """A free bit for each of ``count`` elements as a XOR plane; derived the same bit, additive."""

    count: int

    @property
    def free(self) -> tuple[Slot, ...]:
        return (Slot(XOR, (plane_words(self.count),)),)

    @property
    def derived(self) -> tuple[Slot, ...]:
        return (Slot(ADDITIVE, (self.count,)),)

    def derive(self, free: Sequence[Ring], products: Products) -> Sequence[Ring]:
        (plane,) = free
        return (from_plane(plane, self.count),)


@dataclass(frozen=True)
class BitProduct:
    """A free bit of each element as a XOR plane and free masks r, ``columns`` an element; derived
    bit times r, and the bit itself, additive."""

    count: int
    columns: int

    @property
    def free(self) -> tuple[Slot, ...]:
        return Slot(XOR, (plane_words(self.count),)), Slot(ADDITIVE, (self.columns, self.count))

    @property
    def derived(self) -> tuple[Slot, ...]:
        return Slot(ADDITIVE, (self.count,)), Slot(ADDITIVE, (self.columns, self.count))

    def derive(self, free: Sequence[Ring], products: Products) -> Sequence[Ring]:
        plane, masks = free
        bit = from_plane(plane, self.count)
        return bit, bit * masks
