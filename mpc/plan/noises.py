"""Which noise each statistic gets: the least that the study allows, and what each would be.

Compared at equal cost in rho, by the variance of the released sum.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from fractions import Fraction

from mpc.accounting.convolution import EXCESS_MAX, PARTY_VARIANCE_MIN, tau
from mpc.accounting.event import Noise, NoiseBlock, NoiseEvent
from mpc.accounting.joint import JOINT_VARIANCE_MAX
from mpc.units import DELTA_UNIT, DeltaAtto

EXCESS_SHARE = Decimal("0.01")
"""Of the excess that all blocks together may have, what one may take for dealt noise."""

SAMPLING_SHARE = 1000
"""Joint samples may be off by a thousandth of the study's delta together."""


def possible(noise: Noise, size: int, variance: Fraction, parties: int, coalition: int) -> bool:
    """Whether ``noise`` of V* = ``variance`` can be made on ``size`` coordinates.

    Joint noise up to sigma = 20; of noises that add up, each with sigma of 2 at least, and so
    close to a discrete Gaussian together that nothing is lost.
    """
    if noise is Noise.JOINT:
        return variance <= JOINT_VARIANCE_MAX
    left = alone(noise, size, variance, parties, coalition)
    if len(left) == 1:
        return True
    excess_max = EXCESS_MAX * EXCESS_SHARE if noise is Noise.DEALT else EXCESS_MAX
    return min(left) >= PARTY_VARIANCE_MIN and tau(left) * size <= excess_max


def least(
    allowed: Sequence[Noise], size: int, variance: Fraction, parties: int, coalition: int
) -> Noise:
    """The noise of ``allowed`` that adds the least; own noise if they add the same, or none can be.

    (Whether own noise can be is checked with the whole plan, which names the question.)
    """
    found = [
        (total(noise, size, variance, parties, coalition), place, noise)
        for place, noise in enumerate(Noise)
        if noise in allowed and possible(noise, size, variance, parties, coalition)
    ]
    return min(found)[2] if found else allowed[0]


def total(noise: Noise, size: int, variance: Fraction, parties: int, coalition: int) -> Fraction:
    """Variance of the released sum."""
    event = _event(noise, size, variance, parties, coalition)
    return event.total_variance(event.blocks[0])


def alone(
    noise: Noise, size: int, variance: Fraction, parties: int, coalition: int
) -> tuple[Fraction, ...]:
    """What the coalition cannot take away."""
    event = _event(noise, size, variance, parties, coalition)
    return event.remaining(event.blocks[0], coalition)


def sampling_affordable(errors: DeltaAtto, epsilon: Decimal, delta: Decimal) -> bool:
    """Whether joint samples that are off by ``errors`` in all cost no more than a thousandth of
    ``delta``: (1 + e^epsilon) times as much (dp.md: of the whole, since what is off is replaced on
    both neighbours)."""
    spent = Decimal(errors) / DELTA_UNIT * (1 + epsilon.exp())
    return spent * SAMPLING_SHARE <= delta


def _event(noise: Noise, size: int, variance: Fraction, parties: int, coalition: int) -> NoiseEvent:
    return NoiseEvent((NoiseBlock(size, 1, variance, noise),), parties, coalition)
