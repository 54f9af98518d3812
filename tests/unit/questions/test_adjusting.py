"""Answers that agree: margins with cells, quantiles in order, no count below 0; raw ones kept."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from released_cells import released_cell

from mpc.columns.model import CategoryColumn, Column, NumberColumn, UseLevel, UseValue
from mpc.layout import Axis
from mpc.questions.adjusting import adjusted
from mpc.questions.answer import Answer, Cell
from mpc.questions.count.declare import Count
from mpc.questions.decoding import decode_cell
from mpc.questions.histogram.declare import Histogram
from mpc.questions.isotonic import rising
from mpc.questions.margins import CountedTable, agreeing, nearest_not_negative
from mpc.questions.quantile.declare import Quantile
from mpc.questions.registry import Question

A, B = Axis("a", ("x", "y")), Axis("b", ("p", "q", "r"))
C = Axis("c", ("[0, 5)", "[5, 9]"), (0, 5, 9))
EVERY = frozenset({A, B, C})


def least_squares(axes: tuple[Axis, ...], tables: list[CountedTable]) -> list[float]:
    """The cells over ``axes`` by a dense solver."""
    cells = list(product(*(range(len(axis.labels)) for axis in axes)))
    rows, wanted = [], []
    for table in tables:
        places = [axes.index(axis) for axis in table.axes]
        root = float(table.variance) ** 0.5
        for index, count in zip(table.indices(), table.counts, strict=True):
            rows.append(
                [(tuple(cell[place] for place in places) == index) / root for cell in cells]
            )
            wanted.append(count / root)
    found, *_ = np.linalg.lstsq(np.array(rows), np.array(wanted), rcond=None)
    return [float(value) for value in found]


def table(axes: tuple[Axis, ...], counts: list[int], variance: int) -> CountedTable:
    return CountedTable(axes, tuple(counts), Fraction(variance))


def summed(axes: tuple[Axis, ...], cells: CountedTable, off: list[int]) -> list[int]:
    """The margin of ``cells`` over ``axes``, each count off by some."""
    places = [cells.axes.index(axis) for axis in axes]
    sums: dict[tuple[int, ...], int] = {}
    for index, count in zip(cells.indices(), cells.counts, strict=True):
        kept = tuple(index[place] for place in places)
        sums[kept] = sums.get(kept, 0) + count
    wanted = table(axes, [0], 1).indices()
    return [sums[index] + error for index, error in zip(wanted, off, strict=False)]


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.integers(200, 300), min_size=12, max_size=12),
    st.lists(st.integers(-30, 30), min_size=6, max_size=6),
    st.integers(1, 50),
)
def test_margins_and_cells_agree_as_weighted_least_squares_has_them(
    counts: list[int], off: list[int], variance: int
) -> None:
    finest = table((B, A, C), counts, 7)
    asked = [((A, B), variance), ((C,), 3), ((), 2), ((C, A), 11)]
    margins = [table(axes, summed(axes, finest, off), each) for axes, each in asked]
    tables = [finest, *margins]
    found = agreeing(tables, EVERY)
    assert [float(each) for each in found[0]] == pytest.approx(
        least_squares((B, A, C), tables), abs=1e-6
    )
    cells = dict(zip(tables[0].indices(), found[0], strict=True))
    for other, values in zip(tables[1:], found[1:], strict=True):
        places = [(B, A, C).index(axis) for axis in other.axes]
        for index, value in zip(other.indices(), values, strict=True):
            assert value == sum(
                count
                for cell, count in cells.items()
                if tuple(cell[place] for place in places) == index
            )


def test_tables_that_leave_rows_out_in_different_ways_are_not_made_to_agree() -> None:
    tables = [table((A, B), [10, 20, 30, 40, 50, 60], 4), table((A,), [90, 200], 4)]
    assert agreeing(tables, EVERY)[1] != (90, 200)
    assert agreeing(tables, frozenset({A, C})) == ((10, 20, 30, 40, 50, 60), (90, 200))


@settings(max_examples=200, deadline=None)
@given(st.lists(st.integers(-50, 50), min_size=1, max_size=12))
def test_counts_raised_to_0_keep_their_total_and_are_the_nearest(counts: list[int]) -> None:
    values = tuple(map(Fraction, counts))
    found = nearest_not_negative(values)
    assert min(found) >= 0
    assert sum(found) == max(0, sum(counts))
    if min(counts) >= 0:
        assert found == values
    if sum(counts) > 0:  # the conditions of Karush, Kuhn and Tucker: one number off all that stay
        off = {value - kept for value, kept in zip(values, found, strict=True) if kept}
        assert len(off) == 1
        assert all(v <= max(off) for v, kept in zip(values, found, strict=True) if not kept)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.integers(-9, 9), min_size=1, max_size=9))
def test_rising_numbers_are_the_means_that_never_fall(values: list[int]) -> None:
    found = rising(list(map(Fraction, values)))
    assert list(found) == sorted(found)
    assert sum(found) == sum(values)
    expected = [  # the max-min formula
        max(
            min(Fraction(sum(values[i : k + 1]), k + 1 - i) for k in range(j, len(values)))
            for i in range(j + 1)
        )
        for j in range(len(values))
    ]
    assert list(found) == expected


COLUMNS: dict[str, Column] = {
    "sex": CategoryColumn(
        type="category",
        levels=("f", "m"),
        missing=UseLevel(level="m"),
        unknown_level="missing",
    ),
    "open": CategoryColumn(type="category", levels=("f", "m")),
    "days": NumberColumn(
        type="number", bounds=(Decimal(0), Decimal(30)), missing=UseValue(value=Decimal(0))
    ),
    "pay": NumberColumn(type="number", bounds=(Decimal(0), Decimal(100)), step=Decimal("0.5")),
}


def answer(name: str, question: Question, integers: list[tuple[int, ...]]) -> Answer:
    axes = question.layout(COLUMNS).axes
    labels = product(*([(axis.column, label) for label in axis.labels] for axis in axes))
    cells = tuple(
        Cell(label, decode_cell(question, COLUMNS, released_cell(each, [Fraction(4)] * len(each))))
        for label, each in zip(labels, integers, strict=True)
    )
    return Answer(name, question.kind, cells)


def adjusted_of(
    questions: dict[str, tuple[Question, list[tuple[int, ...]]]], same_rows: bool = True
) -> dict[str, list[float | None]]:
    answers = [answer(name, *asked) for name, asked in questions.items()]
    declared = {name: question for name, (question, _) in questions.items()}
    variances = dict.fromkeys(questions, Fraction(4))
    found = adjusted(declared, COLUMNS, answers, variances, same_rows=same_rows)
    for before, after in zip(answers, found, strict=True):
        for left, right in zip(before.cells, after.cells, strict=True):
            assert left.estimates[0].value == right.estimates[0].value
            assert left.estimates[0].low == right.estimates[0].low
    return {each.question: [cell.estimates[0].adjusted for cell in each.cells] for each in found}


def test_a_total_and_its_cells_agree_where_every_row_has_a_cell() -> None:
    bins = (Decimal(0), Decimal(10), Decimal(30))
    found = adjusted_of(
        {
            "all": (Count(kind="count"), [(106,)]),
            "by_sex": (Count(kind="count", by=("sex",)), [(40,), (60,)]),
            "days": (Histogram(kind="histogram", column="days", bins=bins), [(50,), (50,)]),
            "open": (Count(kind="count", by=("open",)), [(40,), (60,)]),
        }
    )
    assert found["all"] == [pytest.approx(104)]
    assert found["by_sex"] == [pytest.approx(42), pytest.approx(62)]
    assert found["days"] == [None, None]  # in no common table with the others
    assert found["open"] == [None, None]  # leaves rows out


def test_where_a_persons_rows_are_limited_in_each_group_totals_are_of_other_rows() -> None:
    questions: dict[str, tuple[Question, list[tuple[int, ...]]]] = {
        "all": (Count(kind="count"), [(106,)]),
        "by_sex": (Count(kind="count", by=("sex",)), [(40,), (60,)]),
    }
    assert adjusted_of(questions)["all"] != [None]
    assert adjusted_of(questions, same_rows=False) == {"all": [None], "by_sex": [None, None]}


def test_a_histogram_short_of_the_bounds_is_no_total_of_anything() -> None:
    bins = (Decimal(0), Decimal(10), Decimal(29))
    found = adjusted_of(
        {
            "all": (Count(kind="count"), [(106,)]),
            "days": (Histogram(kind="histogram", column="days", bins=bins), [(50,), (50,)]),
        }
    )
    assert found == {"all": [None], "days": [None, None]}


def test_counts_below_0_are_raised_beside_the_raw_ones() -> None:
    found = adjusted_of(
        {
            "open": (Count(kind="count", by=("open",)), [(-4,), (60,)]),
            "all": (Count(kind="count"), [(-3,)]),
        }
    )
    assert found == {"open": [0, 56], "all": [0]}


def test_quantiles_of_one_column_rise_with_their_probability() -> None:
    def asked(probability: str, *by: str) -> Quantile:
        return Quantile(kind="quantile", column="pay", probability=Decimal(probability), by=by)

    found = adjusted_of(
        {
            "upper": (asked("0.75"), [(100, 80)]),
            "median": (asked("0.5"), [(100, 90)]),
            "lower": (asked("0.25"), [(100, 20)]),
            "other": (asked("0.1", "open"), [(100, 100), (100, 3)]),
        }
    )
    assert found == {"upper": [42.5], "median": [42.5], "lower": [None], "other": [None, None]}
    lacking = adjusted_of(
        {"upper": (asked("0.75"), [(0, 80)]), "median": (asked("0.5"), [(100, 90)])}
    )
    assert lacking == {"upper": [None], "median": [None]}
