"""Frozen noise, two neighbouring tables: the same course, no integer further than declared (T7).

Every kind of question, with dealer and search, runs whole on both tables. What is compared is all
that others could see but the masked values, what was asked of the table and drawn, and the distance
of what is noised. Rows are hypothesis's, extremes among them; a failure is a fault, never chance.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date
from decimal import Decimal
from itertools import product
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from recorded_release import (
    PERSON,
    QUESTIONS,
    ROW_KEY,
    Integers,
    Moved,
    Recording,
    Row,
    distances,
    record,
    recorded_study,
    rho_of,
)

from mpc.accounting.event import Noise, price
from mpc.columns.model import IdColumn
from mpc.errors import SecretMisuseError
from mpc.plan.model import Plan
from mpc.questions.histogram.declare import Histogram
from mpc.questions.registry import QUESTION_KINDS
from mpc.study.model import FirstBy, PersonUnit, Study
from mpc.table.model import BoundedTable, CellSums
from mpc.testing.table import MemoryTable
from mpc.units import RHO_UNIT, Adjacency

NUMBERS: Any = st.one_of(
    st.none(),
    st.floats(),
    st.integers(-30, 30),
    st.sampled_from([-1, 0, 9, 10, 10**300, -(10**300), "", "x", "1e99", "-0", "NaN", "inf"]),
)
ROWS = st.fixed_dictionaries(
    {
        "low": NUMBERS,
        "pay": NUMBERS,
        "sex": st.sampled_from(["f", "m", "M", "", None]),
        "area": st.sampled_from(["n", "s", "?", "west", "", None]),
        "day": st.sampled_from(["2020-01-01", date(2020, 1, 5), "2019-12-31", "9999-12-31", None]),
    }
)
LOW: Row = {"low": -1, "pay": 0, "sex": "f", "area": "n", "day": "2020-01-02"}
HIGH: Row = {"low": 10, "pay": 9, "sex": "m", "area": "s", "day": "2020-01-05"}
TABLES = [
    (Adjacency.ADD_OR_REMOVE_ONE, 1),
    (Adjacency.ADD_OR_REMOVE_ONE, 3),
    (Adjacency.REPLACE_ONE, 1),
    (Adjacency.REPLACE_ONE, 2),
]


def recording(study: Study, rows: Sequence[Row]) -> Recording:
    return record(study, MemoryTable(rows, study.table, ROW_KEY))


def neighbours(
    study: Study, rows: Sequence[Row], one: Sequence[Row], other: Sequence[Row]
) -> tuple[Sequence[Row], Sequence[Row]]:
    """``rows`` with one person's, and with the other's or, if people come and go, without."""
    if study.privacy.adjacency is Adjacency.REPLACE_ONE:
        return [*rows, *one], [*rows, *other[: len(one)]]
    return [*rows, *one], rows


def beyond(moved: Sequence[Moved]) -> list[str]:
    return [each.question for each in moved if not each.within]


def test_every_kind_of_question_is_recorded() -> None:
    assert {question.kind for question in QUESTIONS.values()} == set(QUESTION_KINDS)


@pytest.mark.parametrize(("adjacency", "rows_max"), TABLES)
@settings(max_examples=12, deadline=None, derandomize=True)
@given(
    rows=st.lists(ROWS, max_size=6),
    one=st.lists(ROWS, min_size=3, max_size=3),
    other=st.lists(ROWS, min_size=3, max_size=3),
)
def test_neighbours_take_the_same_course_and_move_no_further_than_declared(
    adjacency: Adjacency, rows_max: int, rows: list[Row], one: list[Row], other: list[Row]
) -> None:
    check_neighbours(recorded_study(adjacency, rows_max), rows, one[:rows_max], other[:rows_max])


@pytest.mark.parametrize("adjacency", [Adjacency.ADD_OR_REMOVE_ONE, Adjacency.REPLACE_ONE])
@settings(max_examples=12, deadline=None, derandomize=True)
@given(
    rows=st.lists(st.tuples(st.sampled_from(["a", "b", "", None]), ROWS), max_size=6),
    one=st.lists(ROWS, max_size=8),
    other=st.lists(ROWS, max_size=8),
)
def test_persons_with_any_number_of_rows_take_the_same_course_and_move_no_further(
    adjacency: Adjacency, rows: list[tuple[Any, Row]], one: list[Row], other: list[Row]
) -> None:
    """Three rows of a person count, two of them in one group."""
    others = [{**row, "who": who} for who, row in rows]
    mine, theirs = ([{**row, "who": "me"} for row in each] for each in (one, other))
    study = recorded_study(adjacency, person=PERSON)
    replaced = theirs if adjacency is Adjacency.REPLACE_ONE else []
    check_worlds(study, [*others, *mine], [*others, *replaced])


@pytest.mark.long
@pytest.mark.timeout(900)
@pytest.mark.parametrize(("adjacency", "rows_max"), TABLES)
@settings(max_examples=1000, deadline=None)
@given(
    rows=st.lists(ROWS, max_size=20),
    one=st.lists(ROWS, min_size=3, max_size=3),
    other=st.lists(ROWS, min_size=3, max_size=3),
)
def test_a_thousand_neighbours_take_the_same_course_and_move_no_further_than_declared(
    adjacency: Adjacency, rows_max: int, rows: list[Row], one: list[Row], other: list[Row]
) -> None:
    check_neighbours(recorded_study(adjacency, rows_max), rows, one[:rows_max], other[:rows_max])


def check_neighbours(
    study: Study, rows: Sequence[Row], one: Sequence[Row], other: Sequence[Row]
) -> Plan:
    return check_worlds(study, *neighbours(study, rows, one, other))


def check_worlds(study: Study, *tables: Sequence[Row]) -> Plan:
    """Assert what neighbouring tables may differ in; the plan."""
    worlds = [recording(study, rows) for rows in tables]
    assert worlds[0].course == worlds[1].course
    moved = distances(*worlds)
    assert beyond(moved) == []
    assert rho_of(moved) * RHO_UNIT <= price(worlds[0].plan.event)[0]
    return worlds[0].plan


def of_persons(adjacency: Adjacency, rows_max: int, group_rows_max: int) -> Study:
    """The same study with the person as its unit."""
    study = recorded_study(adjacency, 1)
    unit = PersonUnit(
        kind="person", column="who", rows_max=rows_max, group_rows_max=group_rows_max,
        across_parties=False, keep=FirstBy(first_by="day") if rows_max > 1 else "hashed",
    )  # fmt: skip
    columns = {**study.table.columns, "who": IdColumn(type="id")}
    table = study.table.model_copy(update={"unit": unit, "columns": columns})
    return study.model_copy(update={"table": table})


@pytest.mark.parametrize(("adjacency", "caps"), [*product(Adjacency, [(1, 1), (3, 3), (4, 2)])])
@settings(max_examples=5, deadline=None, derandomize=True)
@given(
    rows=st.lists(st.tuples(ROWS, st.sampled_from(["a", "b", None])), max_size=6),
    one=st.lists(ROWS, max_size=8),
    other=st.lists(ROWS, max_size=8),
)
def test_a_person_with_any_number_of_rows_moves_no_further_than_declared(
    adjacency: Adjacency,
    caps: tuple[int, int],
    rows: list[tuple[Row, str | None]],
    one: list[Row],
    other: list[Row],
) -> None:
    study = of_persons(adjacency, *caps)
    mine, others = ([{**row, "who": "me"} for row in each] for each in (one, other))
    rest = [{**row, "who": who} for row, who in rows]
    if adjacency is Adjacency.ADD_OR_REMOVE_ONE:
        others = []
    check_worlds(study, [*rest, *mine], [*rest, *others])


@pytest.mark.parametrize(("adjacency", "rows_max"), TABLES)
def test_equal_rows_of_one_person_at_the_bounds_stay_within_what_is_declared(
    adjacency: Adjacency, rows_max: int
) -> None:
    study = recorded_study(adjacency, rows_max)
    check_neighbours(study, [], [LOW] * rows_max, [HIGH] * rows_max)
    check_neighbours(study, [LOW] * 3, [HIGH] * rows_max, [LOW] * rows_max)


@pytest.mark.parametrize(("adjacency", "rows_max"), TABLES)
def test_noise_that_all_make_together_takes_the_same_course(
    adjacency: Adjacency, rows_max: int
) -> None:
    """Every noise is allowed, and the plan takes the least of each block: dealt ones and joint."""
    study = recorded_study(adjacency, rows_max, tuple(Noise))
    plan = check_neighbours(study, [LOW] * 3, [HIGH] * rows_max, [LOW] * rows_max)
    assert {block.noise for block in plan.event.blocks} >= {Noise.DEALT, Noise.JOINT}


def test_what_is_declared_is_reached() -> None:
    """Measured over declared is 1 for a person at the bounds: no more noise than needed."""
    study = recorded_study(Adjacency.ADD_OR_REMOVE_ONE, 1)
    moved = distances(recording(study, [HIGH]), recording(study, []))
    reached = {each.question for each in moved if each.squared == each.declared}
    assert reached >= {"people", "by_sex", "total", "bins", "areas", "days", "spread"}


class Unclipped(MemoryTable):
    """A planted fault: a value of ten times the bound is summed as it is."""

    def cell_sums(self, asked: tuple[CellSums, ...]) -> tuple[Integers, ...]:
        return tuple(
            sums * 10 if request.term is not None else sums
            for request, sums in zip(asked, super().cell_sums(asked), strict=True)
        )


class OwnCentre(MemoryTable):
    """A planted fault: centred at the rows' own mean instead of a declared point."""

    def cell_sums(self, asked: tuple[CellSums, ...]) -> tuple[Integers, ...]:
        answers = []
        for request, sums in zip(asked, super().cell_sums(asked), strict=True):
            if request.powers == (1,):
                rows = max(1, len(self._rows))
                sums = sums - rows * (sums.sum() // rows)  # noqa: PLW2901
            answers.append(sums)
        return tuple(answers)


@pytest.mark.parametrize(
    ("fault", "one"), [(Unclipped, HIGH), (OwnCentre, LOW)], ids=["no clipping", "own centre"]
)
def test_a_planted_fault_of_the_table_is_caught(fault: type[MemoryTable], one: Row) -> None:
    study = recorded_study(Adjacency.ADD_OR_REMOVE_ONE, 1)
    rows = [{**LOW, "low": 0}] * 40
    for table, caught in ((MemoryTable, False), (fault, True)):
        worlds = [record(study, table(each, study.table)) for each in ([*rows, one], rows)]
        assert ("total" in beyond(distances(*worlds))) is caught


def test_two_rows_of_one_person_where_one_is_declared_are_caught() -> None:
    study = recorded_study(Adjacency.ADD_OR_REMOVE_ONE, 1)
    moved = distances(recording(study, [HIGH, HIGH]), recording(study, []))
    assert {"people", "total", "median"} <= set(beyond(moved))
    assert rho_of(moved) * RHO_UNIT > price(recording(study, []).plan.event)[0]


def test_the_sensitivity_of_the_other_adjacency_is_caught() -> None:
    """People who are replaced, against what holds where they come and go."""
    study = recorded_study(Adjacency.ADD_OR_REMOVE_ONE, 1)
    moved = distances(recording(study, [LOW]), recording(study, [HIGH]))
    assert {"by_sex", "bins", "areas"} <= set(beyond(moved))


def test_bounds_of_two_signs_count_by_the_larger_one() -> None:
    """-1 to 10 in steps of a half: one row adds 2 steps at one end and 20 at the other."""
    study = recorded_study(Adjacency.ADD_OR_REMOVE_ONE, 1)
    for low, squared in ((-1, 4), (10, 400)):
        moved = distances(recording(study, [{**LOW, "low": low}]), recording(study, []))
        (total,) = (each for each in moved if each.question == "total")
        assert (total.squared, total.declared) == (squared, 400)


class Longer:
    """A planted fault: an answer whose shape tells of rows."""

    def __init__(self, table: BoundedTable) -> None:
        self._table = table

    def cell_sums(self, asked: tuple[CellSums, ...]) -> tuple[Integers, ...]:
        return tuple(
            np.concatenate([sums, sums], axis=1) for sums in self._table.cell_sums(asked)
        )  # fmt: skip


def test_an_answer_of_another_shape_is_refused() -> None:
    study = recorded_study(Adjacency.ADD_OR_REMOVE_ONE, 1)
    with pytest.raises(SecretMisuseError, match="shape"):
        record(study, Longer(MemoryTable([LOW], study.table)))


def test_bins_that_follow_the_rows_are_caught() -> None:
    """A planted fault of whoever writes a study: its bins end at the largest value there is."""
    courses = []
    for rows in ([{**LOW, "low": 3}], [{**LOW, "low": 4}]):
        study = recorded_study(Adjacency.REPLACE_ONE, 1)
        edge = Decimal(rows[0]["low"])
        bins = Histogram(kind="histogram", column="low", bins=(Decimal(-1), edge))
        own = study.model_copy(update={"questions": {**QUESTIONS, "bins": bins}})
        courses.append(recording(own, rows).course)
    assert courses[0].asked != courses[1].asked
    assert courses[0].messages != courses[1].messages


@pytest.mark.parametrize(
    "part",
    [
        lambda course: course.asked,
        lambda course: course.draws,
        lambda course: course.messages,
        lambda course: course.released,
    ],
    ids=["asked", "drawn", "said", "left"],
)
def test_the_course_that_is_compared_is_there(part: Callable[[Any], Any]) -> None:
    assert part(recording(recorded_study(Adjacency.REPLACE_ONE, 1), [LOW]).course)
