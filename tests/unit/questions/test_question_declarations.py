"""What each kind releases, and what it refuses of columns."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest
from pydantic import TypeAdapter, ValidationError

from mpc.columns.model import CategoryColumn, Column, DateColumn, NumberColumn
from mpc.layout import CELLS_MAX
from mpc.questions.count.declare import Count
from mpc.questions.histogram.declare import Histogram
from mpc.questions.mean.declare import Mean
from mpc.questions.registry import QUESTION_KINDS, Question
from mpc.questions.sum.declare import Sum
from mpc.questions.variance.declare import Variance

AGE = NumberColumn(type="number", bounds=(Decimal(-3), Decimal("7.5")), step=Decimal("0.5"))
PAY = NumberColumn(type="number", bounds=(Decimal(0), Decimal(100)), step=Decimal("0.01"))
SEX = CategoryColumn(type="category", levels=("f", "m"))
DAY = DateColumn(type="date", bounds=(date(2020, 1, 1), date(2020, 12, 31)))
COLUMNS: dict[str, Column] = {"age": AGE, "pay": PAY, "sex": SEX, "day": DAY}


def test_every_kind_is_told_by_its_word_and_no_other_is_accepted() -> None:
    adapter: TypeAdapter[Question] = TypeAdapter(Question)
    extra: dict[str, dict[str, object]] = {
        "sum": {"column": "pay"}, "mean": {"column": "pay"}, "variance": {"column": "pay"},
        "histogram": {"column": "sex"},
        "quantile": {"column": "pay", "probability": Decimal("0.5")},
    }  # fmt: skip
    for kind in QUESTION_KINDS:
        assert adapter.validate_python({"kind": kind, **extra.get(kind, {})}).kind == kind
    with pytest.raises(ValidationError):
        adapter.validate_python({"kind": "median", "column": "pay"})
    with pytest.raises(ValidationError):
        adapter.validate_python({"kind": "count", "column": "pay"})


def test_blocks_bound_what_one_row_can_add() -> None:
    assert [(b.value_max, b.signed) for b in Count(kind="count").layout(COLUMNS).blocks] == [
        (1, False)
    ]
    assert [
        (b.value_max, b.signed) for b in Sum(kind="sum", column="age").layout(COLUMNS).blocks
    ] == [(15, True)]
    assert [
        (b.value_max, b.signed) for b in Sum(kind="sum", column="pay").layout(COLUMNS).blocks
    ] == [(10_000, False)]
    mean = Mean(kind="mean", column="age").layout(COLUMNS)  # steps -6 … 15: centre 4, h 11
    assert mean.term is not None
    assert mean.term.centre == 4
    assert [(b.name, b.value_max, b.signed) for b in mean.blocks] == [
        ("n", 1, False), ("s1", 11, True),
    ]  # fmt: skip
    variance = Variance(kind="variance", column="age").layout(COLUMNS)
    assert [(b.power, b.value_max, b.signed) for b in variance.blocks] == [
        (0, 1, False), (1, 11, True), (2, 121, False),
    ]  # fmt: skip


def test_cells_are_all_levels_and_bins_in_declared_order() -> None:
    bins = (Decimal(-3), Decimal(0), Decimal("7.5"))
    layout = Histogram(kind="histogram", column="age", bins=bins, by=("sex",)).layout(COLUMNS)
    assert layout.shape == (2, 2)
    assert layout.axes[1].labels == ("[-3, 0)", "[0, 7.5]")
    assert layout.axes[1].edges == (-6, 0, 15)
    days = Histogram(kind="histogram", column="day", bins=(date(2020, 1, 1), date(2020, 7, 1)))
    assert days.layout(COLUMNS).axes[0].labels == ("[2020-01-01, 2020-07-01]",)
    assert days.layout(COLUMNS).axes[0].edges == (18262, 18444)


@pytest.mark.parametrize(
    ("question", "paths"),
    [
        (Count(kind="count", by=("age", "nix")), ["by.0", "by.1"]),
        (Sum(kind="sum", column="sex"), ["column"]),
        (Sum(kind="sum", column="day"), ["column"]),
        (Mean(kind="mean", column="nix", by=("sex",)), ["column"]),
        (Variance(kind="variance", column="nix", by=("day",)), ["column", "by.0"]),
        (Histogram(kind="histogram", column="pay"), ["bins"]),
        (Histogram(kind="histogram", column="sex", by=("sex",)), ["by"]),
        (Histogram(kind="histogram", column="sex", bins=(Decimal(0), Decimal(1))), ["bins"]),
        (
            Histogram(
                kind="histogram", column="age",
                bins=(Decimal(-4), Decimal("0.3"), date(2020, 1, 1), Decimal(1), Decimal(1)),
            ),
            ["bins.0", "bins.1", "bins.2", "bins.4"],
        ),
        (
            Histogram(
                kind="histogram", column="age", bins=(Decimal("1E-900000"), Decimal("1E+99"))
            ),
            ["bins.0", "bins.1"],
        ),
    ],
)  # fmt: skip
def test_misfits_are_all_named_by_their_field(question: Question, paths: list[str]) -> None:
    assert [complaint.path for complaint in question.complaints(COLUMNS)] == paths
    assert all(complaint.allowed for complaint in question.complaints(COLUMNS))


def test_more_cells_than_can_be_released_are_refused() -> None:
    wide = CategoryColumn(type="category", levels=tuple(f"l{i}" for i in range(101)))
    columns: dict[str, Column] = {"one": wide, "two": wide}
    (complaint,) = Count(kind="count", by=("one", "two")).complaints(columns)
    assert str(101 * 101) in complaint.what
    assert str(CELLS_MAX) in complaint.allowed
    (again,) = Histogram(kind="histogram", column="one", by=("two",)).complaints(columns)
    assert again.path == "bins"


def test_weight_and_rho_exclude_each_other_and_have_limits() -> None:
    for wrong in (
        {"weight": Decimal(1), "rho": Decimal("0.1")},
        {"weight": Decimal(0)},
        {"weight": Decimal("NaN")},
        {"weight": 1.5},
        {"rho": Decimal("1E-13")},
        {"rho": Decimal("Infinity")},
        {"by": ("sex", "sex")},
        {"by": ("a", "b", "c")},
    ):
        with pytest.raises(ValidationError):
            Count.model_validate({"kind": "count", **wrong})
