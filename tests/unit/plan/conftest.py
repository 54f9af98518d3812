"""Studies and rosters to plan with."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from mpc.columns.model import CategoryColumn, NumberColumn
from mpc.questions.count.declare import Count
from mpc.questions.histogram.declare import Histogram
from mpc.questions.mean.declare import Mean
from mpc.questions.registry import Question
from mpc.questions.sum.declare import Sum
from mpc.questions.variance.declare import Variance
from mpc.roster import Member, Roster
from mpc.study.model import Lead, PartyEntry, Privacy, RowUnit, Study, Table
from mpc.units import Adjacency, PartyId, Role

NAMES = [f"site-{letter}" for letter in "abcdefghijklmnop"]


def member(name: str, role: Role) -> Member:
    """Planning compares and hashes certificates and reads no more of them."""
    return Member(
        id=PartyId(name),
        role=role,
        organization=f"{name} org",
        tls_certificate=b"tls of " + name.encode(),
        signing_certificate=b"signing of " + name.encode(),
    )


def roster_of(study: Study) -> Roster:
    """The roster of ``study``: its parties, its dealer if it has one, and a coordinator."""
    members = [member(name, Role.PARTY) for name in study.parties]
    if study.dealer is not None:
        members.append(member(study.dealer, Role.DEALER))
    return Roster(members=(*members, member("hub", Role.COORDINATOR)))


def questions() -> dict[str, Question]:
    return {
        "people": Count(kind="count", by=("sex",)),
        "visits": Mean(kind="mean", column="visits", weight=Decimal(2)),
        "spread": Variance(kind="variance", column="visits", by=("sex",)),
        "balance": Sum(kind="sum", column="balance"),
        "ages": Histogram(
            kind="histogram", column="age", bins=(Decimal(0), Decimal(40), Decimal(120))
        ),
    }


def study(count: int = 3, **changes: Any) -> Study:
    """A study of ``count`` parties; ``changes`` replace fields, or those of its parts."""
    table: dict[str, Any] = {
        "name": "stays",
        "unit": RowUnit(kind="row"),
        "columns": {
            "visits": NumberColumn(type="number", bounds=(Decimal(0), Decimal(77))),
            "balance": NumberColumn(
                type="number", bounds=(Decimal(-500), Decimal(2000)), step=Decimal("0.01")
            ),
            "age": NumberColumn(type="number", bounds=(Decimal(0), Decimal(120))),
            "sex": CategoryColumn(type="category", levels=("f", "m")),
        },
        "where": "age >= 18",
    }
    privacy: dict[str, Any] = {
        "epsilon": Decimal(1),
        "delta": Decimal("0.000001"),
        "adjacency": Adjacency.ADD_OR_REMOVE_ONE,
    }
    fields: dict[str, Any] = {
        "version": 1,
        "id": "stays",
        "title": "Stays",
        "purpose": "planning",
        "lead": Lead(name="A. Person", organization="Institute", email="a@example.org"),
        "parties": {
            name: PartyEntry(version=1, rows_max=20_000, rows_expected=5_000)
            for name in NAMES[:count]
        },
        "recipients": ("coordinator",),
        "questions": questions(),
    }
    for name, value in changes.items():
        part = privacy if name in Privacy.model_fields else table if name in table else fields
        part[name] = value
    return Study(table=Table(**table), privacy=Privacy(**privacy), **fields)


@pytest.fixture
def make_study() -> Callable[..., Study]:
    return study


@pytest.fixture
def make_roster() -> Callable[[Study], Roster]:
    return roster_of
