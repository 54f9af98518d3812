"""Two hundred noised releases of one study: errors as large as the plan says, and no larger.

The visits study runs in this process with seeded noise, so every run of this test sees the same
numbers. For fresh seeds all its looks together would raise a false alarm once in a million
(:data:`FALSE_ALARM`), shared out evenly among them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from math import sqrt
from pathlib import Path

import numpy as np
import pytest
from joint_release import FaintSource
from numpy.typing import NDArray
from plain_totals import totals_of
from scipy import stats
from seeded_randomness import SeededRandomness
from study_tables import tables_of
from visits_study import expected_cells, visits, write_visits

from mpc.outcome import decode_totals
from mpc.plan.model import Plan
from mpc.privacy.sampler import DiscreteGaussian, NoiseSource
from mpc.questions.answer import Answer, Estimate
from mpc.table.model import BoundedTable, CellSums
from mpc.testing.parties import InProcessParties, Released
from mpc.units import PartyId

SEEDS = 200
QUESTIONS = len(visits().questions)
LOOKS = 2 * QUESTIONS + 2 + 2  # size and centre by question, pooled size and shape, coverage
FALSE_ALARM = 1e-6
LEVEL = FALSE_ALARM / LOOKS
CONSERVATIVE = 0.97
"""Intervals have half a lattice step added, hence may cover a little more than 95 %."""

Reals = NDArray[np.float64]


class ScannedOnce:
    """A table that remembers what it was asked: its sums do not change from run to run."""

    def __init__(self, table: BoundedTable) -> None:
        self._table = table
        self._answers: dict[tuple[CellSums, ...], tuple[NDArray[np.object_], ...]] = {}

    def cell_sums(self, asked: tuple[CellSums, ...]) -> tuple[NDArray[np.object_], ...]:
        if asked not in self._answers:
            self._answers[asked] = self._table.cell_sums(asked)
        return self._answers[asked]


@dataclass(frozen=True)
class Repeated:
    """Releases of one plan, and what each would be without noise."""

    plan: Plan
    truth: list[int]
    runs: list[Released]

    def errors(self) -> Reals:
        """(runs, coordinates): released less true."""
        return np.array(
            [
                [float(a - b) for a, b in zip(run.totals, self.truth, strict=True)]
                for run in self.runs
            ]
        )

    def deviations(self) -> Reals:
        """(coordinates): the standard deviation that the plan states for each."""
        return np.array(
            [
                sqrt(block.total_variance)
                for question in self.plan.questions
                for block in question.blocks
                for _ in range(block.cells)
            ]
        )

    def standardized(self) -> Reals:
        return self.errors() / self.deviations()


class Repetition:
    """The visits study in process, ready to be run again and again."""

    def __init__(self, folder: Path) -> None:
        study = visits()
        tables = tables_of(study, write_visits(folder / "data"), folder / "tables")
        self._parties = InProcessParties(
            study,
            {party: ScannedOnce(table) for party, table in tables.items()},
            SeededRandomness("seeds/keys"),
        )
        self.plan = self._parties.plan
        self.truth = totals_of(self.plan, expected_cells())

    def run(self, seeds: int, source: Callable[[NoiseSource], NoiseSource], build: str) -> Repeated:
        return Repeated(
            self.plan,
            self.truth,
            [self._parties.run(self._sources(seed, source), build=build) for seed in range(seeds)],
        )

    def _sources(
        self, seed: int, source: Callable[[NoiseSource], NoiseSource]
    ) -> Mapping[PartyId, NoiseSource]:
        return {
            party: source(DiscreteGaussian(SeededRandomness(f"seeds/{seed}/{party}")))
            for party in self._parties.ledgers
        }


@pytest.fixture(scope="module")
def repetition(tmp_path_factory: pytest.TempPathFactory) -> Repetition:
    return Repetition(tmp_path_factory.mktemp("seeds"))


@pytest.fixture(scope="module")
def noised(repetition: Repetition) -> Repeated:
    return repetition.run(SEEDS, lambda source: source, DiscreteGaussian.build)


def of_questions(repeated: Repeated) -> Iterator[tuple[str, Reals]]:
    standardized = repeated.standardized()
    for question in repeated.plan.questions:
        yield question.name, standardized[:, question.offset : question.offset + question.size]


def size_is_plausible(errors: Reals) -> bool:
    """Sum of squares of standard normals: chi-square, both tails, at :data:`LEVEL`."""
    law = stats.chi2(errors.size)
    squares = float((errors**2).sum())
    return bool(law.ppf(LEVEL / 2) <= squares <= law.isf(LEVEL / 2))


def centre_is_plausible(errors: Reals) -> bool:
    """Mean of standard normals, both tails, at :data:`LEVEL`."""
    return abs(float(errors.mean())) * sqrt(errors.size) <= float(stats.norm.isf(LEVEL / 2))


def test_errors_of_every_question_are_as_large_as_planned_and_centred(noised: Repeated) -> None:
    for name, errors in of_questions(noised):
        assert size_is_plausible(errors), name
        assert centre_is_plausible(errors), name


def test_all_errors_together_are_as_large_as_planned(noised: Repeated) -> None:
    assert size_is_plausible(noised.standardized())


def test_all_errors_together_are_normal_in_shape(noised: Repeated) -> None:
    """Kolmogorov and Smirnov's test, after each integer was spread evenly over its unit cell."""
    errors = noised.errors()
    spread = np.frombuffer(SeededRandomness("seeds/spread").random_bytes(8 * errors.size), "<u8")
    within = spread.reshape(errors.shape) / 2.0**64
    low, high = (stats.norm.cdf((errors + side) / noised.deviations()) for side in (-0.5, 0.5))
    uniform = low + within * (high - low)
    assert stats.kstest(uniform.ravel(), "uniform").pvalue >= LEVEL


def test_seeds_and_parties_draw_different_noise(noised: Repeated) -> None:
    assert len({run.totals for run in noised.runs}) == SEEDS
    assert all(len(set(run.messages.values())) == noised.plan.parties for run in noised.runs)


def test_ninety_five_percent_intervals_hold_the_plain_answer_as_often(noised: Repeated) -> None:
    """Means alone, then every estimate of a question's own integers: binomial, both tails."""
    plain = decode_totals(noised.plan, noised.truth)
    for names in ({"mean"}, {"count", "sum"}):
        hits = [
            hit for run in noised.runs for name, hit in covered(run.answers, plain) if name in names
        ]
        assert len(hits) >= SEEDS * 9
        least = stats.binom.ppf(LEVEL / 2, len(hits), 0.95)
        most = stats.binom.isf(LEVEL / 2, len(hits), CONSERVATIVE)
        assert least <= sum(hits) <= most, names


def covered(answers: tuple[Answer, ...], plain: tuple[Answer, ...]) -> Iterator[tuple[str, bool]]:
    for released, true in zip(answers, plain, strict=True):
        for cell, true_cell in zip(released.cells, true.cells, strict=True):
            for estimate, known in zip(cell.estimates, true_cell.estimates, strict=True):
                yield estimate.name, holds(estimate, known)


def holds(estimate: Estimate, known: Estimate) -> bool:
    assert estimate.low is not None
    assert estimate.high is not None
    assert known.value is not None
    return estimate.low <= known.value <= estimate.high


def test_a_tenth_too_little_noise_would_be_noticed(repetition: Repetition) -> None:
    faint = repetition.run(
        SEEDS // 4, lambda source: FaintSource(source, Fraction(9, 10)), FaintSource.build
    )
    assert not size_is_plausible(faint.standardized())
