"""What is left when a coalition takes its own noise away has the promised variance.

One release of 20,000 equal coordinates is 20,000 trials. If the residual of a coordinate is
(nearly) Gaussian with variance V, (N - 1) s^2 / V is chi-square with N - 1 degrees of freedom; a
coalition's test fails if even at V* that value would be below the ``alpha`` quantile. The false
alarm of one release over all its coalitions together is 1e-6 (Bonferroni), over the choice of
seed. With N = 20,000 the test sees s^2 / V* below 0.953.

The other direction, that noise is not wasted, is tested in the same way from above.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import combinations

import numpy as np
import pytest
from joint_release import (
    FaintSource,
    SilentSource,
    WatchedSource,
    gaussian_sources,
    release,
    residuals,
)
from scipy import stats
from seeded_randomness import SeededRandomness

from mpc.accounting.event import NoiseBlock, NoiseEvent
from mpc.privacy.sampler import DiscreteGaussian, NoiseSource

FALSE_ALARM = 1e-6
COORDINATES = 20_000
SMALL = Fraction(10**12, 2 * 24_355_970_359)  # (1, 1e-6), sensitivity 1: 20.53
LARGE = SMALL * 4**16  # sensitivity 2^16


@dataclass(frozen=True)
class Trial:
    """One release, its truth, and what each party knows of its own noise."""

    event: NoiseEvent
    totals: list[int]
    truth: list[int]
    sources: list[WatchedSource]

    def ratio(self, coalition: Sequence[int]) -> float:
        """s^2 of the residual over V*."""
        left = residuals(self.totals, self.truth, self.sources, coalition)
        return float(left.var(ddof=1) / float(self.event.blocks[0].variance))

    def exposed(self) -> list[tuple[int, ...]]:
        """Coalitions of at most t parties against whom V* does not hold."""
        coalitions = [
            coalition
            for size in range(1, self.event.coalition + 1)
            for coalition in combinations(range(self.event.parties), size)
        ]
        freedom = COORDINATES - 1
        least = stats.chi2.ppf(FALSE_ALARM / len(coalitions), freedom) / freedom
        return [coalition for coalition in coalitions if self.ratio(coalition) < least]


def run(
    parties: int, coalition: int, variance: Fraction, plant: dict[int, NoiseSource] | None = None
) -> Trial:
    seed = f"{parties} {coalition} {variance}"
    event = NoiseEvent((NoiseBlock(COORDINATES, 1, variance),), parties, coalition)
    sources = gaussian_sources(parties, SeededRandomness(f"noise {seed}"))
    for party, source in (plant or {}).items():
        sources[party] = WatchedSource(source)
    sums = [[1000 * (own + 1)] * COORDINATES for own in range(parties)]
    totals, _ = release(event, sums, sources, SeededRandomness(f"keys {seed}"))
    return Trial(event, totals, [sum(column) for column in zip(*sums, strict=True)], sources)


def gaussian(seed: str) -> DiscreteGaussian:
    return DiscreteGaussian(SeededRandomness(seed))


@pytest.mark.parametrize(
    ("parties", "coalition", "variance"),
    [(2, 1, SMALL), (3, 2, SMALL), (5, 4, SMALL), (3, 1, SMALL), (5, 2, SMALL), (3, 2, LARGE)],
    ids=["2-1", "3-2", "5-4", "3-1", "5-2", "3-2-large"],
)
def test_every_coalition_faces_the_promised_variance(
    parties: int, coalition: int, variance: Fraction
) -> None:
    trial = run(parties, coalition, variance)
    assert trial.exposed() == []
    freedom = COORDINATES - 1
    most = stats.chi2.isf(FALSE_ALARM, freedom) / freedom
    for pooled in range(coalition + 1):
        expected = (parties - pooled) / (parties - coalition)
        assert trial.ratio(range(pooled)) < expected * most
    assert trial.ratio(range(parties)) == 0


@pytest.mark.parametrize("party", [0, 2])
def test_half_the_deviation_at_one_party_is_caught(party: int) -> None:
    trial = run(3, 2, SMALL, {party: FaintSource(gaussian("faint"), Fraction(1, 2))})
    others = tuple(other for other in range(3) if other != party)
    assert trial.exposed() == [others]


def test_half_the_deviation_at_every_party_is_caught_by_every_largest_coalition() -> None:
    plant: dict[int, NoiseSource] = {
        party: FaintSource(gaussian(f"faint {party}"), Fraction(1, 2)) for party in range(3)
    }
    assert run(3, 2, SMALL, plant).exposed() == [(0,), (1,), (2,), (0, 1), (0, 2), (1, 2)]


def test_no_noise_at_one_party_is_caught() -> None:
    trial = run(3, 2, SMALL, {1: SilentSource()})
    assert trial.exposed() == [(0, 2)]
    assert trial.ratio((0, 2)) == 0


def test_noise_split_over_all_parties_is_caught() -> None:
    """V*/n a party, the usual mistake: any coalition takes its part away."""
    plant: dict[int, NoiseSource] = {
        party: _Split(gaussian(f"split {party}"), Fraction(1, 5)) for party in range(5)
    }
    assert len(run(5, 4, SMALL, plant).exposed()) == 2**5 - 2


def test_variance_six_percent_short_is_caught() -> None:
    """The stated power: s^2 / V* below 0.953 is seen."""
    trial = run(2, 1, SMALL, {0: _Split(gaussian("short"), Fraction(94, 100))})
    assert trial.exposed() == [(1,)]


def test_residuals_of_two_releases_share_no_noise() -> None:
    """Noise used again would cancel in a difference. Correlation of 20,000; false alarm 1e-6."""
    first, second = run(2, 1, SMALL), run(2, 1, SMALL + 1)
    rows = [residuals(trial.totals, trial.truth, trial.sources, ()) for trial in (first, second)]
    correlation = float(np.corrcoef(rows)[0, 1])
    assert abs(correlation) * COORDINATES**0.5 < stats.norm.isf(FALSE_ALARM / 2)


class _Split:
    """A planted fault: a fraction of the variance asked for."""

    build = "parley-test/split"

    def __init__(self, source: NoiseSource, fraction: Fraction) -> None:
        self._source = source
        self._fraction = fraction

    def draw(self, count: int, variance: Fraction) -> list[int]:
        return self._source.draw(count, variance * self._fraction)
