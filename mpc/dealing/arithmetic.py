"""Recipes of arithmetic: products (Beaver 1991), squares, divisions and groups."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mpc.dealing.recipe import Shape, Sharing, Slot
from mpc.errors import ContractError
from mpc.ring.planes import Ring
from mpc.ring.products import ProductKind, Products, product_shape

ADDITIVE = Sharing.ADDITIVE


@dataclass(frozen=True)
class Product:
    """Free masks a, b; derived c = a b under ``kind``."""

    kind: ProductKind
    left: Shape
    right: Shape

    @property
    def free(self) -> tuple[Slot, ...]:
        return Slot(ADDITIVE, self.left), Slot(ADDITIVE, self.right)

    @property
    def derived(self) -> tuple[Slot, ...]:
        return (Slot(ADDITIVE, product_shape(self.kind, self.left, self.right)),)

    def derive(self, free: Sequence[Ring], products: Products) -> Sequence[Ring]:
        left, right = free
        return (products.apply(self.kind, left, right),)


@dataclass(frozen=True)
class Square:
    """Free mask a; derived a^2. One opening where a product needs two."""

    shape: Shape

    @property
    def free(self) -> tuple[Slot, ...]:
        return (Slot(ADDITIVE, self.shape),)

    @property
    def derived(self) -> tuple[Slot, ...]:
        return (Slot(ADDITIVE, self.shape),)

    def derive(self, free: Sequence[Ring], products: Products) -> Sequence[Ring]:
        (mask,) = free
        return (mask * mask,)


@dataclass(frozen=True)
class _Divided:
    """Free mask r; derived r divided by something public, and the top bit of r."""

    shape: Shape

    @property
    def free(self) -> tuple[Slot, ...]:
        return (Slot(ADDITIVE, self.shape),)

    @property
    def derived(self) -> tuple[Slot, ...]:
        return Slot(ADDITIVE, self.shape), Slot(ADDITIVE, self.shape)


@dataclass(frozen=True)
class Truncation(_Divided):
    """Free mask r; derived r >> ``bits`` and the top bit of r, for one division by 2^``bits``."""

    bits: int

    def __post_init__(self) -> None:
        if not 1 <= self.bits <= 62:
            raise ContractError("a truncation cuts 1 to 62 bits")

    def derive(self, free: Sequence[Ring], products: Products) -> Sequence[Ring]:
        (mask,) = free
        return mask >> np.uint64(self.bits), mask >> np.uint64(63)


@dataclass(frozen=True)
class Quotient(_Divided):
    """Free mask r; derived r divided by ``divisor``, rounded down, and the top bit of r."""

    divisor: int

    def __post_init__(self) -> None:
        if not 2 <= self.divisor <= 1 << 61:
            raise ContractError("a divisor lies between 2 and 2^61")

    def derive(self, free: Sequence[Ring], products: Products) -> Sequence[Ring]:
        (mask,) = free
        return mask // np.uint64(self.divisor), mask >> np.uint64(63)


@dataclass(frozen=True)
class Grouping:
    """Free mask r of ``rows``; derived, for each, which of 2^``key_bits`` keys r is modulo that.

    The indicator of the key k is then the indicator of r turned by k + r, which is opened. With
    ``weighted`` also a free mask s of a row's value and s times the indicator.
    """

    rows: int
    key_bits: int
    weighted: bool

    def __post_init__(self) -> None:
        if not 1 <= self.key_bits <= 12:
            raise ContractError("rows are grouped by 2 to 4,096 keys at once")

    @property
    def keys(self) -> int:
        return 1 << self.key_bits

    @property
    def free(self) -> tuple[Slot, ...]:
        return (Slot(ADDITIVE, (self.rows,)),) * (2 if self.weighted else 1)

    @property
    def derived(self) -> tuple[Slot, ...]:
        return (Slot(ADDITIVE, (self.rows, self.keys)),) * (2 if self.weighted else 1)

    def derive(self, free: Sequence[Ring], products: Products) -> Sequence[Ring]:
        rows = np.arange(self.rows)
        place = (free[0] % np.uint64(self.keys)).astype(np.intp)
        tables = [np.zeros((self.rows, self.keys), np.uint64) for _ in free]
        tables[0][rows, place] = 1
        if self.weighted:
            tables[1][rows, place] = free[1]
        return tables
