"""The three noises: what each adds, leaves to a coalition, and costs."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from math import exp, sqrt

import numpy as np
import pytest
from scipy import stats

from mpc.accounting.coalitions import rho_of_coalition
from mpc.accounting.convolution import tau
from mpc.accounting.event import Noise, NoiseBlock, NoiseEvent, price
from mpc.accounting.joint import reach, sampling_error, thresholds
from mpc.errors import PlanRefusal
from mpc.plan.noises import least, possible, sampling_affordable
from mpc.units import DELTA_UNIT, RHO_UNIT, DeltaAtto

V = Fraction(RHO_UNIT, 2 * 24_355_970_359)
"""(1, 1e-6) for unit sensitivity: 20.53."""
OWN, DEALT, JOINT = Noise.OWN, Noise.DEALT, Noise.JOINT


def event_of(noise: Noise, parties: int, coalition: int, size: int = 1) -> NoiseEvent:
    return NoiseEvent((NoiseBlock(size, 1, V, noise),), parties, coalition)


@pytest.mark.parametrize(
    ("parties", "coalition", "own", "party", "dealer", "total"),
    [
        (2, 1, 41.0577, 10.2644, 10.2644, 30.7933),
        (3, 2, 61.5865, 6.8429, 13.6859, 34.2147),
        (3, 1, 30.7933, 6.8429, 6.8429, 27.3718),
        (5, 4, 102.6442, 4.1058, 16.4231, 36.9519),
        (5, 2, 34.2147, 4.1058, 8.2115, 28.7404),
    ],
)
def test_variances_are_those_of_the_design(
    parties: int, coalition: int, own: float, party: float, dealer: float, total: float
) -> None:
    """Source: dp.md, section 1.4."""
    dealt, block = event_of(DEALT, parties, coalition), NoiseBlock(1, 1, V, DEALT)
    assert float(dealt.party_variance(block)) == pytest.approx(party, abs=1e-4)
    assert float(dealt.dealer_variance(block)) == pytest.approx(dealer, abs=1e-4)
    assert float(dealt.total_variance(block)) == pytest.approx(total, abs=1e-4)
    for noise, wanted in ((OWN, own), (JOINT, float(V))):
        event = event_of(noise, parties, coalition)
        assert float(event.total_variance(event.blocks[0])) == pytest.approx(wanted, abs=1e-4)


@pytest.mark.parametrize("noise", Noise)
@pytest.mark.parametrize(("parties", "coalition"), [(2, 1), (3, 1), (3, 2), (5, 2)])
def test_the_coalition_leaves_the_variance_that_was_priced(
    noise: Noise, parties: int, coalition: int
) -> None:
    event = event_of(noise, parties, coalition)
    left = event.remaining(event.blocks[0], coalition)
    assert sum(left, Fraction(0)) == V
    rho, _delta = price(event)
    assert rho == pytest.approx(24_355_970_359, rel=1e-9)


def test_the_dealer_takes_its_own_noise_away_and_with_a_party_all_of_a_joint_one() -> None:
    dealt = event_of(DEALT, 3, 2)
    block = dealt.blocks[0]
    assert sum(dealt.remaining(block, 2, dealer=True), Fraction(0)) == V / 3
    assert sum(dealt.remaining(block, 0, dealer=True), Fraction(0)) == V
    joint = event_of(JOINT, 3, 2)
    assert joint.remaining(joint.blocks[0], 0, dealer=True) == (V,)
    assert joint.remaining(joint.blocks[0], 1, dealer=True) == ()
    assert rho_of_coalition(joint, 1, dealer=True) is None
    assert rho_of_coalition(joint, 2) == price(joint)[0]
    exposed = rho_of_coalition(dealt, 2, dealer=True)
    assert exposed is not None
    assert exposed == pytest.approx(3 * price(dealt)[0], rel=1e-9)


def test_an_event_says_its_noise_and_one_of_own_noise_reads_as_ever() -> None:
    own = event_of(OWN, 3, 2)
    assert b"noise" not in own.canonical()
    for noise in Noise:
        event = event_of(noise, 3, 2, size=4)
        assert NoiseEvent.from_plain(event.to_plain()) == event
    assert len({event_of(noise, 3, 2).canonical() for noise in Noise}) == 3


def test_the_excess_of_unequal_noises_is_that_of_the_design() -> None:
    """dp.md, section 1.2: pairs (1, 1), (1, 4) and (2, 2)."""
    for variances, half in (((1, 1), 2.59e-4), ((1, 4), 6.93e-7), ((2, 2), 1.34e-8)):
        assert float(tau([Fraction(v) for v in variances])) / 2 == pytest.approx(half, rel=1e-2)


@pytest.mark.parametrize("variance", [Fraction(1, 3), Fraction(4), V, Fraction(400)])
def test_thresholds_cut_the_words_as_the_distribution_says(variance: Fraction) -> None:
    """Each probability to 2^-64 against floats' 10^-16, and to the sampling error in all."""
    limits, most = thresholds(variance), reach(variance)
    assert list(limits) == sorted(limits)
    assert len(limits) == 2 * most
    weights = np.array([exp(-j * j / (2 * float(variance))) for j in range(-most, most + 1)])
    pmf = np.diff([0, *limits, 1 << 64]).astype(float) / 2**64
    assert np.abs(pmf - weights / weights.sum()).max() < 1e-15
    assert float(pmf @ np.arange(-most, most + 1)) == pytest.approx(0, abs=1e-9)
    assert 0 < sampling_error(variance) < Fraction(1, 10**16)


def test_a_narrow_distribution_may_have_words_that_are_all_below_a_threshold() -> None:
    limits = thresholds(Fraction(1, 100))
    assert limits[0] in (0, 1)
    assert limits[-1] <= 1 << 64


def test_joint_samples_are_charged_for_what_they_lack() -> None:
    _rho, delta = price(event_of(JOINT, 3, 2, size=20_000))
    assert delta == -(-20_000 * sampling_error(V) * DELTA_UNIT // 1)
    assert price(event_of(DEALT, 3, 2, size=20_000))[1] == 0
    assert sampling_affordable(delta, Decimal(1), Decimal("1e-6"))
    assert not sampling_affordable(delta, Decimal(20), Decimal("1e-6"))
    assert not sampling_affordable(DeltaAtto(10**12), Decimal(1), Decimal("1e-6"))


def test_joint_noise_beyond_twenty_deviations_is_no_event() -> None:
    with pytest.raises(ValueError, match="joint"):
        NoiseBlock(1, 1, Fraction(401), JOINT)


def test_the_least_noise_is_taken_of_those_that_are_allowed_and_possible() -> None:
    every = tuple(Noise)
    assert least(every, 10, V, 3, 2) is JOINT
    assert least((OWN, DEALT), 10, V, 3, 2) is DEALT
    assert least((OWN,), 10, V, 3, 2) is OWN
    assert least(every, 10, Fraction(500), 3, 2) is DEALT
    assert least(every, 10, Fraction(9), 3, 2) is JOINT
    assert least((OWN, DEALT), 10, Fraction(9), 3, 2) is OWN, "parts below sigma = 2"
    assert not possible(DEALT, 10, Fraction(9), 3, 2)
    assert possible(OWN, 10, Fraction(9), 3, 2)


def test_noises_too_narrow_to_add_up_have_no_price() -> None:
    narrow = NoiseEvent((NoiseBlock(1, 1, Fraction(9), DEALT),), 3, 2)
    with pytest.raises(PlanRefusal, match="too narrow"):
        price(narrow)


def test_deviations_meet_the_bars_for_three_parties_of_which_two_collude() -> None:
    deviations = {
        noise: sqrt(event.total_variance(event.blocks[0]))
        for noise in Noise
        for event in [event_of(noise, 3, 2)]
    }
    assert deviations[OWN] <= 7.86
    assert deviations[DEALT] <= 5.86
    assert deviations[JOINT] <= 4.54


def test_a_joint_sample_is_a_discrete_gaussian_by_its_thresholds() -> None:
    """Chi-square of 200,000 words looked up, cells of at least 20: false alarm 1e-6."""
    words = np.random.default_rng(5).integers(0, 2**64, 200_000, dtype=np.uint64)
    limits = np.array([limit for limit in thresholds(V) if limit < 1 << 64], np.uint64)
    drawn = np.searchsorted(limits, words, side="right") - reach(V)
    support = np.arange(-12, 13)
    pmf = np.exp(-(support**2) / (2 * float(V)))
    pmf /= np.exp(-(np.arange(-60, 61) ** 2) / (2 * float(V))).sum()
    found = np.array([(drawn == k).sum() for k in support])
    expected = np.append(pmf, 1 - pmf.sum()) * len(words)
    found = np.append(found, len(words) - found.sum())
    assert stats.chisquare(found, expected).pvalue > 1e-6
