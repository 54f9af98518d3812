"""Sums of waves of a secret, in one round: c = x + r is public, the dealer knows r.

    cos(x) = cos(c) cos(r) + sin(c) sin(r)        sin(x) = sin(c) cos(r) - cos(c) sin(r)

are linear in the dealt cosine and sine of r, with public factors; so is any trigonometric sum, and
x itself is there as shares. A wave does not mind the wrap of the masked sum, if 2^64 is a multiple
of its period (Boura et al., Financial Cryptography 2018, with the waves dealt). A smooth function
on an interval is such a sum with a linear term to an error that falls exponentially with the number
of waves, since the sum is free outside of the interval; the coefficients here are minimax fits.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mpc.dealing.functions import Waves
from mpc.protocols.opening import Computation, Masked
from mpc.protocols.shares import SharedWords, plus
from mpc.ring.elementary import Reals, circle, harmonics
from mpc.ring.planes import Ring

SCALE = 56
"""Fractional bits of a sum of waves: half in what is dealt, half in what is public."""
_HALF = SCALE // 2
_BLOCK = 8192
"""Elements at a time, so that arrays stay in a core's cache."""


@dataclass(frozen=True)
class Series:
    """constant + linear x + sum of cosines_j cos(j w x) + sines_j sin(j w x), j from 1.

    Its period is 2^``period_bits`` / ``per_period``, w is 2 pi over that. No ``cosines``: none.
    """

    period_bits: int
    per_period: int
    constant: float
    linear: float
    sines: tuple[float, ...]
    cosines: tuple[float, ...] = ()


class WaveSum:
    """A series at a secret with ``fraction`` fractional bits, in two halves around one opening."""

    def __init__(
        self, computation: Computation, series: Series, secret: SharedWords, fraction: int
    ) -> None:
        """Draws what is dealt. Opens: nothing yet; ``masked`` is to be opened."""
        self._place = computation.place
        self._series = series
        self._bits = fraction + series.period_bits
        dealt = computation.draw(Waves(secret.size, self._bits, len(series.sines), _HALF))
        (mask,), (self._dealt,) = dealt.masks, dealt.derived
        slope = round(series.linear * 2.0 ** (SCALE - fraction))
        self._line = secret.times(slope)
        self.masked: Masked = mask.hide(secret.times(series.per_period), self._bits)

    def given(self, opened: Ring) -> SharedWords:
        """The sum at scale 2^56, once ``masked`` is open; local.

        Rounding: below 2^-28 for each unit of the coefficients' sum and each two waves.
        """
        total = np.zeros(opened.size, np.uint64)
        for start in range(0, opened.size, _BLOCK):
            part = slice(start, start + _BLOCK)
            self._add(total[part], opened[part], self._dealt[:, part])
        constant = round(self._series.constant * 2.0**SCALE)
        return plus(self._line + SharedWords(total), constant, self._place)

    def _add(self, total: Ring, opened: Ring, dealt: Ring) -> None:
        series = self._series
        waves = harmonics(circle(opened, self._bits), len(series.sines))
        for at, (cosine, sine) in enumerate(waves):
            across = series.sines[at]
            for_cosine, for_sine = across * sine, -across * cosine
            if series.cosines:
                along = series.cosines[at]
                for_cosine, for_sine = along * cosine + for_cosine, along * sine + for_sine
            total += _factor(for_cosine) * dealt[2 * at]
            total += _factor(for_sine) * dealt[2 * at + 1]


def _factor(numbers: Reals) -> Ring:
    return np.rint(numbers * float(1 << _HALF)).astype(np.int64).view(np.uint64)
