"""What the strongest coalition can tell of one person, measured on neighbouring data.

Both worlds are released as 20,000 independent coordinates, one with the person's contribution and
one without; a coalition of t other parties takes its own noise away. From the rates of a threshold
test come lower bounds with stated confidence: on epsilon (T3), on mu of Gaussian privacy (T4) and
on the advantage of guessing membership (T6). They must not exceed the claim. A pass means "not
refuted". The auditor is audited: planted faults must be refuted.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from math import sqrt

import pytest
from claim_bounds import CONFIDENCE, Distinguished, advantage_max, distinguished
from joint_release import FaintSource, SilentSource
from noises import (
    COALITIONS,
    COORDINATES,
    NOISES,
    OWN,
    SMALL,
    AuditedNoise,
    audited,
    gaussian_source,
    made_of_many,
)
from scipy import stats

from mpc.privacy.sampler import NoiseSource

EPSILON, DELTA = 1.0, 1e-6  # of which SMALL is the variance, for a sensitivity of 1
MU = 1 / sqrt(SMALL)

Source = Callable[[str], NoiseSource]


def audit(
    noise: AuditedNoise,
    parties: int,
    coalition: int,
    *,
    contribution: int = 1,
    source: Source | None = None,
    coordinates: int = COORDINATES,
) -> Distinguished:
    """The last ``coalition`` parties and the coordinator look for a person of party 0."""
    worlds = []
    for added in (0, contribution):
        trial = audited(
            noise,
            parties,
            coalition,
            contribution=added,
            plant=None if source is None else {0: source(f"planted {added}")},
            coordinates=coordinates,
            seed="neighbours",
        )
        others = 1000 * sum(range(parties))
        pooled = range(parties - coalition, parties)
        worlds.append(trial.residuals(pooled) + [true - others for true in trial.truth])
    return distinguished(*worlds)


def check(seen: Distinguished) -> None:
    assert seen.mu <= MU
    assert seen.epsilon(DELTA) <= EPSILON
    assert seen.advantage <= min(advantage_max(EPSILON, DELTA), 2 * stats.norm.cdf(MU / 2) - 1)


@pytest.mark.parametrize("noise", NOISES, ids=lambda noise: noise.name)
@pytest.mark.parametrize(("parties", "coalition"), COALITIONS)
def test_one_person_is_hidden_as_claimed(noise: AuditedNoise, parties: int, coalition: int) -> None:
    """False alarm at most four times :data:`CONFIDENCE` over the choice of seed."""
    assert CONFIDENCE <= 1e-6
    seen = audit(noise, parties, coalition)
    check(seen)
    assert seen.mu > 0  # and it does see something: the noise is not far too much


@pytest.mark.long
@pytest.mark.timeout(600)
@pytest.mark.parametrize("noise", NOISES, ids=lambda noise: noise.name)
@pytest.mark.parametrize(("parties", "coalition"), COALITIONS)
def test_two_hundred_thousand_trials_refute_no_claim(
    noise: AuditedNoise, parties: int, coalition: int
) -> None:
    """As above, where a deviation a quarter too small would be refuted."""
    seen = made_of_many(
        noise, parties, coalition, lambda many: audit(noise, parties, coalition, coordinates=many)
    )
    if seen is not None:
        check(seen)


@pytest.mark.parametrize(
    ("contribution", "source"),
    [
        (1, lambda seed: FaintSource(gaussian_source(seed), Fraction(1, 2))),
        (1, lambda seed: SilentSource()),
        (2, None),
        (50, None),
    ],
    ids=["half the deviation", "no noise", "two rows of one person", "no clipping"],
)
def test_planted_faults_are_refuted(contribution: int, source: Source | None) -> None:
    seen = audit(OWN, 3, 2, contribution=contribution, source=source)
    assert seen.mu > MU
    assert seen.advantage > 2 * stats.norm.cdf(MU / 2) - 1


def test_gross_faults_exceed_epsilon_as_well() -> None:
    assert audit(OWN, 3, 2, source=lambda seed: SilentSource()).epsilon(DELTA) > EPSILON
    assert audit(OWN, 3, 2, contribution=50).epsilon(DELTA) > EPSILON
