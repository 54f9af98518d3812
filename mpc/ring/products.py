"""Products of ring words: the bilinear maps that shares can be multiplied by.

numpy multiplies 64-bit integer matrices element by element; a backend that does better hands in its
own :class:`Products`. All agree to the last bit, since the ring is exact.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Protocol

import numpy as np

from mpc.ring.convolution import Convolution, convolve
from mpc.ring.planes import Ring


class Bilinear(StrEnum):
    """A map linear in each operand, so a product of shared operands is one opening of each."""

    ELEMENTWISE = "elementwise"  # with broadcasting
    MATMUL = "matmul"  # as numpy.matmul


ProductKind = Bilinear | Convolution


class Products(Protocol):
    """Bilinear maps over Z_2^64."""

    def apply(self, kind: ProductKind, left: Ring, right: Ring) -> Ring:
        """``left`` times ``right``, wrapping. Raises ValueError on shapes that do not fit."""
        ...


class NumpyProducts:
    """:class:`Products` in numpy alone."""

    def apply(self, kind: ProductKind, left: Ring, right: Ring) -> Ring:
        if isinstance(kind, Convolution):
            return convolve(kind, left, right, np.matmul)
        if kind is Bilinear.ELEMENTWISE:
            return np.multiply(left, right)
        product: Ring = np.matmul(left, right)
        return product


def product_shape(
    kind: ProductKind, left: tuple[int, ...], right: tuple[int, ...]
) -> tuple[int, ...]:
    """The shape of a product. Raises ValueError on shapes that do not fit."""
    if isinstance(kind, Convolution):
        return kind.shape(left, right)
    if kind is Bilinear.ELEMENTWISE:
        return np.broadcast_shapes(left, right)
    if not left or not right:
        raise ValueError("a matrix product takes no scalar")
    rows = left[-2:-1]
    columns = right[-1:] if len(right) > 1 else ()
    if left[-1] != (right[-2] if len(right) > 1 else right[0]):
        raise ValueError(f"{left} and {right} are no factors of a matrix product")
    return (*np.broadcast_shapes(left[:-2], right[:-2]), *rows, *columns)
