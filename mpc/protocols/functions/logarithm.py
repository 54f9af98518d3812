"""The natural logarithm of a shared positive number, in 6 rounds."""

from __future__ import annotations

from mpc.protocols.functions.fixed import FRACTION, Domain, in_blocks
from mpc.protocols.functions.normalize import normalized, series_of, span_of
from mpc.protocols.functions.waves import SCALE, Series
from mpc.protocols.opening import Computation
from mpc.protocols.shares import SharedWords
from mpc.protocols.truncate import truncate

_LOG = Series(  # within 6.3e-7 on [0.2499, 1.0001], period 4 / 3
    period_bits=2, per_period=3, constant=-2.688038888208, linear=3.100341796875,
    cosines=(-0.275035270949, -0.077176668843, -0.022386346943, -0.005363962163, -0.000838612562,
             -2.5602282e-05, 1.5109754e-05),
    sines=(0.531187269615, 0.148409908252, 0.051823352367, 0.017358271579, 0.004892945764,
           0.001012442881, 0.000116238018),
)  # fmt: skip
_LN2_64 = 0xB172_17F7_D1CF_79AB
"""The natural logarithm of 2, times 2^64."""


def domain(fraction: int = FRACTION) -> Domain:
    """From one unit in the last place to 2^40 of them."""
    return Domain(2.0**-fraction, 2.0 ** (40 - fraction))


def log(
    computation: Computation, secret: SharedWords, fraction: int = FRACTION,
    known: Domain | None = None,
) -> SharedWords:  # fmt: skip
    """ln(x), for positive numbers that are proved to lie in ``known`` (else :func:`domain`).

    Of others it is some number: nothing is told. Error: 7e-7 and one unit in the last place, over
    the whole domain: the fit is within 6.3e-7, exponents are exact, truncation adds a unit.
    Raises ContractError on a domain that is not positive or above 2^44 units.
    Opens: masked values alone, to all parties. Cost: 6 rounds; of s powers of 4 strictly within the
    domain (19 in the whole one), 32 bytes and 35 s bits an element (115.125 bytes), 4 less for a
    domain up to 2^30 units.
    """
    span = span_of(known or domain(fraction), fraction)
    ln4 = _LN2_64 >> (63 - SCALE)
    whole = ((span.top_bits - fraction) * _LN2_64) >> (64 - SCALE)

    def program(c: Computation, x: SharedWords) -> SharedWords:
        normal = normalized(c, x, span)
        exponent = [whole - ln4 * power for power in range(span.steps + 1)]
        # At most 44 ln 2 < 32 either way, so below 2^61 at this scale.
        total = series_of(c, _LOG, normal, span) + normal.of_exponent(exponent, c.place)
        return truncate(c, total, SCALE - fraction)

    return in_blocks(computation, secret, fraction, program)
