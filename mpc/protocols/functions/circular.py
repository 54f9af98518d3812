"""Sine and cosine of a shared number in radians, in 2 rounds: one dealt wave of it.

A wave does not mind where the ring wraps if its period is a power of 2 (see
:mod:`mpc.protocols.functions.waves`), so the secret is multiplied by 2^p / 2 pi, rounded, with all
the bits that the ring has room for. That rounding is the only error that grows with the secret.
"""

from __future__ import annotations

from mpc.protocols.functions.fixed import FRACTION, Domain, in_blocks
from mpc.protocols.functions.waves import SCALE, Series, WaveSum
from mpc.protocols.opening import Computation
from mpc.protocols.shares import SharedWords
from mpc.protocols.truncate import truncate

END = 1 << 20
"""Radians, either way: 166,886 turns."""
_PERIOD_BITS = 62
_TWO_PI = 6.283185307179586
_HEIGHT = 1.0 - 2.0**-27
"""So that the rounding of waves, below 1.42 of 2^-28, does not leave [-1, 1]."""


def sin(computation: Computation, secret: SharedWords, fraction: int = FRACTION) -> SharedWords:
    """sin(x), x in radians; in [-1, 1].

    Domain: |x| to 2^20. Error: one unit in the last place, 2^-26, and |x| 2^(``fraction`` - 60):
    below 1.6e-5 at 16 bits; the last is what rounding the period makes of x. Of numbers beyond the
    domain it is the sine of another number, in [-1, 1] too: nothing is told.
    Opens: masked values alone, to all parties. Cost: 2 rounds, 16 bytes an element.
    """
    return _wave(computation, secret, fraction, sines=(_HEIGHT,), cosines=())


def cos(computation: Computation, secret: SharedWords, fraction: int = FRACTION) -> SharedWords:
    """cos(x), x in radians: as :func:`sin` in everything."""
    return _wave(computation, secret, fraction, sines=(0.0,), cosines=(_HEIGHT,))


def domain(fraction: int = FRACTION) -> Domain:
    """Of both: where the error is within what :func:`sin` states, at any ``fraction``."""
    return Domain(-END, END)


def _wave(
    computation: Computation, secret: SharedWords, fraction: int,
    sines: tuple[float, ...], cosines: tuple[float, ...],
) -> SharedWords:  # fmt: skip
    def program(c: Computation, x: SharedWords) -> SharedWords:
        bits = _PERIOD_BITS - fraction
        series = Series(bits, round((1 << bits) / _TWO_PI), 0.0, 0.0, sines, cosines)
        wave = WaveSum(c, series, x, fraction)
        (opened,) = c.open_masked(wave.masked)
        return truncate(c, wave.given(opened), SCALE - fraction)

    return in_blocks(computation, secret, fraction, program)
