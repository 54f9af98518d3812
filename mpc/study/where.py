"""The filter of a study, ``where``: a small grammar, parsed into a frozen tree. Never raw SQL.

::

    where     = [ any ]                         empty: every row
    any       = all { "or" all }
    all       = single { "and" single }
    single    = "not" single | "(" any ")" | condition
    condition = column ( "=" | "!=" | "<" | "<=" | ">" | ">=" ) literal
              | column [ "not" ] "in" "(" literal { "," literal } ")"
              | column [ "not" ] "between" literal "and" literal      both ends included
              | column "is" [ "not" ] "missing"
    literal   = -12.5 | 'text' ('' inside stands for one quote) | '2020-12-31'

Words of the grammar may be written in capitals. Categories take ``=``, ``!=`` and ``in`` and only
declared levels; numbers and dates take everything but text.

Meaning. ``where`` sees *bounded* columns: each cell is what the column's declared rules made of it
(missing rule, clip, grid), or *missing* if they exclude the row for this column, whatever the
reason (blank, unparsable, out of bounds with ``outside: exclude``, an undeclared level). Logic has
two values: a condition on a missing cell is false, also ``!=``, ``not in`` and ``not between``;
only ``is missing`` is true of it. ``not (…)`` is plain negation: ``not (age = 3)`` holds where age
is missing, ``age != 3`` does not. Numbers are compared exactly: a literal off the grid is kept as
a fraction of a step.

:func:`evaluate` is the reference; whoever compiles the tree must agree with it on every row.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator, Mapping
from fractions import Fraction

from mpc.columns.model import Column
from mpc.errors import Fault, StudyFaults
from mpc.study.codes import FAMILY, WHERE_COLUMNS, WHERE_SYNTAX
from mpc.study.where_reading import WhereFault, iso_day, read_where
from mpc.study.where_tree import (
    Always,
    And,
    Compare,
    IsMissing,
    Node,
    Not,
    OneOf,
    Operator,
    Or,
    Value,
)

__all__ = [
    "Always",
    "And",
    "Compare",
    "IsMissing",
    "Node",
    "Not",
    "OneOf",
    "Operator",
    "Or",
    "Value",
    "WhereFault",
    "column_names",
    "evaluate",
    "iso_day",
    "parse_where",
    "read_where",
]

_ORDERS: dict[str, Callable[[Fraction | int, Fraction | int], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


def parse_where(text: str, columns: Mapping[str, Column]) -> Node:
    """``text`` as a tree over ``columns``, literals converted to steps, days and levels.

    Raises StudyFaults with every fault; its file is ``where`` and its columns count in ``text``.
    """
    node, faults = read_where(text, columns)
    if faults:
        raise StudyFaults(
            "where",
            tuple(
                Fault(
                    FAMILY + (WHERE_SYNTAX if f.syntax else WHERE_COLUMNS),
                    "table.where",
                    f.what,
                    f.allowed,
                    line=text.count("\n", 0, f.offset) + 1,
                    column=f.offset - text.rfind("\n", 0, f.offset),
                )
                for f in faults
            ),
        )
    return node


def column_names(node: Node) -> tuple[str, ...]:
    """Every column the filter reads, each once, in order of appearance."""
    return tuple(dict.fromkeys(_names(node)))


def _names(node: Node) -> Iterator[str]:
    if isinstance(node, (Compare, OneOf, IsMissing)):
        yield node.column
    elif isinstance(node, Not):
        yield from _names(node.part)
    elif isinstance(node, (And, Or)):
        for part in node.parts:
            yield from _names(part)


def evaluate(node: Node, row: Mapping[str, int | str | None]) -> bool:
    """Whether ``row`` passes. Numbers in steps, dates in days, categories as levels; None missing.

    The reference semantics of every other compiler of this tree.
    """
    if isinstance(node, Always):
        return True
    if isinstance(node, Not):
        return not evaluate(node.part, row)
    if isinstance(node, And):
        return all(evaluate(part, row) for part in node.parts)
    if isinstance(node, Or):
        return any(evaluate(part, row) for part in node.parts)
    return _holds(node, row[node.column])


def _holds(condition: Compare | OneOf | IsMissing, cell: int | str | None) -> bool:
    if isinstance(condition, IsMissing):
        return cell is None
    if cell is None:
        return False
    if isinstance(condition, OneOf):
        return cell in condition.literals
    if condition.op in ("=", "!="):
        return (cell == condition.literal) == (condition.op == "=")
    if isinstance(cell, str) or isinstance(condition.literal, str):
        raise TypeError("levels have no order")
    return _ORDERS[condition.op](cell, condition.literal)
