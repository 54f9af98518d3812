"""Whole studies with each noise: 20,000 coordinates, and what a coalition leaves of them.

(epsilon, delta) = (1, 10^-6), unit sensitivity, three parties of which any two collude. If noise is
nearly Gaussian of variance V, (N - 1) s^2 / V is chi-square with N - 1 degrees of freedom; each
bound below fails with 1e-7 if the variance is V.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from itertools import combinations

import numpy as np
import pytest
from joint_release import WatchedSource
from scipy import stats
from seeded_randomness import SeededRandomness

from mpc.accounting.event import Noise
from mpc.columns.model import NumberColumn
from mpc.plan.model import Plan
from mpc.privacy.sampler import DiscreteGaussian
from mpc.questions.histogram.declare import Histogram
from mpc.study.model import Lead, PartyEntry, Privacy, RowUnit, Study, Table
from mpc.testing.parties import InProcessParties
from mpc.testing.table import MemoryTable
from mpc.units import Adjacency

PARTIES = ("alpha", "bravo", "charlie")
BINS, RUNS = 10_000, 2
FALSE_ALARM = 1e-7
BARS = {Noise.OWN: 7.86, Noise.DEALT: 5.86, Noise.JOINT: 4.54}


def study_of(noise: Noise) -> Study:
    return Study(
        version=1,
        id="noise",
        title="Noise alone",
        purpose="audit",
        lead=Lead(name="A. Person", organization="Institute", email="a@example.org"),
        parties={name: PartyEntry(version=1, rows_max=10, rows_expected=0) for name in PARTIES},
        dealer=None if noise is Noise.OWN else "house",
        recipients=("coordinator",),
        table=Table(
            name="t",
            unit=RowUnit(kind="row"),
            columns={
                "x": NumberColumn(type="number", bounds=(Decimal(0), Decimal(BINS))),
            },
        ),
        privacy=Privacy(
            epsilon=Decimal(1),
            delta=Decimal("0.000001"),
            adjacency=Adjacency.ADD_OR_REMOVE_ONE,
            noises=None if noise is Noise.OWN else (noise,),
        ),
        questions={
            "bins": Histogram(
                kind="histogram", column="x", bins=tuple(Decimal(x) for x in range(BINS + 1))
            )
        },
    )


Residuals = Mapping[tuple[str, ...], np.ndarray]


@pytest.fixture(scope="module", params=list(Noise))
def released(request: pytest.FixtureRequest) -> tuple[Plan, Residuals]:
    """What is left of the noise when nobody, one, or two parties take their own away."""
    study = study_of(request.param)
    tables = {party: MemoryTable([], study.table) for party in PARTIES}
    run = InProcessParties(study, tables, SeededRandomness(f"keys {request.param}"))
    coalitions = [pooled for size in range(3) for pooled in combinations(PARTIES, size)]
    left: dict[tuple[str, ...], list[np.ndarray]] = {pooled: [] for pooled in coalitions}
    for seed in range(RUNS):
        sources = {
            party: WatchedSource(DiscreteGaussian(SeededRandomness(f"{seed} {party}")))
            for party in run.ledgers
        }
        totals = np.array(run.run({**sources}).totals)
        for pooled in coalitions:
            drawn = [np.array(sources[party].drawn or [0] * BINS) for party in pooled]
            left[pooled].append(totals - sum(drawn, np.zeros(BINS, np.int64)))
    return run.plan, {pooled: np.concatenate(parts) for pooled, parts in left.items()}


def spread(residual: np.ndarray, variance: float) -> float:
    """(N - 1) s^2 / V."""
    return float((len(residual) - 1) * residual.var(ddof=1) / variance)


def test_the_released_deviation_is_the_planned_one_and_meets_its_bar(
    released: tuple[Plan, Residuals],
) -> None:
    plan, left = released
    (block,) = plan.question("bins").blocks
    assert float(block.total_variance) ** 0.5 <= BARS[block.noise]
    residual = left[()]
    assert len(residual) == 20_000
    found = spread(residual, float(block.total_variance))
    low, high = stats.chi2.ppf([FALSE_ALARM, 1 - FALSE_ALARM], len(residual) - 1)
    assert low < found < high


def test_every_coalition_leaves_the_noise_that_the_plans_table_says(
    released: tuple[Plan, Residuals],
) -> None:
    plan, left = released
    (block,) = plan.event.blocks
    for pooled, residual in left.items():
        variance = sum(plan.event.remaining(block, len(pooled)))
        low, high = stats.chi2.ppf([FALSE_ALARM, 1 - FALSE_ALARM], len(residual) - 1)
        assert low < spread(residual, float(variance)) < high
        loss = next(c for c in plan.coalitions if c.parties == len(pooled) and not c.dealer)
        assert loss.rho is not None
        assert float(loss.rho) / 1e12 == pytest.approx(1 / (2 * float(variance)), rel=1e-6)


def test_the_table_says_what_the_dealer_and_parties_leave(
    released: tuple[Plan, Residuals],
) -> None:
    plan, _left = released
    (block,) = plan.event.blocks
    rows = {loss.parties: loss.rho for loss in plan.coalitions if loss.dealer}
    if block.noise is Noise.OWN:
        assert rows == {}
    elif block.noise is Noise.JOINT:
        assert rows == {1: None, 2: None}
    else:
        for pooled, rho in rows.items():
            variance = sum(plan.event.remaining(block, pooled, dealer=True))
            assert rho is not None
            assert float(rho) / 1e12 == pytest.approx(1 / (2 * float(variance)), rel=1e-6)
        assert set(rows) == {0, 1, 2}
