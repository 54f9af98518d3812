"""A release of every kind of question, recorded: what a party shares, draws, asks and sends.

The same seed gives the same keys, masks and noise, so two recordings on neighbouring tables may
differ in the integers that were shared, and in nothing else of what is recorded.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from fractions import Fraction

import numpy as np
from joint_release import WatchedSource
from numpy.typing import NDArray
from searched_study import searched_study
from seeded_randomness import SeededRandomness

from mpc.accounting.event import Noise, NoiseBlock
from mpc.columns.model import CategoryColumn, DateColumn, IdColumn, NumberColumn, UseLevel, UseValue
from mpc.plan.model import Plan
from mpc.privacy.sampler import DiscreteGaussian
from mpc.questions.count.declare import Count
from mpc.questions.histogram.declare import Histogram
from mpc.questions.mean.declare import Mean
from mpc.questions.quantile.declare import Quantile
from mpc.questions.registry import Question
from mpc.questions.sum.declare import Sum
from mpc.questions.variance.declare import Variance
from mpc.ring.words import decode
from mpc.secret.reference import ReferenceEngine
from mpc.secret.sealed import BoundedStatistic, SecretStatistic
from mpc.session.share import ReleasedShare
from mpc.study.model import PersonUnit, Privacy, RowUnit, Study, Table
from mpc.table.model import BoundedTable, CellSums
from mpc.testing.parties import InProcessParties
from mpc.testing.table import MemoryTable, Raw
from mpc.units import Adjacency, PartyId

Row = Mapping[str, Raw]
Integers = NDArray[np.object_]
ROW_KEY = b"key of the run's rows"

QUESTIONS: dict[str, Question] = {
    "people": Count(kind="count"),
    "by_sex": Count(kind="count", by=("sex", "area")),
    "total": Sum(kind="sum", column="low", by=("sex",)),
    "average": Mean(kind="mean", column="pay"),
    "spread": Variance(kind="variance", column="low", by=("area",)),
    "bins": Histogram(kind="histogram", column="low", bins=(Decimal(-1), Decimal(0), Decimal(10))),
    "areas": Histogram(kind="histogram", column="area", by=("sex",)),
    "days": Histogram(kind="histogram", column="day", bins=(date(2020, 1, 2), date(2020, 1, 5))),
    "median": Quantile(kind="quantile", column="low", probability=Decimal("0.5"), by=("sex",)),
    "high": Quantile(kind="quantile", column="pay", probability=Decimal("0.9")),
}


PERSON = PersonUnit(
    kind="person", column="who", rows_max=3, group_rows_max=2, across_parties=False, keep="hashed"
)


def recorded_study(
    adjacency: Adjacency,
    rows_max: int = 1,
    noises: tuple[Noise, ...] | None = None,
    person: PersonUnit | None = None,
) -> Study:
    """Every kind of question about every kind of column, with and without exclusions."""
    study = searched_study(("alpha", "bravo"))
    columns = {
        "low": NumberColumn(type="number", bounds=(Decimal(-1), Decimal(10)), step=Decimal("0.5")),
        "pay": NumberColumn(
            type="number", bounds=(Decimal(0), Decimal(9)), missing=UseValue(value=Decimal(4)),
            outside="exclude",
        ),
        "sex": CategoryColumn(type="category", levels=("f", "m")),
        "area": CategoryColumn(
            type="category", levels=("n", "s", "?"), missing=UseLevel(level="?"),
            unknown_level="missing",
        ),
        "day": DateColumn(type="date", bounds=(date(2020, 1, 1), date(2020, 1, 9))),
    }  # fmt: skip
    ids = {} if person is None else {person.column: IdColumn(type="id")}
    unit = person or RowUnit(kind="row", rows_max=rows_max)
    privacy = Privacy(
        epsilon=Decimal(4), delta=Decimal("0.000001"), adjacency=adjacency, noises=noises
    )
    table = Table(name="payroll", unit=unit, columns={**columns, **ids})
    return study.model_copy(update={"table": table, "questions": QUESTIONS, "privacy": privacy})


class AskedTable:
    """A table that remembers what it was asked."""

    def __init__(self, table: BoundedTable) -> None:
        self._table = table
        self.asked: list[tuple[CellSums, ...]] = []

    def cell_sums(self, asked: tuple[CellSums, ...]) -> tuple[Integers, ...]:
        self.asked.append(asked)
        return self._table.cell_sums(asked)


@dataclass(frozen=True)
class Course:
    """All that may not depend on rows: what was asked, drawn, said, and the size of what leaves."""

    asked: Sequence[tuple[CellSums, ...]]
    draws: Mapping[PartyId, Sequence[int]]
    messages: Sequence[tuple[str, str, int, bytes, int]]
    released: Sequence[int]


@dataclass(frozen=True)
class Recording:
    """One release: the integers that party alpha shared, and its course."""

    plan: Plan
    shared: Integers
    course: Course


def record(study: Study, table: BoundedTable) -> Recording:
    """A release of ``table`` at alpha, beside an empty one, with frozen noise."""
    shared: list[Sequence[int]] = []

    class RecordingEngine(ReferenceEngine):
        def share_sum(self, local: BoundedStatistic) -> SecretStatistic:
            shared.append(decode(local._words))
            return super().share_sum(local)

    asked = AskedTable(table)
    tables = {"alpha": asked, "bravo": MemoryTable([], study.table, ROW_KEY)}
    parties = InProcessParties(study, tables, SeededRandomness("recorded"), RecordingEngine)
    sources = {
        party: WatchedSource(DiscreteGaussian(SeededRandomness(f"frozen {party}")))
        for party in parties.ledgers
    }
    released = parties.run({**sources})
    seen = [
        (m.sender, m.receiver, m.number, m.operation, len(m.payload)) for m in released.network.seen
    ]
    sizes = [len(ReleasedShare.from_bytes(m).masked) for m in released.messages.values()]
    return Recording(
        parties.plan,
        np.array(shared, dtype=object).sum(axis=0),  # bravo's are zeros
        Course(asked.asked, {p: s.drawn for p, s in sources.items()}, sorted(seen), sizes),
    )


@dataclass(frozen=True)
class Moved:
    """How far one block of a question moved between two recordings, and how far it may."""

    question: str
    squared: int
    declared: int
    variance: Fraction

    @property
    def within(self) -> bool:
        return self.squared <= self.declared


def distances(first: Recording, other: Recording) -> list[Moved]:
    """Squared L2 distance at the noise call, block by block.

    Of a search's nodes one of each cell is looked at, whichever noise leads to: the one that moved
    most counts.
    """
    moved: list[Moved] = []
    change = first.shared - other.shared
    events = iter(first.plan.event.blocks)
    start = 0
    for question in first.plan.questions:
        for planned in question.blocks:
            event: NoiseBlock = next(events)
            part = change[start : start + event.size]
            start += event.size
            looked_at = looked_at_squared(part, planned.block.nodes)
            moved.append(Moved(question.name, looked_at, event.sensitivity_squared, event.variance))
    assert start == len(change)
    return moved


def looked_at_squared(change: Integers, nodes: int) -> int:
    """Squared L2 norm of a block's change, at the node of each cell that changes most."""
    return int((change.reshape(-1, nodes) ** 2).max(axis=1).sum())


def rho_of(moved: Sequence[Moved]) -> Fraction:
    """What the two worlds cost, given what remains of the noise."""
    return sum((Fraction(each.squared) / (2 * each.variance) for each in moved), Fraction(0))
