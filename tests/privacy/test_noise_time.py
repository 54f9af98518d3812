"""How long a party takes from its rows to READY says nothing of the noise it adds.

The sampler works a little longer for large noise, so the product draws before it reads rows. That a
sampler which did so more plainly, and later, would be seen is shown with a planted one.
"""

from __future__ import annotations

import time
from decimal import Decimal
from fractions import Fraction
from typing import NoReturn

import pytest
from joint_release import (
    OPENING,
    funded_ledger,
    gaussian_sources,
    terms,
    zero_masks,
)
from scipy import stats
from searched_study import searched_study
from seeded_randomness import SeededRandomness

import mpc.flow
from mpc.accounting.event import NoiseEvent
from mpc.flow import Tools, run_study
from mpc.plan.build import plan_study
from mpc.plan.model import Plan
from mpc.ports import Witness
from mpc.privacy.budget import Budget
from mpc.privacy.sampler import NoiseSource
from mpc.secret.reference import ReferenceEngine
from mpc.table.model import BoundedTable, CellSums
from mpc.testing.participants import make_participants, roster_of
from mpc.testing.table import MemoryTable

RUNS = 300
FALSE_ALARM = 1e-6
BUSY_S = 50e-6  # of the planted one's, for each standard deviation of noise


class BusySource:
    """Good noise, and work in proportion to its size."""

    def __init__(self, source: NoiseSource) -> None:
        self._source = source
        self.build = source.build

    def draw(self, count: int, variance: Fraction) -> list[int]:
        drawn = self._source.draw(count, variance)
        until = time.perf_counter() + BUSY_S * sum(abs(x) for x in drawn) / float(variance) ** 0.5
        while time.perf_counter() < until:
            pass
        return drawn


class TimedTable:
    """Rows, and when they were asked for."""

    def __init__(self, table: BoundedTable) -> None:
        self._table = table
        self.asked_s = 0.0

    def cell_sums(self, asked: tuple[CellSums, ...]) -> tuple[object, ...]:
        self.asked_s = time.perf_counter()
        return self._table.cell_sums(asked)


def one_count() -> tuple[Plan, BoundedTable]:
    study = searched_study(("party-1", "party-2"))
    privacy = study.privacy.model_copy(update={"epsilon": Decimal("0.01")})
    questions = {"people": study.questions["people"]}
    study = study.model_copy(update={"dealer": None, "questions": questions, "privacy": privacy})
    roster = roster_of(make_participants(2, SeededRandomness("timed")))
    return plan_study(study, roster), MemoryTable([{"pay": 1, "sex": "f"}] * 5, study.table)


def times_and_sizes(busy: bool) -> tuple[list[float], list[int]]:
    """Of many runs of one party: from its rows to READY, and its noise without sign."""
    plan, table = one_count()
    (source,) = gaussian_sources(1, SeededRandomness("timed noise"))
    masks = SeededRandomness("timed masks")
    times: list[float] = []
    for _ in range(RUNS):
        _run(plan, TimedTable(table), BusySource(source) if busy else source, masks, times)
    return times, [abs(x) for x in source.drawn]


def _run(
    plan: Plan, table: TimedTable, source: NoiseSource, masks: SeededRandomness, times: list[float]
) -> None:
    ledger = funded_ledger()

    def agree() -> tuple[Witness, ...]:
        times.append(time.perf_counter() - table.asked_s)
        return ()

    def never() -> NoReturn:
        raise AssertionError("a count compares nothing")

    tools = Tools(
        engine=ReferenceEngine(zero_masks(2, masks)[0]),
        budget=Budget(ledger),
        ledger=ledger,
        source=source,
        randomness=masks,
        settle=lambda: None,
        gather=never,
        computation=None,
        agree=agree,
        seal=bytes,
        opening=OPENING,
    )
    run_study(plan, table, terms(), tools, lambda _stage: None)


def correlation_p(*, busy: bool) -> float:
    """Spearman's test; noise is drawn independently, so whatever else takes time is no bias."""
    times, sizes = times_and_sizes(busy)
    assert len(times) == len(sizes) == RUNS
    return float(stats.spearmanr(times, sizes).pvalue)


def test_time_from_rows_to_ready_and_size_of_noise_are_not_correlated() -> None:
    """False alarm 1e-6 each run: times are those of this machine."""
    assert correlation_p(busy=False) > FALSE_ALARM


def test_noise_that_is_drawn_after_rows_are_read_is_caught(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def drawn_late(_event: NoiseEvent, source: NoiseSource) -> NoiseSource:
        return source

    monkeypatch.setattr(mpc.flow, "DrawnNoise", drawn_late)
    assert correlation_p(busy=True) < FALSE_ALARM
