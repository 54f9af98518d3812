"""Numbers in the order that they must have: isotonic least squares."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction


def rising(values: Sequence[Fraction]) -> tuple[Fraction, ...]:
    """The nearest numbers (least squares) that never fall; neighbours that do are averaged.

    Pool adjacent violators: Ayer et al. 1955. Exact.
    """
    pools: list[tuple[Fraction, int]] = []
    for value in values:
        total, size = value, 1
        while pools and pools[-1][0] * size > total * pools[-1][1]:
            before, count = pools.pop()
            total, size = total + before, size + count
        pools.append((total, size))
    return tuple(total / size for total, size in pools for _ in range(size))
