"""Local sums by the declared rules, and how far one row can move them."""

from __future__ import annotations

import math
from datetime import date
from decimal import Decimal
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from recorded_release import looked_at_squared

from mpc.columns.model import (
    CategoryColumn,
    Column,
    DateColumn,
    NumberColumn,
    UseLevel,
    UseValue,
)
from mpc.errors import SecretMisuseError
from mpc.plan.budget import sensitivity_squared
from mpc.questions.count.declare import Count
from mpc.questions.histogram.declare import Histogram
from mpc.questions.local import local_sums
from mpc.questions.mean.declare import Mean
from mpc.questions.quantile.declare import Quantile
from mpc.questions.registry import Question
from mpc.questions.sum.declare import Sum
from mpc.questions.variance.declare import Variance
from mpc.study.model import RowUnit, Table
from mpc.table.model import CellSums
from mpc.testing.table import MemoryTable, Raw, bound_cell
from mpc.units import Adjacency

ROW = RowUnit(kind="row")
COLUMNS: dict[str, Column] = {
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
QUESTIONS: list[Question] = [
    Count(kind="count"),
    Count(kind="count", by=("sex", "area")),
    Sum(kind="sum", column="low"),
    Sum(kind="sum", column="pay", by=("sex",)),
    Mean(kind="mean", column="low", by=("area",)),
    Mean(kind="mean", column="pay"),
    Variance(kind="variance", column="low"),
    Variance(kind="variance", column="pay", by=("sex", "area")),
    Histogram(kind="histogram", column="low", bins=(Decimal(-1), Decimal(0), Decimal(5))),
    Histogram(kind="histogram", column="area", by=("sex",)),
    Histogram(kind="histogram", column="day", bins=(date(2020, 1, 2), date(2020, 1, 5))),
    Quantile(kind="quantile", column="low", probability=Decimal("0.5")),
    Quantile(kind="quantile", column="pay", probability=Decimal("0.9"), by=("sex",)),
]


class Asked:
    def __init__(self, question: Question) -> None:
        self.kind = question.kind
        self.layout = question.layout(COLUMNS)


def table(rows: list[dict[str, Raw]], where: str = "") -> MemoryTable:
    declared = Table(name="t", unit=RowUnit(kind="row"), columns=COLUMNS, where=where)
    return MemoryTable(rows, declared)


def sums(question: Question, rows: list[dict[str, Raw]], where: str = "") -> list[int]:
    return local_sums([Asked(question)], table(rows, where))


NUMBERS: Any = st.one_of(
    st.none(),
    st.floats(),
    st.integers(-30, 30),
    st.sampled_from(["", " ", "x", "1e1", "-0", "NaN"]),
)
ROWS = st.fixed_dictionaries(
    {
        "low": NUMBERS,
        "pay": NUMBERS,
        "sex": st.sampled_from(["f", "m", "M", "", None]),
        "area": st.sampled_from(["n", "s", "?", "west", "", None]),
        "day": st.sampled_from(
            ["2020-01-01", date(2020, 1, 5), "2020-01-09", "2019-12-31", "", None]
        ),
    }
)


@settings(max_examples=150, deadline=None)
@given(rows=st.lists(ROWS, max_size=6), one=ROWS, other=ROWS, where=st.sampled_from(
    ["", "low > 2", "sex is missing", "not (pay between 2 and 5)"]))  # fmt: skip
def test_neighbouring_tables_never_differ_by_more_than_the_sensitivity(
    rows: list[dict[str, Raw]], one: dict[str, Raw], other: dict[str, Raw], where: str
) -> None:
    for question in QUESTIONS:
        layout = question.layout(COLUMNS)
        base, with_one, with_other = (
            np.array(sums(question, rows + more, where), dtype=object)
            for more in ([], [one], [other])
        )
        start = 0
        for block in layout.blocks:
            part = slice(start, start + layout.cells * block.nodes)
            start = part.stop
            added = looked_at_squared((with_one - base)[part], block.nodes)
            replaced = looked_at_squared((with_one - with_other)[part], block.nodes)
            one_added, one_replaced = (
                sensitivity_squared(block, layout.cells, ROW, 1, adjacency)
                for adjacency in (Adjacency.ADD_OR_REMOVE_ONE, Adjacency.REPLACE_ONE)
            )
            assert added <= one_added
            everything = int(((with_one - base)[part] ** 2).sum())  # as dealer and party read it
            assert everything <= one_added * block.nodes
            assert replaced <= one_replaced


def test_replacing_one_row_reaches_the_stated_sensitivity() -> None:
    low: dict[str, Raw] = {"low": -1, "pay": 0, "sex": "f", "area": "n", "day": "2020-01-02"}
    high: dict[str, Raw] = {"low": 10, "pay": 9, "sex": "m", "area": "s", "day": "2020-01-05"}
    for question, block, expected in (
        (QUESTIONS[0], 0, 0),  # both rows count once: replacing changes nothing
        (QUESTIONS[1], 0, 2),  # one cell loses a row, another gains it
        (QUESTIONS[4], 1, 2 * 11**2),  # two cells by h; the bound, 4 h^2, allows for one cell
        (QUESTIONS[6], 1, (2 * 11) ** 2),  # one cell from -h to h; steps -2 to 20, h = 11
        (QUESTIONS[9], 0, 2),
    ):
        layout = question.layout(COLUMNS)
        part = slice(block * layout.cells, (block + 1) * layout.cells)
        moved = np.array(sums(question, [low]), dtype=object) - sums(question, [high])
        assert int((moved[part] ** 2).sum()) == expected
        assert expected <= sensitivity_squared(
            layout.blocks[block], layout.cells, ROW, 1, Adjacency.REPLACE_ONE
        )


@pytest.mark.parametrize("rows_max", [1, 3])
def test_several_rows_of_one_unit_stay_within_its_sensitivity(rows_max: int) -> None:
    rows: list[dict[str, Raw]] = [{"low": 10, "sex": "f"}] * rows_max
    question = Sum(kind="sum", column="low", by=("sex",))
    block = question.layout(COLUMNS).blocks[0]
    moved = sum(value**2 for value in sums(question, rows))
    assert moved == sensitivity_squared(
        block, 2, RowUnit(kind="row", rows_max=rows_max), 1, Adjacency.ADD_OR_REMOVE_ONE
    )
    assert moved * 4 == sensitivity_squared(
        block, 2, RowUnit(kind="row", rows_max=rows_max), 1, Adjacency.REPLACE_ONE
    )


def test_every_odd_cell_becomes_what_its_rule_says() -> None:
    low, pay, sex, area, day = (COLUMNS[name] for name in ("low", "pay", "sex", "area", "day"))
    for cell in (
        None,
        "",
        "  ",
        "x",
        "1,5",
        "nan",
        math.nan,
        math.inf,
        -math.inf,
        Decimal("NaN"),
        True,
    ):
        assert bound_cell(cell, low) is None
        assert bound_cell(cell, pay) == 4
    assert [bound_cell(c, low) for c in (99, "-1e9", 0.25, 0.75, " 2.6 ", Decimal("9.8"))] == [
        20, -2, 0, 2, 5, 20,
    ]  # fmt: skip
    assert [bound_cell(c, pay) for c in (9.4, -0.1, 9, "8.5", 2.5)] == [None, None, 9, 8, 2]
    assert [bound_cell(c, sex) for c in ("f", "F", "", None, " f")] == ["f", None, None, None, "f"]
    assert [bound_cell(c, area) for c in ("n", "west", None)] == ["n", "?", "?"]
    assert bound_cell("2020-01-09", day) == bound_cell(date(2020, 1, 9), day) == 18270
    assert [bound_cell(c, day) for c in ("2020-01-10", "20200101", 5, None)] == [None] * 4


def test_excluded_rows_count_for_questions_that_do_not_use_the_column() -> None:
    rows: list[dict[str, Raw]] = [{"low": None, "sex": "f"}, {"low": 3, "sex": ""}]
    assert sums(Count(kind="count"), rows) == [2]
    assert sums(Count(kind="count", by=("sex",)), rows) == [1, 0]
    assert sums(Mean(kind="mean", column="low"), rows) == [1, 6 - 9]


def test_last_bin_is_closed_above_and_rows_outside_are_in_none() -> None:
    rows: list[dict[str, Raw]] = [{"low": x} for x in (-1, -0.5, 0, 4.5, 5, 5.5, 10, None)]
    assert sums(QUESTIONS[8], rows) == [2, 3]


def test_empty_tables_give_zeros_of_the_full_shape() -> None:
    integers = local_sums([Asked(question) for question in QUESTIONS], table([]))
    assert integers == [0] * sum(q.layout(COLUMNS).size for q in QUESTIONS)


def test_order_of_rows_does_not_matter() -> None:
    rows: list[dict[str, Raw]] = [{"low": x / 7, "sex": "fm"[x % 2]} for x in range(70)]
    for question in QUESTIONS:
        assert sums(question, rows) == sums(question, rows[::-1])


def test_a_table_that_answers_with_another_shape_is_refused() -> None:
    class Broken:
        def cell_sums(self, asked: tuple[CellSums, ...]) -> tuple[NDArray[np.object_], ...]:
            return tuple(np.zeros((1, 7), dtype=object) for _ in asked)

    with pytest.raises(SecretMisuseError):
        local_sums([Asked(QUESTIONS[0])], Broken())
