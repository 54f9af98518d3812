"""Recipes of functions: parts of a mask that make waves, exponentials and scales of a secret.

A function of a masked value c = x + r is dealt where it splits into what depends on c, which is
public, and on r, which the dealer knows: sin(c - r) and exp(c - r) do. Numbers of a dealt secret
are fixed point, at a scale of ``scale`` bits.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mpc.dealing.recipe import Sharing, Slot
from mpc.errors import ContractError
from mpc.ring.elementary import Reals, circle, exponential, harmonics
from mpc.ring.planes import Ring, from_plane, plane_words
from mpc.ring.products import Products

ADDITIVE, XOR = Sharing.ADDITIVE, Sharing.XOR
SEGMENT_BITS = 1
"""An exponential's segments are 2^1 wide."""


@dataclass(frozen=True)
class Waves:
    """Free mask r of ``count`` words; derived the cosines and sines of 1 to ``harmonics`` times
    2 pi r / 2^``bits``: (2 harmonics, count), a cosine before its sine."""

    count: int
    bits: int
    harmonics: int
    scale: int

    def __post_init__(self) -> None:
        if not 1 <= self.bits <= 62:
            raise ContractError("a wave's period has 1 to 62 bits")

    @property
    def free(self) -> tuple[Slot, ...]:
        return (Slot(ADDITIVE, (self.count,)),)

    @property
    def derived(self) -> tuple[Slot, ...]:
        return (Slot(ADDITIVE, (2 * self.harmonics, self.count)),)

    def derive(self, free: Sequence[Ring], products: Products) -> Sequence[Ring]:
        first = circle(free[0] & np.uint64((1 << self.bits) - 1), self.bits)
        waves = [wave for pair in harmonics(first, self.harmonics) for wave in pair]
        return (np.stack([_fixed(wave, self.scale) for wave in waves]),)


@dataclass(frozen=True)
class Exponentials:
    """Free mask r of ``count`` words with ``fraction`` fractional bits; derived, at the place of
    the segment of r (2 wide, modulo 2^``key_bits``), exp(-(r modulo 2)), else 0.

    (2^key_bits, count).
    """

    count: int
    fraction: int
    key_bits: int
    scale: int

    @property
    def free(self) -> tuple[Slot, ...]:
        return (Slot(ADDITIVE, (self.count,)),)

    @property
    def derived(self) -> tuple[Slot, ...]:
        return (Slot(ADDITIVE, (1 << self.key_bits, self.count)),)

    def derive(self, free: Sequence[Ring], products: Products) -> Sequence[Ring]:
        width = self.fraction + SEGMENT_BITS
        low = free[0] & np.uint64((1 << width) - 1)
        segment = (free[0] >> np.uint64(width)) & np.uint64((1 << self.key_bits) - 1)
        table = np.zeros((1 << self.key_bits, self.count), np.uint64)
        values = _fixed(1.0 / exponential(low, self.fraction), self.scale)
        table[segment.astype(np.intp), np.arange(self.count)] = values
        return (table,)


@dataclass(frozen=True)
class ChosenTruncation:
    """For a division by 2^``bits`` that is kept where a bit is set: free bits of each element, one
    a plane, and a free mask r; derived the bits, additive, r >> ``bits`` and the top bit of r, and
    the first bit times both of these."""

    count: int
    bits: int
    planes: int

    def __post_init__(self) -> None:
        if not 1 <= self.bits <= 62:
            raise ContractError("a truncation cuts 1 to 62 bits")

    @property
    def free(self) -> tuple[Slot, ...]:
        return (
            Slot(XOR, (self.planes, plane_words(self.count))),
            Slot(ADDITIVE, (self.count,)),
        )

    @property
    def derived(self) -> tuple[Slot, ...]:
        return Slot(ADDITIVE, (self.planes, self.count)), Slot(ADDITIVE, (4, self.count))

    def derive(self, free: Sequence[Ring], products: Products) -> Sequence[Ring]:
        planes, mask = free
        bits = from_plane(planes, self.count)
        high, top = mask >> np.uint64(self.bits), mask >> np.uint64(63)
        return bits, np.stack([high, top, bits[0] * high, bits[0] * top])


@dataclass(frozen=True)
class BitsTimes:
    """Free bits of each element, one a plane, and a free mask r of the element; derived the bits,
    additive, and each times r."""

    count: int
    planes: int

    @property
    def free(self) -> tuple[Slot, ...]:
        return (
            Slot(XOR, (self.planes, plane_words(self.count))),
            Slot(ADDITIVE, (self.count,)),
        )

    @property
    def derived(self) -> tuple[Slot, ...]:
        return (Slot(ADDITIVE, (self.planes, self.count)),) * 2

    def derive(self, free: Sequence[Ring], products: Products) -> Sequence[Ring]:
        planes, mask = free
        bits = from_plane(planes, self.count)
        return bits, bits * mask


def _fixed(values: Reals, scale: int) -> Ring:
    return np.rint(values * float(1 << scale)).astype(np.int64).view(np.uint64)
