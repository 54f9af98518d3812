"""The 95 % half-width of released noise: a sum of independent discrete Gaussians.

A discrete Gaussian of variance parameter v has P(x) proportional to exp(-x^2 / (2 v)) on the
integers. What a release carries is a sum of such, one a party as a rule; all that intervals need
to know of it is the list of their variances, so a noise that is made otherwise adds its own to the
list. Only integers and correctly rounded decimals are used: a plan holds these widths, and every
machine gets the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import ROUND_CEILING, ROUND_HALF_EVEN, Context, Decimal, localcontext
from fractions import Fraction
from functools import lru_cache, reduce
from math import isqrt

EXACT_VARIANCE_MAX = 256
"""Up to this total the distribution is convolved; above it, expanded, and just as exact."""

_Z95 = Decimal("1.95996398454005423552459443052055152795555")  # Phi^-1(0.975)
_BITS = 160  # of a probability in fixed point
_COVERED = (95 << _BITS) // 100
_SLOT_BYTES = 48  # a sum of products of two probabilities, and room
_NARROW = 4  # below sigma = 2 the variance differs from its parameter
_CONTEXT = Context(prec=60, rounding=ROUND_HALF_EVEN, Emin=-100_000, Emax=100_000)


def half_width(variances: Sequence[Fraction]) -> int:
    """Least w with P(abs(noise) <= w) >= 95 %, for the sum of discrete Gaussians of ``variances``.

    Up to a total of 256 it is the exact distribution's: each one's probabilities to 160 bits,
    convolved. Above, Euler and Maclaurin's expansion of the sum over the lattice gives it: with
    u = w + 1/2 in standard deviations s,

        P = 2 Phi(u) - 1 + u phi(u) / (12 s^2) - 7 (u^3 - 3 u) phi(u) / (2880 s^4) + O(s^-6),

    so w = ceil(s (z - z / (24 s^2) + (2 z^3 - 11 z) / (5760 s^4)) - 1/2). The continuity-corrected
    normal, ceil(z s - 1/2), is the same integer unless z s - 1/2 lies less than 0.082 / s above
    one; then it is one too wide. What the expansion leaves out moves its threshold by less than
    10^-9, and a sum of discrete Gaussians with sigma >= 2 differs from a normal on the lattice by
    less than 10^-33. 0 for no noise. Raises ValueError on a negative variance.
    """
    if any(variance < 0 for variance in variances):
        raise ValueError("a variance is not negative")
    return _half_width(tuple(sorted(variance for variance in variances if variance)))


@lru_cache(maxsize=4096)
def _half_width(variances: tuple[Fraction, ...]) -> int:
    with localcontext(_CONTEXT):
        if sum(variances) > EXACT_VARIANCE_MAX:
            return _expanded(sum((_variance(each) for each in variances), Decimal(0)))
        return _convolved(variances)


def _expanded(variance: Decimal) -> int:
    z = _Z95
    ends = z - z / (24 * variance) + (2 * z**3 - 11 * z) / (5760 * variance * variance)
    width = ends * variance.sqrt() - Decimal("0.5")
    return int(width.to_integral_value(rounding=ROUND_CEILING))


def _convolved(variances: tuple[Fraction, ...]) -> int:
    powers = [_power(each, variances.count(each)) for each in dict.fromkeys(variances)]
    total = reduce(_convolution, powers, [1 << _BITS])
    middle = len(total) // 2
    width, covered = 0, total[middle]
    while covered < _COVERED:
        width += 1
        covered += 2 * total[middle + width]
    return width


def _power(variance: Fraction, count: int) -> list[int]:
    """Probabilities of the sum of ``count`` discrete Gaussians of one variance."""
    squared, found = _probabilities(variance), [1 << _BITS]
    while count:
        if count & 1:
            found = _convolution(found, squared)
        count >>= 1
        if count:
            squared = _convolution(squared, squared)
    return found


def _probabilities(variance: Fraction) -> list[int]:
    """P(-r), …, P(r) in units of 2^-160; beyond r = 12 sigma lies less than 10^-31."""
    divisor = -2 * _decimal(variance)
    reach = 12 * (isqrt(int(variance)) + 1)
    weights = [(Decimal(k * k) / divisor).exp() for k in range(reach + 1)]
    whole = 2 * sum(weights) - 1
    half = [int(weight / whole * (1 << _BITS)) for weight in weights]
    return half[:0:-1] + half


def _convolution(first: list[int], second: list[int]) -> list[int]:
    """All sums of products at once: one product of two integers whose digits are the lists."""
    size = len(first) + len(second) - 1
    product = _packed(first) * _packed(second)
    data = product.to_bytes(size * _SLOT_BYTES, "little")
    return [
        int.from_bytes(data[start : start + _SLOT_BYTES], "little") >> _BITS
        for start in range(0, len(data), _SLOT_BYTES)
    ]


def _packed(digits: list[int]) -> int:
    return int.from_bytes(
        b"".join(each.to_bytes(_SLOT_BYTES, "little") for each in digits), "little"
    )


def _variance(parameter: Fraction) -> Decimal:
    """What the discrete Gaussian's variance is, where the parameter is not that to 30 digits."""
    if parameter >= _NARROW:
        return _decimal(parameter)
    found = _probabilities(parameter)
    middle = len(found) // 2
    squares = sum((k - middle) ** 2 * each for k, each in enumerate(found))
    return Decimal(squares) / (1 << _BITS)


def _decimal(value: Fraction) -> Decimal:
    return Decimal(value.numerator) / Decimal(value.denominator)
