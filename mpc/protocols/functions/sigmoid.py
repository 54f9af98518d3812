"""Sigmoid, hyperbolic tangent and error function: a sum of sines between two ends, constant beyond.

Coefficients are minimax fits (linear program on a Chebyshev grid) that stay within the function's
range, so truncation does not leave it either.
"""

from __future__ import annotations

from dataclasses import replace

from mpc.protocols.functions.clamped import Ends, clamped
from mpc.protocols.functions.fixed import FRACTION, Domain, everything, in_blocks
from mpc.protocols.functions.waves import SCALE, Series, WaveSum
from mpc.protocols.opening import Computation
from mpc.protocols.shares import SharedWords

SIGMOID_END = 10.5
ERF_END = 3.125

_SIGMOID = Series(  # within 2.6e-5 on [-10.5, 10.5], period 64 / 3
    period_bits=6, per_period=3, constant=0.5, linear=0.046878189439,
    sines=(0.277027786296, 0.094926098477, 0.036830112735, 0.014563801118, 0.005761027698,
           0.002291683524, 0.000901388344, 0.000363646223, 0.000138449828, 6.9652427e-05),
)  # fmt: skip

_TANH = replace(_SIGMOID, constant=0.0)
"""Half of tanh, of twice the secret."""

_ERF = Series(  # within 4.1e-6 on [-3.125, 3.125], period 64 / 9
    period_bits=6, per_period=9, constant=0.0, linear=0.281286925176,
    sines=(0.523658964679, 0.145851659492, 0.036610750994, 0.007023454909, 0.000957742501,
           0.00010094281),
)  # fmt: skip


def sigmoid(computation: Computation, secret: SharedWords, fraction: int = FRACTION) -> SharedWords:
    """1 / (1 + exp(-x)), in [0, 1]: 0 below -10.5, 1 above 10.5.

    Domain: everything. Error: below 2.8e-5 and one unit in the last place: the fit is within
    2.6e-5, sigmoid(-10.5) is 2.75e-5, truncation adds a unit, the rounding of waves 1e-7.
    Opens: masked values alone, to all parties. Cost: 4 rounds, 28.75 bytes an element (230 bits).
    """
    ends = _ends(SIGMOID_END, fraction, below=0)
    return _between(computation, secret, fraction, (_SIGMOID, 1, 0), ends)


def tanh(computation: Computation, secret: SharedWords, fraction: int = FRACTION) -> SharedWords:
    """tanh(x) = 2 sigmoid(2 x) - 1, in [-1, 1]: -1 below -5.25, 1 above 5.25.

    Domain: everything. Error: below 5.6e-5 and one unit in the last place, twice that of
    :func:`sigmoid`. Opens: masked values alone, to all parties. Cost: 4 rounds, 28.875 bytes an
    element (231 bits).
    """
    ends = _ends(SIGMOID_END / 2, fraction, below=-1)
    return _between(computation, secret, fraction, (_TANH, 2, 1), ends)


def erf(computation: Computation, secret: SharedWords, fraction: int = FRACTION) -> SharedWords:
    """The error function, in [-1, 1]: -1 below -3.125, 1 above 3.125.

    Domain: everything. Error: below 1e-5 and one unit in the last place: the fit is within 4.1e-6,
    1 - erf(3.125) is 9.9e-6. Opens: masked values alone, to all parties. Cost: 4 rounds, 28.875
    bytes an element (231 bits).
    """
    ends = _ends(ERF_END, fraction, below=-1)
    return _between(computation, secret, fraction, (_ERF, 1, 0), ends)


def domain(fraction: int = FRACTION) -> Domain:
    """Of all three: whatever fits, since they are constant beyond their ends."""
    return everything(fraction)


def _ends(end: float, fraction: int, *, below: int) -> Ends:
    word, one = int(end * (1 << fraction)), 1 << fraction
    return Ends(-word, word, below=below * one, above=one)


def _between(
    computation: Computation, secret: SharedWords, fraction: int,
    shape: tuple[Series, int, int], ends: Ends,
) -> SharedWords:  # fmt: skip
    """A series of ``factor`` times the secret, times 2^``doublings``; ``shape`` has the three.

    Within the ends it is at most 1, so 2^56 or less before the truncation.
    """
    series, factor, doublings = shape

    def program(c: Computation, x: SharedWords) -> SharedWords:
        waves = WaveSum(c, series, x.times(factor), fraction)
        return clamped(c, x, ends, waves, SCALE - fraction - doublings)

    return in_blocks(computation, secret, fraction, program)
