"""A study of quantiles in process: a hundred-odd people at three parties, with a dealer."""

from __future__ import annotations

from decimal import Decimal

from seeded_randomness import SeededRandomness

from mpc.columns.model import CategoryColumn, NumberColumn
from mpc.plan.model import Plan
from mpc.questions.count.declare import Count
from mpc.questions.local import local_sums
from mpc.questions.quantile.declare import Quantile
from mpc.study.model import Lead, PartyEntry, Privacy, RowUnit, Study, Table
from mpc.table.model import BoundedTable
from mpc.testing.table import MemoryTable
from mpc.units import Adjacency

PARTIES = ("alpha", "bravo", "charlie")


def searched_study(parties: tuple[str, ...] = PARTIES, epsilon: str = "4") -> Study:
    """Medians by group between two other questions, and a first decile."""
    return Study(
        version=1,
        id="pay",
        title="Pay",
        purpose="planning",
        lead=Lead(name="A. Person", organization="Institute", email="a@example.org"),
        parties={name: PartyEntry(version=1, rows_max=1000, rows_expected=100) for name in parties},
        dealer="house",
        recipients=("coordinator",),
        table=Table(
            name="payroll",
            unit=RowUnit(kind="row"),
            columns={
                "pay": NumberColumn(type="number", bounds=(Decimal(0), Decimal(90))),
                "sex": CategoryColumn(type="category", levels=("f", "m")),
            },
        ),
        privacy=Privacy(
            epsilon=Decimal(epsilon),
            delta=Decimal("0.000001"),
            adjacency=Adjacency.ADD_OR_REMOVE_ONE,
        ),
        questions={
            "people": Count(kind="count"),
            "median": Quantile(
                kind="quantile", column="pay", probability=Decimal("0.5"), by=("sex",)
            ),
            "by_sex": Count(kind="count", by=("sex",)),
            "low": Quantile(
                kind="quantile", column="pay", probability=Decimal("0.1"), step=Decimal(7)
            ),
        },
    )


def tables_of(study: Study, rows: int) -> dict[str, BoundedTable]:
    """``rows`` people at each party, made of fixed bytes."""
    tables: dict[str, BoundedTable] = {}
    for party in study.parties:
        drawn = SeededRandomness(f"rows of {party}").random_bytes(2 * rows)
        people = [
            {"pay": pay % 91, "sex": "fm?"[sex % 3]}
            for pay, sex in zip(drawn[::2], drawn[1::2], strict=True)
        ]
        tables[party] = MemoryTable(people, study.table)
    return tables


def true_sums(plan: Plan, tables: dict[str, BoundedTable]) -> list[int]:
    """All integers that are shared, added up over the parties, without noise."""
    totals = [0] * plan.event.size
    for table in tables.values():
        totals = [a + b for a, b in zip(totals, local_sums(plan.asked, table), strict=True)]
    return totals
