"""Discrete Gaussians by thresholds: a uniform 64-bit word looked up in the distribution function.

This is how noise is sampled on shares, where nobody may see the word: the sample is -T plus the
number of thresholds at or below it. Only comparisons with public constants are needed. It is not
quite exact, and what it lacks is charged.
"""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Context, Decimal
from fractions import Fraction
from functools import cache
from math import isqrt

JOINT_VARIANCE_MAX = 400  # sigma of 20: 400 comparisons a sample
WORD_BITS = 64
REACH_DEVIATIONS = 10

_EXACT = Context(prec=70, rounding=ROUND_HALF_EVEN)


def reach(variance: Fraction) -> int:
    """T: samples lie in [-T, T], ten deviations, rounded up."""
    squared = variance * REACH_DEVIATIONS**2
    whole = -(-squared.numerator // squared.denominator)
    return isqrt(max(whole - 1, 0)) + 1


@cache
def thresholds(variance: Fraction) -> tuple[int, ...]:
    """2 T rising integers below 2^64: round(2^64 P(X <= j)) for j from -T to T - 1.

    X is the discrete Gaussian of ``variance`` cut to [-T, T]: P(j) proportional to
    exp(-j^2 / (2 variance)). Decimal arithmetic of 70 digits, correctly rounded, so that every
    machine gets the same; a sum of so few terms is right to far more than 2^-64.
    """
    most = reach(variance)
    half = _EXACT.divide(Decimal(variance.denominator), Decimal(2 * variance.numerator))
    weights = [_EXACT.exp(_EXACT.multiply(Decimal(-j * j), half)) for j in range(most + 1)]
    total = weights[0]
    for weight in weights[1:]:
        total = _EXACT.add(total, _EXACT.multiply(Decimal(2), weight))
    found, below = [], Decimal(0)
    for j in range(-most, most):
        below = _EXACT.add(below, weights[abs(j)])
        scaled = _EXACT.multiply(_EXACT.divide(below, total), Decimal(1 << WORD_BITS))
        found.append(int(scaled.to_integral_value(rounding=ROUND_HALF_EVEN)))
    return tuple(found)


def sampling_error(variance: Fraction) -> Fraction:
    """Total variation between one sample and the discrete Gaussian of ``variance``, at most.

    Every probability is off by at most 2^-64, half a unit at each end: (2 T + 1) 2^-65 together;
    the tails that are cut hold at most 2 exp(-T^2 / (2 variance)) <= 2 exp(-50) < 2^-71 (Canonne,
    Kamath and Steinke 2020, Corollary 17: sub-Gaussian).
    """
    return Fraction(2 * reach(variance) + 1, 1 << (WORD_BITS + 1)) + Fraction(1, 1 << 71)
