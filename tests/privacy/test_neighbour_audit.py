"""What the strongest coalition can tell of one person, measured on neighbouring data.

Both worlds are released as 20,000 independent coordinates, one with the person's contribution and
one without; the coalition of all other parties takes its own noise away. From the rates of a
threshold test come lower bounds with stated confidence: on epsilon (T3) and on mu of Gaussian
privacy (T4). They must not exceed the claim. A pass means "not refuted". The auditor is audited:
planted faults must be refuted.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from math import log, sqrt

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
from numpy.typing import NDArray
from scipy import stats
from seeded_randomness import SeededRandomness

from mpc.accounting.event import NoiseBlock, NoiseEvent
from mpc.privacy.sampler import DiscreteGaussian, NoiseSource

COORDINATES = 20_000
CONFIDENCE = 1e-6  # of each Clopper-Pearson bound; four are used by a test
VARIANCE = Fraction(10**12, 2 * 24_355_970_359)  # (1, 1e-6), sensitivity 1
EPSILON, DELTA = 1.0, 1e-6
MU = 1 / sqrt(VARIANCE)

Source = Callable[[str], NoiseSource]


def view(contribution: int, source: Source | None, seed: str) -> NDArray[np.float64]:
    """What parties 1 and 2 and the coordinator see of party 0's sums of ``contribution``."""
    event = NoiseEvent((NoiseBlock(COORDINATES, 1, VARIANCE),), 3, 2)
    sources = gaussian_sources(3, SeededRandomness(f"noise {seed}"))
    if source is not None:
        sources[0] = WatchedSource(source(f"planted {seed}"))
    sums = [[contribution] * COORDINATES, [7] * COORDINATES, [0] * COORDINATES]
    totals, _ = release(event, sums, sources, SeededRandomness(f"keys {seed}"))
    return residuals(totals, [7] * COORDINATES, sources, (1, 2))


def above(hits: int, trials: int) -> float:
    """Upper Clopper-Pearson bound of a rate."""
    return 1.0 if hits == trials else float(stats.beta.ppf(1 - CONFIDENCE, hits + 1, trials - hits))


def below(hits: int, trials: int) -> float:
    return 1 - above(trials - hits, trials)


def bounds(without: NDArray[np.float64], person: NDArray[np.float64]) -> tuple[float, float]:
    """Lower bounds on (epsilon, mu): the threshold from one half, the rates from the other."""
    half = COORDINATES // 2
    threshold = max(
        np.unique(np.concatenate([without[:half], person[:half]])),
        key=lambda cut: float((person[:half] >= cut).mean() - (without[:half] >= cut).mean()),
    )
    false_alarms = int((without[half:] >= threshold).sum())
    misses = int((person[half:] < threshold).sum())
    epsilon = 0.0
    for rate, other in (
        (below(half - misses, half), above(false_alarms, half)),
        (below(half - false_alarms, half), above(misses, half)),
    ):
        if rate > DELTA:
            epsilon = max(epsilon, log((rate - DELTA) / other))
    mu = -stats.norm.ppf(above(false_alarms, half)) - stats.norm.ppf(above(misses, half))
    return epsilon, float(mu)


def audit(contribution: int, source: Source | None, name: str) -> tuple[float, float]:
    return bounds(view(0, source, f"{name} without"), view(contribution, source, f"{name} with"))


def test_one_person_is_hidden_as_claimed() -> None:
    """False alarm at most 4e-6 over the choice of seed."""
    epsilon, mu = audit(1, None, "honest")
    assert 0 < mu <= MU
    assert epsilon <= EPSILON


@pytest.mark.parametrize(
    ("contribution", "source"),
    [
        (1, lambda seed: FaintSource(DiscreteGaussian(SeededRandomness(seed)), Fraction(1, 2))),
        (1, lambda seed: SilentSource()),
        (2, None),
        (50, None),
    ],
    ids=["half the deviation", "no noise", "two rows of one person", "no clipping"],
)
def test_planted_faults_are_refuted(contribution: int, source: Source | None) -> None:
    _, mu = audit(contribution, source, "planted")
    assert mu > MU


def test_gross_faults_exceed_epsilon_as_well() -> None:
    epsilon, _ = audit(1, lambda seed: SilentSource(), "silent")
    assert epsilon > EPSILON
    epsilon, _ = audit(50, None, "unclipped")
    assert epsilon > EPSILON
