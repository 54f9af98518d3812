"""Scaling of a positive secret by a secret power of 4 into [1/4, 1), and series of what comes out.

The secret is compared with all powers of 4 of its domain at once; the bits multiply it and add up
to any function of the scale. A power of 4, not of 2: half as many comparisons, whole square roots,
and a series on [1/4, 1] takes but two or three waves more than one on [1/2, 1].
"""

from __future__ import annotations

from dataclasses import dataclass
from math import frexp

import numpy as np

from mpc.dealing.bits import MaskBits
from mpc.dealing.functions import BitsTimes
from mpc.errors import ContractError
from mpc.protocols.compare import below_each
from mpc.protocols.functions.fixed import Domain
from mpc.protocols.functions.waves import SCALE, Series, WaveSum
from mpc.protocols.opening import Computation
from mpc.protocols.shares import SharedWords, plus
from mpc.protocols.truncate import truncate
from mpc.ring.planes import from_plane

TOP_MAX = 44
_ONE = np.uint64(1)


@dataclass(frozen=True)
class Span:
    """Words from 4^bottom to 4^top."""

    bottom: int
    top: int

    @property
    def steps(self) -> int:
        """How often a secret at the bottom is multiplied by 4."""
        return self.top - self.bottom - 1

    @property
    def top_bits(self) -> int:
        return 2 * self.top


def span_of(domain: Domain, fraction: int) -> Span:
    """The powers of 4 around a domain of positive numbers.

    Raises ContractError if it has numbers below one unit in the last place, or above 2^44 units.
    No logarithm, which machines may round otherwise: all parties get the same powers.
    """
    if domain.low * 2**fraction < 1:
        raise ContractError("positive numbers begin at one unit in the last place")
    bottom = (frexp(domain.low * 2.0**fraction)[1] - 1) // 2
    part, exponent = frexp(domain.high * 2.0**fraction)
    top = (exponent + (part > 0.5)) // 2
    if 2 * top > TOP_MAX:
        raise ContractError(f"numbers are scaled below {TOP_MAX} bits, {fraction} of a fraction")
    return Span(bottom, max(top, bottom + 1))


@dataclass(frozen=True)
class Normal:
    """``scaled`` is the secret times 4^e, in [4^(top - 1), 4^top]; e is the sum of ``bits``.

    ``bits`` (steps, count): whether e is above steps - 1, steps - 2, and so on to 0.
    """

    scaled: SharedWords
    bits: SharedWords

    def of_exponent(self, values: list[int], place: int) -> SharedWords:
        """values[e]: a table of the exponent's function, from e = 0 to the number of steps."""
        flat = shared_constant(values[0], self.scaled, place)
        steps = len(values) - 1
        if not steps:
            return flat
        rises = [(values[steps - at] - values[steps - at - 1]) % (1 << 64) for at in range(steps)]
        return flat + self.bits.times(np.array(rises, np.uint64)[:, np.newaxis]).sum(0)


def shared_constant(value: int, like: SharedWords, place: int) -> SharedWords:
    """Shares of a public constant for each element of ``like``."""
    return plus(like - like, value, place)


def normalized(computation: Computation, secret: SharedWords, span: Span) -> Normal:
    """A flat secret within ``span``, scaled, with its exponent. One below is scaled by the most.

    Opens: masked values alone, to all parties. Cost: 4 rounds; 16 bytes and, for each of
    ``span.steps``, 35 bits an element. Nothing for a span of no steps.
    """
    if span.steps == 0:
        return Normal(secret, SharedWords(np.zeros((0, secret.size), np.uint64)))
    dealt = computation.draw(MaskBits(secret.size, sign=True))
    (opened,) = computation.open_masked(dealt.masks[0].hide(secret))
    limits = [1 << (2 * (span.bottom + 1 + step)) for step in range(span.steps)]
    below = below_each(computation, dealt, opened, limits)
    planes = np.stack([bits._plane for bits in below])
    dealt = computation.draw(BitsTimes(secret.size, span.steps))
    bit_mask, word_mask = dealt.masks
    opened_bits, opened = computation.open_masked(
        bit_mask.hide_planes(planes), word_mask.hide(secret)
    )
    turned = from_plane(opened_bits, secret.size)
    sign = _ONE - (turned << _ONE)
    dealt_bits, dealt_products = dealt.derived
    # bit x = z X + (1 - 2 z) X b - z r - (1 - 2 z) b r, as in mpc.protocols.choose.masked_by
    products = sign * (opened * dealt_bits - dealt_products) - turned * word_mask.share
    bits = sign * dealt_bits
    if computation.place == 0:
        products += turned * opened
        bits += turned
    rises = [3 << (2 * (span.steps - step - 1)) for step in range(span.steps)]
    factors = np.array(rises, np.uint64)[:, np.newaxis]
    more = (products * factors).sum(0, dtype=np.uint64)
    return Normal(secret + SharedWords(more), SharedWords(bits))


def series_of(computation: Computation, series: Series, normal: Normal, span: Span) -> SharedWords:
    """A series at the scaled secret / 4^top, at scale 2^56.

    Opens: the secret under a fresh mask, to all parties. Cost: 1 round, 8 bytes (4 up to 30 bits).
    """
    waves = WaveSum(computation, series, normal.scaled, span.top_bits)
    (opened,) = computation.open_masked(waves.masked)
    return waves.given(opened)


def mantissa(
    computation: Computation, series: Series, normal: Normal, span: Span, bits: int
) -> SharedWords:
    """As :func:`series_of`, with ``bits`` fractional bits. Cost: 2 rounds, 16 bytes (or 12)."""
    return truncate(computation, series_of(computation, series, normal, span), SCALE - bits)
