"""What a coalition has left has the exact law that is accounted for, down to the last bit (T2).

Chi-square against the convolution of the discrete Gaussians that the coalition does not know. Each
release is one seed; false alarms are over the choice of it.
"""

from __future__ import annotations

from fractions import Fraction
from math import sqrt

import pytest
from exact_laws import chi_square_p, gaussian_sum, low_bits_p
from joint_release import FaintSource
from noises import (
    COALITIONS,
    LARGE,
    NOISES,
    OWN,
    SMALL,
    AuditedNoise,
    Trial,
    audited,
    gaussian_source,
    honest_trial,
)
from planted_sources import CoarseSource
from scipy import stats

ALPHA = 1e-6
LOW_BITS = (1, 2, 5, 10)


def shape_p(noise: AuditedNoise, trial: Trial, pooled: int) -> float:
    law = gaussian_sum(noise.left(trial.event, trial.event.blocks[0], pooled))
    left = trial.residuals(range(trial.event.parties - pooled, trial.event.parties))
    return chi_square_p([int(x) for x in left], law)


@pytest.mark.parametrize("noise", NOISES, ids=lambda noise: noise.name)
@pytest.mark.parametrize(("parties", "coalition"), COALITIONS)
def test_what_is_left_follows_the_exact_law(
    noise: AuditedNoise, parties: int, coalition: int
) -> None:
    """For nobody, each smaller coalition, and the largest. False alarm 1e-6 each."""
    trial = honest_trial(noise, parties, coalition, SMALL)
    for pooled in range(coalition + 1):
        assert shape_p(noise, trial, pooled) > ALPHA, pooled


@pytest.mark.parametrize("noise", NOISES, ids=lambda noise: noise.name)
def test_low_bits_of_what_is_left_are_uniform(noise: AuditedNoise) -> None:
    """y mod 2^k for 2^k below a quarter of sigma. False alarm 1e-6 each."""
    left = [int(x) for x in honest_trial(noise, 3, 2, noise.wide).residuals((1, 2))]
    for bits in LOW_BITS:
        if 4 * 2**bits <= sqrt(noise.wide):
            assert low_bits_p(left, bits) > ALPHA, bits


def test_noise_on_a_coarser_grid_than_the_data_is_caught() -> None:
    """Its variance is right to a thousandth: only its bits give it away."""
    plant = {0: CoarseSource(gaussian_source("coarse"), 2**8)}
    trial = audited(OWN, 3, 2, LARGE, plant=plant)
    left = trial.residuals((1, 2))
    freedom = len(left) - 1
    moment = freedom * left.var(ddof=1) / float(LARGE)
    assert ALPHA < stats.chi2.cdf(moment, freedom) < 1 - ALPHA
    bits_p = [low_bits_p([int(x) for x in left], bits) for bits in LOW_BITS]
    assert max(bits_p) < ALPHA


def test_a_wrong_shape_is_caught() -> None:
    """Half the deviation, or every other integer alone, in place of one of the noises left."""
    for source in (
        FaintSource(gaussian_source("faint"), Fraction(1, 2)),
        CoarseSource(gaussian_source("even"), 2),
    ):
        assert shape_p(OWN, audited(OWN, 3, 2, plant={0: source}), 2) < ALPHA
