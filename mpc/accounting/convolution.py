"""How far a sum of independent discrete Gaussians is from a discrete Gaussian.

Kairouz, Liu and Steinke, "The Distributed Discrete Gaussian Mechanism", 2021, Proposition 14: if h
parties each add variance s, the Rényi divergence of order a of the sum, on d coordinates, is at
most a D^2 / (2 h s) + tau d, with tau = 10 sum_{k=1}^{h-1} exp(-2 pi^2 s k / (k + 1)). As a >= 1,
rho grows by at most tau d. From sigma = 2 on that is below 10^-15. For variances s_1, …, s_h that
differ, the k-th exponent is 2 pi^2 / (1 / S_k + 1 / s_{k+1}), S_k = s_1 + … + s_k, since the lemma
behind it joins two terms at a time.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import ROUND_CEILING, Context, Decimal
from fractions import Fraction

from mpc.errors import PlanRefusal

PARTY_VARIANCE_MIN = 4
"""Least variance of each party's noise (sigma = 2) where a sum of noises is promised."""

EXCESS_MAX = Decimal("1e-12")
"""Most that tau d may add to a study's rho."""

# Lower bound of 2 pi^2 = 19.7392088021787172376689..., so that tau is bounded from above.
_TWO_PI_SQUARED = Decimal("19.739208802178717237668")
_EXPONENT_MAX = Decimal(400)  # exp(-400) < 10^-173 stands for all that is smaller
_UP = Context(prec=50, rounding=ROUND_CEILING)
_DOWN = Context(prec=50, rounding="ROUND_FLOOR")


def tau(variances: Sequence[Fraction]) -> Decimal:
    """tau of one coordinate whose noise is a sum of these variances, rounded up; 0 of a single one.

    Source: Proposition 14, see the module.
    """
    total, sum_so_far = Decimal(0), variances[0]
    for following in variances[1:]:
        share = sum_so_far * following / (sum_so_far + following)
        sum_so_far += following
        variance = _DOWN.divide(Decimal(share.numerator), Decimal(share.denominator))
        exponent = min(_DOWN.multiply(_TWO_PI_SQUARED, variance), _EXPONENT_MAX)
        # Decimal.exp is correctly rounded to the nearest; one unit in the last place is added.
        term = _UP.next_plus(_UP.exp(-exponent))
        total = _UP.add(total, _UP.multiply(Decimal(10), term))
    return total


Summed = tuple[int, tuple[Fraction, ...]]
"""Coordinates, and the variances of the independent noises that add up on each."""


def gaussian_sum_excess(blocks: Sequence[Summed]) -> Decimal:
    """Sum of tau d over blocks, rounded up."""
    total = Decimal(0)
    for size, variances in blocks:
        total = _UP.add(total, _UP.multiply(tau(variances), Decimal(size)))
    return total


def check_near_gaussian(blocks: Sequence[Summed]) -> None:
    """Raises PlanRefusal if one of several noises is below sigma = 2, or tau d above 10^-12."""
    several = [variances for _, variances in blocks if len(variances) > 1]
    if not several:
        return
    narrowest = min(min(variances) for variances in several)
    if narrowest < PARTY_VARIANCE_MIN or gaussian_sum_excess(blocks) > EXCESS_MAX:
        raise PlanRefusal(
            "",
            f"one of the noises has standard deviation {float(narrowest) ** 0.5:.3g}, too narrow "
            f"for {max(map(len, several))} of them to add up to a discrete Gaussian",
            hint="at least 2 is needed, and more for very many numbers: lower epsilon, or set"
            " coalition to n - 1",
        )
