"""Cosine, sine and exponential of public words, the same to the last bit on every machine.

Parties multiply shares by what these give, so a difference of one unit between two parties would
make their result random. Tables are made of integers; everything else is sums and products of
float64, which IEEE 754 rounds in one way (sin and exp of numpy and of C libraries do not agree).
Errors are below 10^-13.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from math import isqrt

import numpy as np
from numpy.typing import NDArray

from mpc.ring.planes import Ring

Reals = NDArray[np.float64]
Pair = tuple[Reals, Reals]
"""Cosines and sines."""

_TURN_BITS = 11
_STEP_BITS = 8
_ONE = 1 << 200
"""Of the integers that tables are made of."""
_TWO_PI = 6.283185307179586


def circle(words: Ring, bits: int) -> Pair:
    """Cosine and sine of 2 pi ``words`` / 2^``bits``, for words below 2^bits, bits up to 62."""
    fine = max(0, bits - _TURN_BITS)
    coarse = (words >> np.uint64(fine)) << np.uint64(max(0, _TURN_BITS - bits))
    cosine, sine = _circle_table()
    c, s = cosine[coarse], sine[coarse]
    rest = (words & np.uint64((1 << fine) - 1)).astype(np.float64)
    angle = rest * (_TWO_PI / float(1 << bits))
    squared = angle * angle
    across = angle * (1.0 - squared * (1.0 / 6.0 - squared * (1.0 / 120.0)))
    along = 1.0 - squared * (0.5 - squared * (1.0 / 24.0))
    return c * along - s * across, s * along + c * across


def harmonics(first: Pair, count: int) -> Iterator[Pair]:
    """Cosine and sine of 1 to ``count`` times an angle, by Chebyshev's recurrence."""
    cosine, sine = first
    twice = 2.0 * cosine
    before = np.ones_like(cosine), np.zeros_like(sine)
    now = cosine, sine
    for _ in range(count):
        yield now
        after = twice * now[0] - before[0], twice * now[1] - before[1]
        before, now = now, after


def exponential(words: Ring, bits: int) -> Reals:
    """exp(``words`` / 2^``bits``), for words below 2^(bits + 1), bits from 8."""
    fine = bits - _STEP_BITS
    rest = (words & np.uint64((1 << fine) - 1)).astype(np.float64)
    small = rest * (1.0 / float(1 << bits))
    factor = np.ones_like(small)
    for degree in (5.0, 4.0, 3.0, 2.0, 1.0):
        factor = 1.0 + small * factor * (1.0 / degree)
    result: Reals = _exponential_table()[words >> np.uint64(fine)] * factor
    return result


def power_of_e(exponent: int, scale: int) -> float:
    """e^``exponent`` 2^``scale``, correctly rounded but for the last bit."""
    power = _ONE
    for _ in range(abs(exponent)):
        power = power * _e_to(1) // _ONE
    above, below = (power, _ONE) if exponent >= 0 else (_ONE, power)
    return (above << max(scale, 0)) / (below << max(-scale, 0))


@cache
def _circle_table() -> Pair:
    """Cosine and sine of k 2 pi / 2^11, from a right angle by halving."""
    cosine, sine = 0, _ONE
    for _ in range(_TURN_BITS - 2):
        cosine, sine = isqrt((_ONE + cosine) * _ONE // 2), isqrt((_ONE - cosine) * _ONE // 2)
    along, across = [_ONE], [0]
    for _ in range((1 << _TURN_BITS) - 1):
        c, s = along[-1], across[-1]
        along.append((c * cosine - s * sine) // _ONE)
        across.append((c * sine + s * cosine) // _ONE)
    return _reals(along), _reals(across)


@cache
def _exponential_table() -> Reals:
    """exp(k / 2^8) for k / 2^8 below 2."""
    step, powers = _e_to(1 << _STEP_BITS), [_ONE]
    for _ in range((2 << _STEP_BITS) - 1):
        powers.append(powers[-1] * step // _ONE)
    return _reals(powers)


@cache
def _e_to(parts: int) -> int:
    """exp(1 / ``parts``), by its series."""
    total, term, degree = 0, _ONE, 0
    while term:
        total += term
        degree += 1
        term //= degree * parts
    return total


def _reals(numbers: list[int]) -> Reals:
    table: Reals = np.array([number / _ONE for number in numbers])
    table.setflags(write=False)
    return table
