"""Square roots of shared positive numbers and their reciprocals, in 8 rounds."""

from __future__ import annotations

from mpc.protocols.functions.fixed import FRACTION, Domain, in_blocks
from mpc.protocols.functions.normalize import mantissa, normalized, span_of
from mpc.protocols.functions.waves import Series
from mpc.protocols.multiply import multiply
from mpc.protocols.opening import Computation
from mpc.protocols.shares import SharedWords
from mpc.protocols.truncate import truncate

_SQRT = Series(  # within 4.6e-7 of it on [0.2499, 1.0001], period 4 / 3
    period_bits=2, per_period=3, constant=0.245652666359, linear=0.79931640625,
    cosines=(-0.046452942557, -0.010665891106, -0.002641730704, -0.000520528175, -5.7875438e-05,
             4.10302e-07),
    sines=(0.059623598899, 0.015052725222, 0.004828837375, 0.001421829685, 0.000318822435,
           4.0549994e-05),
)  # fmt: skip
_INVERSE = Series(  # within 8.4e-7 of it on [0.2499, 1.0001], period 4 / 3
    period_bits=2, per_period=3, constant=3.708919799214, linear=-3.373779296875,
    cosines=(0.311697637511, 0.101956198794, 0.032235340281, 0.008363738638, 0.00150131668,
             0.000115546622, -1.0400893e-05),
    sines=(-0.838044392385, -0.24732466215, -0.087615430702, -0.029476265292, -0.008339623998,
           -0.001737310339, -0.000201865993),
)  # fmt: skip
_MANTISSA = 36
"""Fractional bits of the series: with 21 powers of 2 and a bit for its size it is below 2^58."""


def domain(fraction: int = FRACTION) -> Domain:
    """Of both: from one unit in the last place to 2^40 of them."""
    return Domain(2.0**-fraction, 2.0 ** (40 - fraction))


def sqrt(
    computation: Computation, secret: SharedWords, fraction: int = FRACTION,
    known: Domain | None = None,
) -> SharedWords:  # fmt: skip
    """The square root of numbers that are proved to lie in ``known`` (else :func:`domain`).

    Of others it is some number: nothing is told. Error: 5e-7 of the result and one unit in the last
    place: the fit is within 4.6e-7, powers of 2 are exact, truncation of the product adds a unit.
    Raises ContractError on a domain that is not positive or above 2^44 units (2^43 for odd
    fractions).
    Opens: masked values alone, to all parties. Cost: 8 rounds; of s powers of 4 strictly within the
    domain (19 in the whole one), 56 bytes and 35 s bits an element (139.125 bytes), 4 less for a
    domain up to 2^30 units.
    """
    return _root(computation, secret, fraction, known, inverse=False)


def inverse_sqrt(
    computation: Computation, secret: SharedWords, fraction: int = FRACTION,
    known: Domain | None = None,
) -> SharedWords:  # fmt: skip
    """1 / sqrt(x) of numbers that are proved to lie in ``known`` (else :func:`domain`).

    Error: 9e-7 of the result and one unit in the last place: the fit is within 8.4e-7. Otherwise
    as :func:`sqrt`, also in what it opens and costs.
    """
    return _root(computation, secret, fraction, known, inverse=True)


def _root(
    computation: Computation, secret: SharedWords, fraction: int, known: Domain | None,
    *, inverse: bool,
) -> SharedWords:  # fmt: skip
    """With x = u 4^(top - e) / 2^even, sqrt(x) = sqrt(u) 2^(top - e - even / 2)."""
    even = fraction + fraction % 2
    span = span_of(known or domain(fraction), even)
    if inverse:
        series, cut = _INVERSE, _MANTISSA + span.top - even // 2 - fraction
    else:
        series, cut = _SQRT, _MANTISSA - span.bottom - 1 + even // 2 - fraction

    def program(c: Computation, x: SharedWords) -> SharedWords:
        normal = normalized(c, x.times(1 << (even - fraction)), span)
        powers = [1 << power for power in range(span.steps + 1)]
        scale = normal.of_exponent(powers if inverse else powers[::-1], c.place)
        return truncate(c, multiply(c, mantissa(c, series, normal, span, _MANTISSA), scale), cut)

    return in_blocks(computation, secret, fraction, program)
