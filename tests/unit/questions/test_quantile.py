"""Quantiles: the grid, every node's sum, and what the end of a search means."""

from __future__ import annotations

import math
from collections.abc import Sequence
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from released_cells import released_cell

from mpc.columns.model import CategoryColumn, Column, NumberColumn
from mpc.layout import Layout
from mpc.plan.programs import released_plainly
from mpc.questions.local import local_sums
from mpc.questions.quantile.declare import POINTS_MAX, Quantile
from mpc.questions.quantile.decode import decode, rank_reach
from mpc.study.model import RowUnit, Table
from mpc.testing.table import MemoryTable

COLUMNS: dict[str, Column] = {
    "pay": NumberColumn(
        type="number", bounds=(Decimal(-3), Decimal(9)), step=Decimal("0.5"), outside="clip"
    ),
    "wide": NumberColumn(type="number", bounds=(Decimal(0), Decimal(10_000)), step=Decimal(1)),
    "sex": CategoryColumn(type="category", levels=("f", "m")),
}
MEDIAN = Quantile(kind="quantile", column="pay", probability=Decimal("0.5"))


class Asked:
    kind = "quantile"

    def __init__(self, question: Quantile) -> None:
        self.layout: Layout = question.layout(COLUMNS)


def table_of(rows: Sequence[tuple[float | None, str]]) -> MemoryTable:
    declared = Table(name="t", unit=RowUnit(kind="row"), columns=COLUMNS)
    return MemoryTable([{"pay": pay, "wide": pay, "sex": sex} for pay, sex in rows], declared)


def released(question: Quantile, *parties: Sequence[tuple[float | None, str]]) -> list[int]:
    """n of every cell and the index found, of all parties' rows together, without noise."""
    asked = Asked(question)
    totals = [0] * asked.layout.size
    for rows in parties:
        totals = [a + b for a, b in zip(totals, local_sums([asked], table_of(rows)), strict=True)]
    return released_plainly(totals, [asked.layout])


ROWS = st.lists(
    st.tuples(st.one_of(st.none(), st.floats(-5, 12)), st.sampled_from(["f", "m", "?"])),
    max_size=12,
)


@settings(max_examples=200, deadline=None)
@given(
    parties=st.lists(ROWS, min_size=2, max_size=3),
    percent=st.integers(1, 99),
    steps=st.sampled_from(["0.5", "1", "2.5", "5"]),
    grouped=st.booleans(),
)
def test_the_walk_ends_at_the_first_point_with_that_share_of_rows(
    parties: list[list[tuple[float | None, str]]], percent: int, steps: str, grouped: bool
) -> None:
    question = Quantile(
        kind="quantile", column="pay", probability=Decimal(percent) / 100, step=Decimal(steps),
        by=("sex",) if grouped else (),
    )  # fmt: skip
    search = question.layout(COLUMNS).search
    assert search is not None
    found = released(question, *parties)
    groups = ("f", "m") if grouped else (None,)
    for place, group in enumerate(groups):
        steps_of = [
            max(-6, min(18, round(Fraction(pay) / Fraction(1, 2))))
            for rows in parties
            for pay, sex in rows
            if pay is not None and (group is None or sex == group)
        ]
        assert found[place] == len(steps_of)
        first = next(
            index
            for index in range(search.points)
            if sum(step <= search.point(index) for step in steps_of) * 100
            >= percent * len(steps_of)
        )
        assert found[len(groups) + place] == first


def test_points_run_from_bound_to_bound_and_the_last_is_the_upper_bound() -> None:
    question = MEDIAN.model_copy(update={"step": Decimal(5)})
    search = question.layout(COLUMNS).search
    assert search is not None
    assert [search.point(index) for index in range(search.points)] == [-6, 4, 14, 18]
    assert search.axis.edges == (-6, -5, 5, 15, 19)
    assert search.levels == 2
    assert search.point(7) == 18


@pytest.mark.parametrize(
    ("asked", "path", "said"),
    [
        ({"step": Decimal("0.7")}, "step", "grid"),
        ({"step": Decimal(13), "column": "pay"}, "", ""),
        ({"step": Decimal("1e30")}, "step", "grid"),
        ({"step": Decimal("1e999999")}, "step", "grid"),
        ({"column": "sex"}, "column", "of type number"),
        ({"column": "none"}, "column", "no column"),
        ({"column": "wide"}, "step", f"at most {POINTS_MAX}"),
        ({"by": ("pay",)}, "by.0", "categories"),
    ],
)
def test_a_quantile_is_asked_of_a_number_on_its_grid(
    asked: dict[str, object], path: str, said: str
) -> None:
    question = MEDIAN.model_copy(update=asked)
    complaints = question.complaints(COLUMNS)
    assert [complaint.path for complaint in complaints] == ([path] if path else [])
    assert all(said in f"{each.what} {each.allowed}" for each in complaints)


def test_too_many_points_are_answered_by_the_least_step_that_is_taken() -> None:
    question = MEDIAN.model_copy(update={"column": "wide"})
    (complaint,) = question.complaints(COLUMNS)
    assert complaint.allowed == f"at most {POINTS_MAX}: step: 3 or a larger multiple of 1"
    assert question.model_copy(update={"step": Decimal(3)}).complaints(COLUMNS) == ()
    assert question.model_copy(update={"step": Decimal(2)}).complaints(COLUMNS) != ()


@pytest.mark.parametrize(
    "probability", ["0", "1", "-0.5", "1.5", "0.12345", f"0.5{'0' * 40}1", "NaN"]
)
def test_a_probability_lies_strictly_between_0_and_1_with_four_decimals(probability: str) -> None:
    with pytest.raises(ValidationError):
        Quantile(kind="quantile", column="pay", probability=Decimal(probability))


def test_the_answer_says_how_far_the_rank_may_be_off() -> None:
    variance = Fraction(10_000)
    cell = released_cell((10_000, 8), (variance, variance))
    found, rank, rows = decode(MEDIAN, COLUMNS, cell)
    assert (found.value, found.exact, found.low, found.high) == (1, "1", None, None)
    reach = math.sqrt(2 * math.log(2 * 5 / 0.025)) * 100 / 2
    assert rank.value == 0.5
    assert rank.low == pytest.approx(0.5 - reach / (10_000 - 196))
    assert rank.high == pytest.approx(0.5 + reach / (10_000 - 196))
    assert rows.value == 10_000


@settings(max_examples=200, deadline=None)
@given(data=st.data(), percent=st.integers(1, 99), step=st.sampled_from(["0.5", "2.5", "5"]))
def test_noise_within_its_reach_leaves_the_rank_within_the_stated_bounds(
    data: st.DataObject, percent: int, step: str
) -> None:
    """Rows lie between points of the grid too: those below the point found may be all of them."""
    question = MEDIAN.model_copy(
        update={"probability": Decimal(percent) / 100, "step": Decimal(step)}
    )
    search = question.layout(COLUMNS).search
    assert search is not None
    pay = data.draw(st.lists(st.integers(-6, 18), min_size=1, max_size=400))
    variance = Fraction(data.draw(st.integers(1, 10_000)))
    reach = int(rank_reach(search.levels, variance))
    sums = local_sums([Asked(question)], table_of([(each / 2, "f") for each in pay]))
    noises = st.lists(st.integers(-reach, reach), min_size=len(sums) - 1, max_size=len(sums) - 1)
    noised = [a + b for a, b in zip(sums, [0, *data.draw(noises)], strict=True)]
    count, index = released_plainly(noised, [question.layout(COLUMNS)])
    cell = released_cell((count, index), (Fraction(1, 100), variance))
    rank = decode(question, COLUMNS, cell)[1]
    assert rank.low is not None
    assert rank.high is not None
    assert sum(each <= search.point(index) for each in pay) >= rank.low * len(pay) - 1e-6
    if index:
        before = sum(each <= search.point(index - 1) for each in pay)
        assert before <= rank.high * len(pay) + 1e-6


def test_all_rows_may_lie_below_the_point_found_and_above_the_one_before() -> None:
    question = MEDIAN.model_copy(update={"step": Decimal(5)})
    search = question.layout(COLUMNS).search
    assert search is not None
    rows = [(1.0, "f")] * 9
    _, index = released(question, rows)
    assert search.point(index - 1) < 2 < search.point(index)


@pytest.mark.parametrize("levels", [1, 5, 12])
def test_walk_and_count_together_miss_their_bounds_in_5_percent_at_most(levels: int) -> None:
    """Sub-Gaussian tails of each level's noise, and the upper tail of the count's interval."""
    reach = rank_reach(levels, Fraction(7))
    walk = levels * 2 * math.exp(-(reach**2) / (2 * 7))
    assert walk + 0.025 <= 0.05 + 1e-12


def test_a_quantile_of_no_rows_is_null_with_its_reason() -> None:
    cell = released_cell((0, 3), (Fraction(4), Fraction(4)))
    found, rank, rows = decode(MEDIAN, COLUMNS, cell)
    assert (found.value, rank.value, rows.value) == (None, None, 0)
    assert "count" in found.reason
