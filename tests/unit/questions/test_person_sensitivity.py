"""How far one person can move the sums, however many rows it has, and that the bound is reached."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from itertools import product
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from recorded_release import looked_at_squared

from mpc.columns.model import CategoryColumn, Column, DateColumn, IdColumn, NumberColumn
from mpc.layout import Block, Layout
from mpc.plan.budget import sensitivity_squared
from mpc.questions.count.declare import Count
from mpc.questions.histogram.declare import Histogram
from mpc.questions.local import local_sums
from mpc.questions.mean.declare import Mean
from mpc.questions.quantile.declare import Quantile
from mpc.questions.registry import Question
from mpc.questions.sum.declare import Sum
from mpc.questions.variance.declare import Variance
from mpc.study.model import FirstBy, PersonUnit, RowUnit, Table
from mpc.testing.table import MemoryTable, Raw
from mpc.units import Adjacency

Row = dict[str, Raw]

COLUMNS: dict[str, Column] = {
    "who": IdColumn(type="id"),
    "pay": NumberColumn(type="number", bounds=(Decimal(-4), Decimal(4))),
    "sex": CategoryColumn(type="category", levels=("f", "m")),
    "area": CategoryColumn(type="category", levels=("n", "s", "w")),
    "day": DateColumn(type="date", bounds=(date(2020, 1, 1), date(2020, 1, 9))),
}
QUESTIONS: list[Question] = [
    Count(kind="count"),
    Count(kind="count", by=("sex", "area")),
    Sum(kind="sum", column="pay"),
    Mean(kind="mean", column="pay", by=("area",)),
    Variance(kind="variance", column="pay", by=("sex",)),
    Histogram(kind="histogram", column="pay", bins=(Decimal(-4), Decimal(0), Decimal(2))),
    Histogram(kind="histogram", column="area", by=("sex",)),
    Quantile(kind="quantile", column="pay", probability=Decimal("0.5")),
    Quantile(kind="quantile", column="pay", probability=Decimal("0.9"), by=("sex",)),
]
ADD, REPLACE = Adjacency.ADD_OR_REMOVE_ONE, Adjacency.REPLACE_ONE


WHERE = "area != 'w' or pay > -3"


class Asked:
    def __init__(self, question: Question) -> None:
        self.kind = question.kind
        self.layout = question.layout(COLUMNS)


def unit_of(
    rows_max: int,
    group_rows_max: int | None = None,
    *,
    keep: Any = "hashed",
    across_parties: bool = False,
) -> PersonUnit:
    return PersonUnit(
        kind="person",
        column="who",
        rows_max=rows_max,
        group_rows_max=group_rows_max,
        across_parties=across_parties,
        keep=keep,
    )


def sums(
    question: Question, rows: list[Row], unit: PersonUnit, where: str = ""
) -> NDArray[np.object_]:
    declared = Table(name="t", unit=unit, columns=COLUMNS, where=where)
    return np.array(local_sums([Asked(question)], MemoryTable(rows, declared, b"k")), dtype=object)


def parts_of(layout: Layout) -> list[tuple[Block, slice]]:
    parts, start = [], 0
    for block in layout.blocks:
        parts.append((block, slice(start, start + layout.cells * block.nodes)))
        start += layout.cells * block.nodes
    return parts


CELLS = {
    "pay": st.one_of(st.integers(-6, 6), st.sampled_from(["", None, 4, -4])),
    "sex": st.sampled_from(["f", "m", "?", None]),
    "area": st.sampled_from(["n", "s", "w", None]),
    "day": st.sampled_from(["2020-01-01", "2020-01-05", "2020-01-09", "", None]),
}
OTHERS = st.lists(
    st.fixed_dictionaries({"who": st.sampled_from(["a", "b", "", None]), **CELLS}), max_size=8
)
ONE = st.lists(st.fixed_dictionaries({"who": st.just("me"), **CELLS}), max_size=12)
"""Any number of rows of one person: most of these lists are beyond the cap."""
UNITS = st.tuples(st.integers(1, 5), st.integers(1, 5)).map(lambda each: (max(each), min(each)))
KEEPS = st.sampled_from(["hashed", FirstBy(first_by="day"), FirstBy(first_by="pay")])


@settings(max_examples=150, deadline=None)
@given(others=OTHERS, one=ONE, other=ONE, caps=UNITS, keep=KEEPS)
def test_one_person_never_moves_a_sum_by_more_than_the_sensitivity(
    others: list[Row], one: list[Row], other: list[Row], caps: tuple[int, int], keep: Any
) -> None:
    unit = unit_of(*caps, keep=keep)
    for question in QUESTIONS:
        base, with_one, with_other = (
            sums(question, others + more, unit, WHERE) for more in ([], one, other)
        )
        layout = question.layout(COLUMNS)
        for block, part in parts_of(layout):
            added = looked_at_squared((with_one - base)[part], block.nodes)
            replaced = looked_at_squared((with_one - with_other)[part], block.nodes)
            assert added <= sensitivity_squared(block, layout.cells, unit, 3, ADD)
            assert replaced <= sensitivity_squared(block, layout.cells, unit, 3, REPLACE)


@settings(max_examples=60, deadline=None)
@given(
    others=st.tuples(OTHERS, OTHERS, OTHERS), one=st.tuples(ONE, ONE, ONE),
    other=st.tuples(ONE, ONE, ONE), caps=UNITS, keep=KEEPS,
)  # fmt: skip
def test_a_person_at_three_owners_never_moves_the_joint_sum_by_more_than_the_sensitivity(
    others: tuple[list[Row], ...],
    one: tuple[list[Row], ...],
    other: tuple[list[Row], ...],
    caps: tuple[int, int],
    keep: Any,
) -> None:
    unit = unit_of(*caps, keep=keep, across_parties=True)
    for question in QUESTIONS:
        base, with_one, with_other = (
            sum(
                sums(question, rows + more, unit, WHERE)
                for rows, more in zip(others, mine, strict=True)
            )
            for mine in (([], [], []), one, other)
        )
        layout = question.layout(COLUMNS)
        for block, part in parts_of(layout):
            added = looked_at_squared((with_one - base)[part], block.nodes)
            replaced = looked_at_squared((with_one - with_other)[part], block.nodes)
            assert added <= sensitivity_squared(block, layout.cells, unit, 3, ADD)
            assert replaced <= sensitivity_squared(block, layout.cells, unit, 3, REPLACE)


def spread(count: int, group: int, *, pay: int, reverse: bool = False) -> list[Row]:
    """``count`` rows of one person, ``group`` of them in each of the six cells of sex and area."""
    places = list(product("fm", "nsw"))
    if reverse:
        places.reverse()
    return [
        {"who": "me", "pay": pay, "sex": sex, "area": area, "day": "2020-01-02"}
        for sex, area in (places[row // group % len(places)] for row in range(count))
    ]


@pytest.mark.parametrize("caps", [(1, 1), (2, 1), (3, 3), (5, 2), (6, 1), (6, 2), (9, 1), (4, 3)])
def test_rows_spread_over_groups_reach_the_sensitivity(caps: tuple[int, int]) -> None:
    unit, everywhere = unit_of(*caps), unit_of(*caps, across_parties=True)
    question = Count(kind="count", by=("sex", "area"))
    (block,) = question.layout(COLUMNS).blocks
    first = sums(question, spread(100, caps[1], pay=4)[: caps[0]], unit)
    last = sums(question, spread(100, caps[1], pay=4, reverse=True)[: caps[0]], unit)
    assert int((first**2).sum()) == sensitivity_squared(block, 6, unit, 4, ADD)
    assert int(((4 * first) ** 2).sum()) == sensitivity_squared(block, 6, everywhere, 4, ADD)
    needed = -(-caps[0] // caps[1])
    if 2 * needed <= 6:  # groups enough for two persons with none in common
        assert int(((first - last) ** 2).sum()) == sensitivity_squared(block, 6, unit, 4, REPLACE)


@pytest.mark.parametrize("caps", [(1, 1), (2, 1), (3, 3), (5, 2), (6, 1), (12, 2), (4, 3)])
def test_rows_of_opposite_sign_reach_twice_the_sensitivity(caps: tuple[int, int]) -> None:
    unit = unit_of(*caps)
    question = Sum(kind="sum", column="pay", by=("sex", "area"))
    layout = question.layout(COLUMNS)
    block, part = parts_of(layout)[0]
    assert block.signed
    high = sums(question, spread(100, caps[1], pay=4)[: caps[0]], unit)[part]
    low = sums(question, spread(100, caps[1], pay=-4)[: caps[0]], unit)[part]
    assert int(((high - low) ** 2).sum()) == sensitivity_squared(block, 6, unit, 2, REPLACE)
    assert int((high**2).sum()) == sensitivity_squared(block, 6, unit, 2, ADD)


@pytest.mark.parametrize("cells", range(1, 5))
def test_stated_sensitivity_is_the_largest_over_all_ways_to_place_rows(cells: int) -> None:
    counts = Block("n", power=0, value_max=3, signed=False)
    signed = Block("s1", power=1, value_max=3, signed=True)
    for rows, group in [(r, g) for r in range(1, 5) for g in range(1, r + 1)]:
        unit = unit_of(rows, group)
        placed = [
            np.array(each) for each in product(range(group + 1), repeat=cells) if sum(each) <= rows
        ]
        added = max(9 * int((x**2).sum()) for x in placed)
        replaced = max(9 * int(((x - y) ** 2).sum()) for x in placed for y in placed)
        assert sensitivity_squared(counts, cells, unit, 2, ADD) == added
        assert sensitivity_squared(counts, cells, unit, 2, REPLACE) == replaced
        assert sensitivity_squared(signed, cells, unit, 2, REPLACE) == 4 * added
        assert added <= 9 * rows * group  # sqrt(m r) times what one row adds


def test_one_row_a_person_is_as_sensitive_as_a_row() -> None:
    for cells, signed, adjacency in product((1, 2, 9), (False, True), Adjacency):
        block = Block("x", power=1, value_max=7, signed=signed)
        person = sensitivity_squared(block, cells, unit_of(1), 5, adjacency)
        assert person == sensitivity_squared(block, cells, RowUnit(kind="row"), 5, adjacency)


def test_leaving_out_rows_of_one_person_moves_nobody_else_in() -> None:
    """What a cap on a table would do: then removing one person's rows lets others' count."""
    mine = spread(9, 3, pay=4)
    others: list[Row] = [{**row, "who": f"p{i}"} for i, row in enumerate(spread(40, 2, pay=-1))]
    question = Sum(kind="sum", column="pay", by=("sex", "area"))
    for keep in ("hashed", FirstBy(first_by="pay")):
        unit = unit_of(2, keep=keep)
        alone, both = sums(question, mine, unit), sums(question, others + mine, unit)
        assert (both - sums(question, others, unit) == alone).all()
