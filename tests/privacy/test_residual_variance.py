"""What is left when a coalition takes its own noise away has the promised variance (T1).

One release of 20,000 equal coordinates is 20,000 trials. If the residual of a coordinate is
(nearly) Gaussian with variance V, (N - 1) s^2 / V is chi-square with N - 1 degrees of freedom; a
coalition's test fails if even at V* that value would be below the ``alpha`` quantile. The false
alarm of one release over all its coalitions together is 1e-6 (Bonferroni), over the choice of
seed. With N = 20,000 the test sees s^2 / V* below 0.953.

The other direction, that noise is not wasted, is tested in the same way from above.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from itertools import combinations

import numpy as np
import pytest
from joint_release import FaintSource, SilentSource, WatchedSource
from noises import (
    COALITIONS,
    DEALT,
    JOINT,
    NOISES,
    OWN,
    SMALL,
    AuditedNoise,
    Trial,
    audited,
    gaussian_source,
    honest_trial,
    made_of_many,
)
from planted_sources import CachedSource, SplitSource
from scipy import stats
from seeded_randomness import SeededRandomness

from mpc.privacy.sampler import NoiseSource

FALSE_ALARM = 1e-6


def ratio(trial: Trial, coalition: Sequence[int]) -> float:
    """s^2 of the residual over V*."""
    left = trial.residuals(coalition)
    return float(left.var(ddof=1) / float(trial.event.blocks[0].variance))


def exposed(trial: Trial) -> list[tuple[int, ...]]:
    """Coalitions of at most t parties against whom V* does not hold."""
    coalitions = [
        coalition
        for size in range(1, trial.event.coalition + 1)
        for coalition in combinations(range(trial.event.parties), size)
    ]
    freedom = trial.event.size - 1
    least = stats.chi2.ppf(FALSE_ALARM / len(coalitions), freedom) / freedom
    return [coalition for coalition in coalitions if ratio(trial, coalition) < least]


def check_left(noise: AuditedNoise, trial: Trial) -> None:
    """No coalition has less than V* left, and none has more left than the noise is made of."""
    assert exposed(trial) == []
    (block,) = trial.event.blocks
    freedom = trial.event.size - 1
    most = stats.chi2.isf(FALSE_ALARM, freedom) / freedom
    for pooled in range(trial.event.coalition + 1):
        expected = float(sum(noise.left(trial.event, block, pooled)) / block.variance)
        assert ratio(trial, range(pooled)) < expected * most


@pytest.mark.parametrize("noise", NOISES, ids=lambda noise: noise.name)
@pytest.mark.parametrize(("parties", "coalition"), COALITIONS)
def test_every_coalition_faces_the_promised_variance(
    noise: AuditedNoise, parties: int, coalition: int
) -> None:
    check_left(noise, honest_trial(noise, parties, coalition, SMALL))


@pytest.mark.parametrize("noise", NOISES, ids=lambda noise: noise.name)
def test_every_coalition_faces_the_promised_variance_at_the_widest_scale(
    noise: AuditedNoise,
) -> None:
    check_left(noise, honest_trial(noise, 3, 2, noise.wide))


@pytest.mark.long
@pytest.mark.parametrize("noise", NOISES, ids=lambda noise: noise.name)
@pytest.mark.parametrize(("parties", "coalition"), COALITIONS)
def test_two_hundred_thousand_trials_see_no_coalition_with_less(
    noise: AuditedNoise, parties: int, coalition: int
) -> None:
    """As above; with N = 200,000 it sees s^2 / V* below 0.985."""

    def make(many: int) -> Trial:
        return audited(noise, parties, coalition, coordinates=many, seed="long")

    trial = made_of_many(noise, parties, coalition, make)
    if trial is not None:
        check_left(noise, trial)


def test_all_parties_together_know_all_of_their_own_noise() -> None:
    assert ratio(honest_trial(OWN, 3, 2, SMALL), range(3)) == 0


@pytest.mark.parametrize("party", [0, 2])
def test_half_the_deviation_at_one_party_is_caught(party: int) -> None:
    plant = {party: FaintSource(gaussian_source("faint"), Fraction(1, 2))}
    others = tuple(other for other in range(3) if other != party)
    assert exposed(audited(OWN, 3, 2, plant=plant)) == [others]


def test_half_the_deviation_at_every_party_is_caught_by_every_largest_coalition() -> None:
    plant: dict[int, NoiseSource] = {
        party: FaintSource(gaussian_source(f"faint {party}"), Fraction(1, 2)) for party in range(3)
    }
    assert exposed(audited(OWN, 3, 2, plant=plant)) == [(0,), (1,), (2,), (0, 1), (0, 2), (1, 2)]


def test_no_noise_at_one_party_is_caught() -> None:
    trial = audited(OWN, 3, 2, plant={1: SilentSource()})
    assert exposed(trial) == [(0, 2)]
    assert ratio(trial, (0, 2)) == 0


def test_a_dealer_that_deals_nothing_or_half_is_caught() -> None:
    """Of V*: (n - t)/n is left, or that and a quarter of the rest."""
    for dealer, left in (
        (SilentSource(), 1 / 3),
        (FaintSource(gaussian_source("faint dealer"), Fraction(1, 2)), 1 / 3 + 1 / 6),
    ):
        trial = audited(DEALT, 3, 2, dealer=dealer)
        assert set(exposed(trial)) >= {(0, 1), (0, 2), (1, 2)}
        assert ratio(trial, (1, 2)) == pytest.approx(left, rel=0.1)


@pytest.mark.parametrize(("parties", "coalition"), [(2, 1), (3, 1), (3, 2)])
def test_the_dealer_with_a_coalition_leaves_what_the_event_says(
    parties: int, coalition: int
) -> None:
    """(n - t)/n of V*, both tails. False alarm 2e-6 each."""
    dealer = WatchedSource(gaussian_source("watched dealer"))
    trial = audited(DEALT, parties, coalition, dealer=dealer)
    (block,) = trial.event.blocks
    left = trial.event.remaining(block, coalition, dealer=True)
    pooled = trial.residuals(range(parties - coalition, parties)) - np.array(dealer.drawn, float)
    low, high = stats.chi2.ppf([FALSE_ALARM, 1 - FALSE_ALARM], len(pooled) - 1)
    assert low < (len(pooled) - 1) * pooled.var(ddof=1) / float(sum(left)) < high


def test_joint_noise_is_whole_if_any_single_partys_bits_are_random() -> None:
    """All others' words are zeros, which they know."""

    class Zeros:
        def random_bytes(self, count: int) -> bytes:
            return bytes(count)

    for honest in range(3):
        own = SeededRandomness(f"honest bits {honest}")
        trial = audited(JOINT, 3, 2, words=lambda p, h=honest, r=own: r if p == h else Zeros())
        check_left(JOINT, trial)
    nobody = audited(JOINT, 3, 2, words=lambda _place: Zeros())
    assert exposed(nobody) != []
    assert np.ptp(nobody.residuals(())) == 0


def test_noise_split_over_all_parties_is_caught() -> None:
    """V*/n a party, the usual mistake: any coalition takes its part away."""
    plant: dict[int, NoiseSource] = {
        party: SplitSource(gaussian_source(f"split {party}"), Fraction(1, 5)) for party in range(5)
    }
    assert len(exposed(audited(OWN, 5, 4, plant=plant))) == 2**5 - 2


def test_a_deviation_taken_for_a_variance_is_caught() -> None:
    """sigma instead of sigma^2, at a scale where it is less."""
    scale = Fraction(float(SMALL) ** 0.5) / SMALL
    plant = {0: SplitSource(gaussian_source("deviation"), scale)}
    assert exposed(audited(OWN, 2, 1, plant=plant)) == [(1,)]


def test_variance_six_percent_short_is_caught() -> None:
    """The stated power: s^2 / V* below 0.953 is seen."""
    plant = {0: SplitSource(gaussian_source("short"), Fraction(94, 100))}
    assert exposed(audited(OWN, 2, 1, plant=plant)) == [(1,)]


def same_noise(first: Trial, second: Trial, coalition: Sequence[int]) -> bool:
    """Whether residuals are correlated. False alarm 1e-6."""
    rows = [trial.residuals(coalition) for trial in (first, second)]
    correlation = float(np.corrcoef(rows)[0, 1])
    return abs(correlation) * len(rows[0]) ** 0.5 > stats.norm.isf(FALSE_ALARM / 2)


@pytest.mark.parametrize("noise", NOISES, ids=lambda noise: noise.name)
def test_residuals_of_two_releases_share_no_noise(noise: AuditedNoise) -> None:
    """Noise used again would cancel in a difference. False alarm 2e-6."""
    first, second = (audited(noise, 2, 1, seed=f"release {number}") for number in range(2))
    assert not same_noise(first, second, ())
    assert not same_noise(first, second, (1,))


def test_noise_that_a_retry_uses_again_is_caught() -> None:
    plant = {0: CachedSource(gaussian_source("cached"))}
    first, again = (audited(OWN, 2, 1, plant=plant, seed=f"retry {number}") for number in range(2))
    assert same_noise(first, again, (1,))
    assert np.ptp(first.residuals((1,)) - again.residuals((1,))) == 0
