"""Reciprocals of shared positive numbers, in 8 rounds."""

from __future__ import annotations

from mpc.protocols.functions.fixed import FRACTION, Domain, in_blocks
from mpc.protocols.functions.normalize import mantissa, normalized, span_of
from mpc.protocols.functions.waves import Series
from mpc.protocols.multiply import multiply
from mpc.protocols.opening import Computation
from mpc.protocols.shares import SharedWords
from mpc.protocols.truncate import truncate

_RECIPROCAL = Series(  # within 8.6e-7 of it on [0.2499, 1.0001], period 4 / 3
    period_bits=2, per_period=3, constant=13.905553517605, linear=-17.14794921875,
    cosines=(1.358021049573, 0.52909992149, 0.190656349236, 0.056905355971, 0.012338445501,
             0.00133386217, -0.000148360032, -5.9351869e-05),
    sines=(-5.2998954309, -1.718251190449, -0.660784629676, -0.246319483833, -0.081061999071,
           -0.021687306072, -0.004190116734, -0.000444628664),
)  # fmt: skip
_MANTISSA_MAX = 50


def domain(fraction: int = FRACTION) -> Domain:
    """From one unit in the last place to 2^40 of them."""
    return Domain(2.0**-fraction, 2.0 ** (40 - fraction))


def reciprocal(
    computation: Computation, secret: SharedWords, fraction: int = FRACTION,
    known: Domain | None = None,
) -> SharedWords:  # fmt: skip
    """1 / x, for positive numbers that are proved to lie in ``known`` (else :func:`domain`).

    Of others it is some number: nothing is told. Error: 1.5e-6 of the result and one unit in the
    last place: the fit is within 8.6e-7, the series has 21 fractional bits in the whole domain (two
    more for each power of 4 that is not in ``known``), the truncation of the product adds a unit.
    Raises ContractError on a domain that is not positive or above 2^44 units.
    Opens: masked values alone, to all parties. Cost: 8 rounds; of s powers of 4 strictly within the
    domain (19 in the whole one), 56 bytes and 35 s bits an element (139.125 bytes), 4 less for a
    domain up to 2^30 units; 4 rounds and 16 bytes less if s is 0.
    """
    span = span_of(known or domain(fraction), fraction)
    # The series is below 4.01 and meets 4^steps: their product is below 2^62; the cut is 4 to 62.
    bits = min(_MANTISSA_MAX, 59 - 2 * span.steps, 62 + 2 * fraction - span.top_bits)
    cut = bits + span.top_bits - 2 * fraction

    def program(c: Computation, x: SharedWords) -> SharedWords:
        normal = normalized(c, x, span)
        powers = [4**power for power in range(span.steps + 1)]
        scale = normal.of_exponent(powers, c.place)
        return truncate(c, multiply(c, mantissa(c, _RECIPROCAL, normal, span, bits), scale), cut)

    return in_blocks(computation, secret, fraction, program)
