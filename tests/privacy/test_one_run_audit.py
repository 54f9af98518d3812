"""Ten thousand people, each in the data by a fair coin, guessed from one release (T5).

The strongest coalition guesses the people that it is surest of; how many it gets right bounds
epsilon from below, without a second run. For people who are all in one release, so for faults that
show only there.
"""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest
from claim_bounds import one_run_epsilon
from joint_release import FaintSource, SilentSource
from noises import NOISES, OWN, SMALL, AuditedNoise, Plant, gaussian_source
from seeded_randomness import SeededRandomness

from mpc.accounting.conversion import epsilon_from_rho
from mpc.accounting.event import NoiseBlock
from mpc.units import RhoPico

CANARIES = 10_000
GUESSES = 1_000
RHO = RhoPico(24_355_970_359)  # of which SMALL is the variance
DELTA = Decimal("1e-12")  # the bound spends 2 m delta of its confidence, so no larger one will do
EPSILON = float(epsilon_from_rho(RHO, DELTA))
ALPHA = 1e-6


def audit(
    noise: AuditedNoise,
    parties: int,
    coalition: int,
    *,
    weight: int = 1,
    plant: Plant | None = None,
) -> float:
    """Epsilon is at least this, wrong with probability :data:`ALPHA`."""
    coins = np.frombuffer(SeededRandomness("coins").random_bytes(CANARIES), np.uint8) & 1
    event = noise.event((NoiseBlock(CANARIES, 1, SMALL),), parties, coalition)
    sums = [[0] * CANARIES for _ in range(parties)]
    sums[0] = [weight * int(coin) for coin in coins]
    trial = noise.release(event, sums, f"one run {weight} {parties} {coalition}", plant or {})
    pooled = range(parties - coalition, parties)
    seen = trial.residuals(pooled) + np.array(trial.truth) - weight / 2
    surest = np.argsort(-np.abs(seen), kind="stable")[:GUESSES]
    right = int(((seen[surest] > 0) == (coins[surest] == 1)).sum())
    return one_run_epsilon(right, GUESSES, CANARIES, float(DELTA), ALPHA)


@pytest.mark.parametrize("noise", NOISES, ids=lambda noise: noise.name)
@pytest.mark.parametrize(("parties", "coalition"), [(2, 1), (3, 1), (3, 2), (5, 4)])
def test_one_run_refutes_no_claim(noise: AuditedNoise, parties: int, coalition: int) -> None:
    """False alarm 1e-6 each."""
    assert EPSILON < 1.6
    assert audit(noise, parties, coalition) <= EPSILON


@pytest.mark.parametrize(
    ("weight", "plant"),
    [
        (1, {0: SilentSource()}),
        (1, {0: FaintSource(gaussian_source("faint"), Fraction(1, 8))}),
        (10, {}),
    ],
    ids=["no noise", "an eighth of the deviation", "no clipping"],
)
def test_gross_faults_are_refuted_by_one_run(weight: int, plant: Plant) -> None:
    assert audit(OWN, 3, 2, weight=weight, plant=plant) > EPSILON


def test_the_bound_agrees_with_the_published_form() -> None:
    """Without delta: p = P[Bin(r, e^eps / (1 + e^eps)) >= v]; all right of 100 at 5 percent."""
    assert one_run_epsilon(100, 100, 1000, 0.0, 0.05) == pytest.approx(3.4927, abs=1e-3)
    assert one_run_epsilon(50, 100, 1000, 0.0, 0.05) == 0
    assert one_run_epsilon(100, 100, 1000, 1e-5, 0.05) < one_run_epsilon(100, 100, 1000, 0.0, 0.05)
