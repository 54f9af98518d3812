"""A study's ``where`` as SQL over the bounded columns. Two-valued, as :mod:`mpc.study.where`."""

from __future__ import annotations

import math
from collections.abc import Mapping
from fractions import Fraction

from mpc.columns.model import CategoryColumn, Column, IdColumn
from mpc.study.where_tree import Always, And, Compare, IsMissing, Node, Not, Or, Value
from parties.data.sandbox import identifier


def predicate(node: Node, columns: Mapping[str, Column]) -> str:
    """``node`` as a boolean that is never NULL."""
    if isinstance(node, Always):
        return "TRUE"
    if isinstance(node, Not):
        return f"(NOT {predicate(node.part, columns)})"
    if isinstance(node, And | Or):
        word = " AND " if isinstance(node, And) else " OR "
        return "(" + word.join(predicate(part, columns) for part in node.parts) + ")"
    cell = identifier(node.column)
    if isinstance(node, IsMissing):
        return f"({cell} IS NULL)"
    column = columns[node.column]
    literals = (node.literal,) if isinstance(node, Compare) else node.literals
    operator = node.op if isinstance(node, Compare) else "="
    tests = (_test(cell, operator, each, column) for each in literals)
    return f"coalesce({' OR '.join(tests)}, FALSE)"


def _test(cell: str, operator: str, literal: Value, column: Column) -> str:
    """``cell operator literal`` for an integer ``cell``, exactly; NULL if that is missing.

    A fraction is replaced by the integer that decides alike, and one beyond the bounds by the
    integer next to them.
    """
    if isinstance(column, CategoryColumn):
        return f"{cell} {operator} {column.levels.index(str(literal))}"
    if isinstance(column, IdColumn):
        raise TypeError("no row is selected by an id")
    exact = Fraction(literal)
    bound = math.ceil(exact) if operator in ("<", ">=") else math.floor(exact)
    if operator in ("=", "!=") and exact.denominator != 1:
        bound = column.high + 1
    return f"{cell} {operator} {max(column.low - 1, min(column.high + 1, bound))}"


def used_columns(node: Node) -> frozenset[str]:
    """Columns that ``node`` reads."""
    if isinstance(node, Always):
        return frozenset()
    if isinstance(node, Not):
        return used_columns(node.part)
    if isinstance(node, And | Or):
        return frozenset().union(*(used_columns(part) for part in node.parts))
    return frozenset({node.column})
