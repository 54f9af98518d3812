"""The filter: what it means, and what it refuses."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mpc.columns.model import CategoryColumn, Column, DateColumn, NumberColumn
from mpc.errors import StudyFaults
from mpc.study.where import (
    Always,
    And,
    Compare,
    IsMissing,
    Node,
    Not,
    OneOf,
    Or,
    column_names,
    evaluate,
    parse_where,
    read_where,
)

COLUMNS: dict[str, Column] = {
    "age": NumberColumn(type="number", bounds=(Decimal(0), Decimal(10)), step=Decimal("0.5")),
    "sex": CategoryColumn(type="category", levels=("f", "m", "o'x")),
    "day": DateColumn(type="date", bounds=(date(2020, 1, 1), date(2020, 12, 31))),
    "missing": NumberColumn(type="number", bounds=(Decimal(-5), Decimal(5))),
}
AGES = [None, *range(21)]


def passing_ages(text: str) -> list[int | None]:
    node = parse_where(text, COLUMNS)
    return [age for age in AGES if evaluate(node, {"age": age})]


def test_an_empty_filter_takes_every_row() -> None:
    assert parse_where("", COLUMNS) == parse_where(" \n", COLUMNS) == Always()
    assert passing_ages("") == AGES


def test_literals_become_steps_days_and_levels() -> None:
    text = "age >= 3.25 and day = '1970-01-02' and sex in ('f', 'o''x')"
    assert parse_where(text, COLUMNS) == And(
        (
            Compare("age", ">=", Fraction(13, 2)),
            Compare("day", "=", 1),
            OneOf("sex", ("f", "o'x")),
        )
    )


def test_literals_off_the_grid_are_compared_exactly() -> None:
    assert passing_ages("age > 3.25 and age < 4.1") == [7, 8]
    assert passing_ages("age = 3.25") == []
    assert passing_ages("age != 3.25") == AGES[1:]


@pytest.mark.parametrize(
    "text",
    ["age = 3", "age != 3", "age < 3", "age <= 30", "age > -3", "age >= 3", "age in (1, 3)",
     "age not in (1, 3)", "age between 0 and 99", "age not between 1 and 2", "age is not missing"],
)  # fmt: skip
def test_no_condition_but_is_missing_holds_on_a_missing_cell(text: str) -> None:
    assert None not in passing_ages(text)
    assert None in passing_ages(f"not ({text})")


def test_not_is_the_plain_opposite() -> None:
    assert passing_ages("not age = 3") == [age for age in AGES if age != 6]
    assert passing_ages("age is missing") == [None]
    assert passing_ages("not not age is missing") == [None]


def test_between_has_both_ends_and_binds_tighter_than_and() -> None:
    assert passing_ages("age between 1 and 2 and age != 1.5") == [2, 4]
    assert passing_ages("age not between 0.5 and 9.5") == [0, 20]


def test_and_binds_tighter_than_or_and_parentheses_before_both() -> None:
    assert passing_ages("age = 1 or age = 2 and age = 3") == [2]
    assert passing_ages("(age = 1 or age = 2) and age != 1") == [4]


def test_words_may_be_capitals_and_column_names_may_be_words_of_the_grammar() -> None:
    assert parse_where("missing IS NOT MISSING AND missing > 0", COLUMNS) == And(
        (Not(IsMissing("missing")), Compare("missing", ">", Fraction(0)))
    )


def test_column_names_are_told_once_each_in_order() -> None:
    node = parse_where("not (sex = 'f') or age > 1 and sex is missing", COLUMNS)
    assert column_names(node) == ("sex", "age")
    assert column_names(Always()) == ()


@pytest.mark.parametrize(
    ("text", "column", "what"),
    [
        ("age >", 6, "the end of the filter"),
        ("age 3", 5, "'3' does not fit"),
        ("age > 3 age", 9, "'age' does not fit"),
        ("age > 3)", 8, "')' does not fit"),
        ("(age > 3", 9, "the end of the filter"),
        ("age == 3", 5, "=="),
        ("age <> 3", 5, "<>"),
        ("age = 3; drop table x", 8, ";"),
        ("age = 3 -- x", 9, "--"),
        ('sex = "f"', 7, '"'),
        ("sex = f", 7, "'f' is no literal"),
        ("sex = 'f", 7, "without a closing quote"),
        ("age is null", 8, "'null' does not fit"),
        ("age > 1e5", 7, "'1e5' has no meaning"),
        ("age > 3 && age < 4", 9, "&&"),
        ("and age > 3", 1, "'and' does not fit"),
        ("age in ()", 9, "')' does not fit"),
        ("age in (1,)", 11, "')' does not fit"),
        ("age not > 3", 9, "'>' does not fit"),
        ("lower(sex) = 'f'", 6, "'(' does not fit"),
        ("(" * 60, 51, "too deeply nested"),
        ("not " * 60, 201, "too deeply nested"),
        ("age > 3 and\n  é = 1", 3, "has no meaning here"),
    ],
)
def test_what_is_outside_the_grammar_is_a_syntax_fault_with_its_column(
    text: str, column: int, what: str
) -> None:
    columns = dict(COLUMNS)
    columns["lower"] = COLUMNS["age"]
    with pytest.raises(StudyFaults) as caught:
        parse_where(text, columns)
    fault = caught.value.faults[-1]
    assert (fault.code, fault.column) == ("PLY-S050", column)
    assert what in fault.what
    assert fault.allowed


def test_every_misfit_with_the_columns_is_told_at_once() -> None:
    text = "agee > 1 and sex = 'g' and age = 'x' and day > 3 and sex < 'f' and age between 2 and 1"
    _, faults = read_where(text, COLUMNS)
    assert [text[fault.offset :].split(maxsplit=1)[0] for fault in faults] == [
        "agee", "'g'", "'x'", "3", "<", "between",
    ]  # fmt: skip
    assert not any(fault.syntax for fault in faults)
    assert "did you mean 'age'?" in faults[0].what
    assert faults[1].allowed.startswith("one of 'f', 'm'")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("sex = f and agee > 1 && age == 'x'", ["f", "agee", "&&", "==", "'x'"]),
        ('sex in ("f", "g") or day > 2020-01-01', ['"f",', '"g")', '"g")', "2020-01-01"]),
        ("age 3 and sex = 'g' or agee is missing", ["3", "'g'", "agee"]),
        ("age between, 1 and 2 and (sex = 'g' or not day = 1)", [",", "'g'", "1)"]),
        ("!(age <> 3) and sex = 'g'", ["!(age", "<>", "'g'"]),
        ("(age > 3 and sex = 'g'", ["'g'", ""]),
    ],
)
def test_misfits_are_told_beside_and_behind_syntax_faults(text: str, told: list[str]) -> None:
    _, faults = read_where(text, COLUMNS)
    assert [(text[fault.offset :].split() or [""])[0] for fault in faults] == told
    assert len({(fault.offset, fault.what) for fault in faults}) == len(faults)
    assert any(fault.syntax for fault in faults)


@pytest.mark.parametrize("day", ["2020-02-30", "2020-2-3", "02/03/2020", "20200203", ""])
def test_days_are_iso_days_that_exist(day: str) -> None:
    _, faults = read_where(f"day = '{day}'", COLUMNS)
    assert [fault.allowed for fault in faults] == ["a day 'YYYY-MM-DD' in single quotes"]


def test_conditions_on_a_faulty_column_are_not_judged() -> None:
    _, faults = read_where("broken = 'x' and broken > 3", COLUMNS, frozenset({"broken"}))
    assert faults == ()


def spelled(node: Node) -> str:  # noqa: PLR0911
    """The filter text of a tree, fully parenthesized."""
    match node:
        case Always():
            return ""
        case Compare(column, op, literal):
            return f"{column} {op} {_literal(column, literal)}"
        case OneOf(column, literals):
            return f"{column} in ({', '.join(_literal(column, one) for one in literals)})"
        case IsMissing(column):
            return f"{column} is missing"
        case Not(part):
            return f"not ({spelled(part)})"
        case And(parts):
            return " and ".join(f"({spelled(part)})" for part in parts)
        case Or(parts):
            return " or ".join(f"({spelled(part)})" for part in parts)


def _literal(column: str, literal: Fraction | int | str) -> str:
    if isinstance(literal, str):
        return "'" + literal.replace("'", "''") + "'"
    if column == "day":
        return f"'{date.fromordinal(int(literal) + 719_163).isoformat()}'"
    return f"{Decimal((literal / 2).numerator) / (literal / 2).denominator}"


_numbers = st.integers(-400, 400).map(lambda quarters: Fraction(quarters, 4))
_orders = st.sampled_from(["=", "!=", "<", "<=", ">", ">="])
_leaves: st.SearchStrategy[Node] = st.one_of(
    st.builds(Compare, st.just("age"), _orders, _numbers),
    st.builds(Compare, st.just("day"), _orders, st.integers(18_000, 19_000)),
    st.builds(Compare, st.just("sex"), st.sampled_from(["=", "!="]), st.sampled_from("fm")),
    st.builds(OneOf, st.just("sex"), st.lists(
        st.sampled_from(["f", "m", "o'x"]), min_size=1, max_size=3).map(tuple)),
    st.builds(OneOf, st.just("age"), st.lists(_numbers, min_size=1, max_size=3).map(tuple)),
    st.builds(IsMissing, st.sampled_from(["age", "sex", "day"])),
)  # fmt: skip
_trees: st.SearchStrategy[Node] = st.recursive(
    _leaves,
    lambda part: st.one_of(
        st.builds(Not, part),
        st.builds(And, st.lists(part, min_size=2, max_size=3).map(tuple)),
        st.builds(Or, st.lists(part, min_size=2, max_size=3).map(tuple)),
    ),
    max_leaves=12,
)


@given(_trees)
def test_every_tree_is_read_back_from_its_own_spelling(node: Node) -> None:
    assert parse_where(spelled(node), COLUMNS) == node


@given(
    _trees,
    st.fixed_dictionaries(
        {
            "age": st.none() | st.integers(0, 20),
            "sex": st.none() | st.sampled_from(["f", "m", "o'x"]),
            "day": st.none() | st.integers(18_000, 19_000),
        }
    ),
)
def test_a_row_passes_either_a_filter_or_its_negation(
    node: Node, row: dict[str, int | str | None]
) -> None:
    assert evaluate(node, row) != evaluate(Not(node), row)


@given(st.text(alphabet="agesxdy()'=<>!,.- 0123\nnotridb\"", max_size=60))
def test_any_text_is_a_tree_or_faults_inside_the_text(text: str) -> None:
    _, faults = read_where(text, COLUMNS)
    assert all(0 <= fault.offset <= len(text) and fault.what for fault in faults)
