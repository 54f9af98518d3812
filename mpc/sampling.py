"""Exact discrete Gaussian noise in whole numbers, over uniform bytes.

Canonne, Kamath and Steinke, "The Discrete Gaussian for Differential Privacy", 2020, Algorithms 1
to 3. No floating point anywhere: probabilities are ratios of integers, compared with as many random
bits as it takes, so the distribution is the stated one and costs no delta. For a party's own noise,
and for what a dealer deals.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from math import isqrt

from mpc.errors import SecretMisuseError
from mpc.ports import Randomness

COUNT_MAX = 1_000_000
_BUFFER_BYTES = 8192


def discrete_gaussian(randomness: Randomness, count: int, variance: Fraction) -> list[int]:
    """``count`` independent samples of P(x) proportional to exp(-x^2 / (2 ``variance``)).

    About 30 microseconds each, up to 2^40 deviations. Random bytes are fetched by the call and
    dropped with it: nothing is kept that a fork could draw twice. Raises SecretMisuseError if
    ``variance`` is not positive.
    """
    if not 0 <= count <= COUNT_MAX or variance <= 0:
        raise SecretMisuseError(
            f"noise is drawn {COUNT_MAX} at a time at most, with positive variance"
        )
    bits = _Bits(randomness)
    return [_gaussian(bits, variance.numerator, variance.denominator) for _ in range(count)]


class _Bits:
    """Uniform 64-bit words, and exact integer and Bernoulli draws out of them."""

    def __init__(self, randomness: Randomness) -> None:
        self._next = self._words(randomness).__next__

    @staticmethod
    def _words(randomness: Randomness) -> Iterator[int]:
        while True:
            yield from memoryview(randomness.random_bytes(_BUFFER_BYTES)).cast("Q")

    def below(self, bound: int) -> int:
        """Uniform in [0, ``bound``), by rejection: no modulo bias."""
        width = (bound - 1).bit_length()
        words, spare = -(-width // 64), -width % 64
        while True:
            drawn = 0
            for _ in range(words):
                drawn = drawn << 64 | self._next()
            drawn >>= spare
            if drawn < bound:
                return drawn

    def bernoulli(self, numerator: int, denominator: int) -> bool:
        """True with probability ``numerator``/``denominator`` <= 1, exactly.

        Compares a uniform real with the ratio, digit by digit in base 2^64, until they differ.
        """
        while True:
            digit, rest = divmod(numerator << 64, denominator)
            drawn = self._next()
            if drawn != digit:
                return drawn < digit
            numerator = rest

    def bernoulli_exp(self, numerator: int, denominator: int) -> bool:
        """True with probability exp(-``numerator``/``denominator``) (Algorithm 1)."""
        while numerator > denominator:
            if not self._bernoulli_exp_to_1(1, 1):
                return False
            numerator -= denominator
        return self._bernoulli_exp_to_1(numerator, denominator)

    def _bernoulli_exp_to_1(self, numerator: int, denominator: int) -> bool:
        """exp(-g) for g <= 1: the first k with a failed Bernoulli(g/k) is odd (Algorithm 1)."""
        k = 1
        while self.bernoulli(numerator, denominator * k):
            k += 1
        return k % 2 == 1

    def sign(self) -> int:
        """1 or -1."""
        return 1 if self._next() & 1 else -1


def _laplace(bits: _Bits, scale: int) -> int:
    """P(y) proportional to exp(-|y| / ``scale``) on the integers (Algorithm 2)."""
    while True:
        fraction = bits.below(scale)
        if not bits.bernoulli_exp(fraction, scale):
            continue
        whole = 0
        while bits.bernoulli_exp(1, 1):
            whole += 1
        magnitude = fraction + scale * whole
        sign = bits.sign()
        if magnitude or sign > 0:  # zero is counted once
            return sign * magnitude


def _gaussian(bits: _Bits, numerator: int, denominator: int) -> int:
    """One sample of variance p/q = ``numerator``/``denominator`` (Algorithm 3).

    A discrete Laplace sample y of scale t = floor(sigma) + 1 is kept with probability
    exp(-(|y| - p/(q t))^2 q / (2 p)), that is exp(-(|y| q t - p)^2 / (2 p q t^2)).
    """
    scale = isqrt(numerator // denominator) + 1
    divisor = 2 * numerator * denominator * scale * scale
    while True:
        candidate = _laplace(bits, scale)
        distance = abs(candidate) * denominator * scale - numerator
        if bits.bernoulli_exp(distance * distance, divisor):
            return candidate
