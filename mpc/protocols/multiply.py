"""Products of shared numbers (Beaver 1991): open both factors under masks, the rest is local.

Integers (scale 1) are multiplied exactly, modulo 2^64, and never truncated here.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mpc.dealing.arithmetic import Product, Square
from mpc.protocols.opening import Computation
from mpc.protocols.shares import SharedWords
from mpc.ring.planes import Ring
from mpc.ring.products import Bilinear, NumpyProducts, ProductKind, Products

Factors = tuple[SharedWords, SharedWords]
_NUMPY = NumpyProducts()


def multiply(computation: Computation, left: SharedWords, right: SharedWords) -> SharedWords:
    """``left`` times ``right`` by element, with broadcasting.

    Opens: both factors under fresh masks, to all parties. Cost: 1 round, 8 bytes an element of
    each factor to each peer.
    """
    (product,) = multiply_each(computation, [(left, right)])
    return product


@np.errstate(over="ignore")  # numpy warns of scalars alone
def multiply_each(
    computation: Computation,
    factors: Sequence[Factors],
    kind: ProductKind = Bilinear.ELEMENTWISE,
    products: Products = _NUMPY,
) -> list[SharedWords]:
    """Every pair's product, in one round together.

    With d = x + a and e = y + b opened: x y = d e - d b - a e + a b.
    Opens: all factors under fresh masks, to all parties. Cost: 1 round, 8 bytes an element.
    """
    drawn = [computation.draw(Product(kind, left.shape, right.shape)) for left, right in factors]
    masked = [
        mask.hide(factor)
        for pair, dealt in zip(factors, drawn, strict=True)
        for factor, mask in zip(pair, dealt.masks, strict=True)
    ]
    opened = computation.open_masked(*masked)
    results = []
    for at, dealt in enumerate(drawn):
        left, right = opened[2 * at : 2 * at + 2]
        a, b = (mask.share for mask in dealt.masks)
        share: Ring = dealt.derived[0] - products.apply(kind, a, right)
        other = b if computation.place else b - right
        share -= products.apply(kind, left, other)
        results.append(SharedWords(np.asarray(share)))
    return results


def matmul(
    computation: Computation, left: SharedWords, right: SharedWords, products: Products = _NUMPY
) -> SharedWords:
    """The matrix product, as numpy.matmul. Each factor is opened once, whatever its product's size.

    Opens: both factors under fresh masks, to all parties. Cost: 1 round, 8 bytes an element of
    each factor to each peer.
    """
    (product,) = multiply_each(computation, [(left, right)], Bilinear.MATMUL, products)
    return product


@np.errstate(over="ignore")
def square(computation: Computation, secret: SharedWords) -> SharedWords:
    """The secret's square, by element: d^2 - 2 d a + a^2 with d = x + a opened.

    Opens: the secret under a fresh mask, to all parties. Cost: 1 round, 8 bytes an element.
    """
    dealt = computation.draw(Square(secret.shape))
    (mask,) = dealt.masks
    (opened,) = computation.open_masked(mask.hide(secret))
    share = dealt.derived[0] - np.uint64(2) * opened * mask.share
    if computation.place == 0:
        share += opened * opened
    return SharedWords(np.asarray(share))
