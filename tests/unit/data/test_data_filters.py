"""``where`` in SQL agrees with mpc.study.where on every bounded cell, missing ones included."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import duckdb
import pytest
from dirty_tables import COLUMNS, NUMBERS
from hypothesis import given, settings
from hypothesis import strategies as st

from mpc.columns.model import CategoryColumn, Column, DateColumn, NumberColumn
from mpc.study.where import evaluate
from mpc.study.where_tree import Always, And, Compare, IsMissing, Node, Not, OneOf, Or
from parties.data.filters import predicate, used_columns

ENGINE = duckdb.connect(":memory:")
OPERATORS = ("=", "!=", "<", "<=", ">", ">=")


def literals(column: Column) -> st.SearchStrategy[Any]:
    if isinstance(column, CategoryColumn):
        return st.sampled_from(column.levels)
    points = st.one_of(
        st.integers(column.low - 2, column.high + 2),
        st.sampled_from([column.low, column.high, 0, -(10**40), 10**40]),
    )
    if isinstance(column, DateColumn):
        return points
    return st.one_of(
        points.map(Fraction),
        st.builds(lambda whole, part: whole + part, points, st.fractions(0, 1)),
    )


def cells(column: Column) -> st.SearchStrategy[Any]:
    if isinstance(column, CategoryColumn):
        return st.one_of(st.none(), st.sampled_from(column.levels))
    ends = st.sampled_from([column.low, column.low + 1, column.high - 1, column.high])
    return st.one_of(st.none(), ends, st.integers(column.low, column.high))


@st.composite
def leaves(draw: st.DrawFn) -> Node:
    name = draw(st.sampled_from(sorted(COLUMNS)))
    column = COLUMNS[name]
    kind = draw(st.sampled_from(["compare", "one of", "missing", "always"]))
    if kind == "missing":
        return IsMissing(name)
    if kind == "always":
        return Always()
    if kind == "one of":
        return OneOf(name, tuple(draw(st.lists(literals(column), min_size=1, max_size=4))))
    operators = OPERATORS[:2] if isinstance(column, CategoryColumn) else OPERATORS
    return Compare(name, draw(st.sampled_from(operators)), draw(literals(column)))  # type: ignore[arg-type]


NODES = st.recursive(
    leaves(),
    lambda inner: st.one_of(
        inner.map(Not),
        st.lists(inner, min_size=1, max_size=3).map(lambda parts: And(tuple(parts))),
        st.lists(inner, min_size=1, max_size=3).map(lambda parts: Or(tuple(parts))),
    ),
    max_leaves=6,
)
ROWS = st.lists(
    st.fixed_dictionaries({name: cells(column) for name, column in COLUMNS.items()}),
    min_size=1,
    max_size=8,
)


def in_sql(node: Node, rows: list[dict[str, Any]]) -> list[bool]:
    relation = ", ".join(
        "(" + ", ".join(_cell(row[name], column) for name, column in COLUMNS.items()) + ")"
        for row in rows
    )
    names = ", ".join(f'"{name}"' for name in COLUMNS)
    select = f"SELECT {predicate(node, COLUMNS)} FROM (VALUES {relation}) AS bounded({names})"
    return [found for (found,) in ENGINE.execute(select).fetchall()]


def _cell(value: Any, column: Column) -> str:
    if value is None:
        return "CAST(NULL AS BIGINT)"
    index = column.levels.index(value) if isinstance(column, CategoryColumn) else value
    return f"CAST({index} AS BIGINT)"


@settings(max_examples=80, deadline=None)
@given(node=NODES, rows=ROWS)
def test_filter_keeps_the_same_rows_as_the_language_says(
    node: Node, rows: list[dict[str, Any]]
) -> None:
    assert in_sql(node, rows) == [evaluate(node, row) for row in rows]


@pytest.mark.parametrize("operator", OPERATORS)
@pytest.mark.parametrize("name", NUMBERS)
def test_literals_between_two_steps_decide_exactly(name: str, operator: str) -> None:
    column = COLUMNS[name]
    assert isinstance(column, NumberColumn)
    points = (column.low, 0, 1, column.high)
    rows = [dict.fromkeys(COLUMNS) | {name: point} for point in (*points, None)]
    for point in points:
        for part in (Fraction(-1, 10**30), Fraction(0), Fraction(1, 3), Fraction(1, 10**30)):
            node = Compare(name, operator, point + part)  # type: ignore[arg-type]
            assert in_sql(node, rows) == [evaluate(node, row) for row in rows], (point, part)


def test_columns_of_a_filter_are_found() -> None:
    node = And((Not(IsMissing("halves")), Or((Compare("wide", "<", Fraction(1)), Always()))))
    assert used_columns(node) == {"halves", "wide"}
    assert used_columns(Always()) == frozenset()
