"""The tree of a filter: what ``where`` means once it is read. Grammar: :mod:`mpc.study.where`."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Literal, TypeAlias

Operator = Literal["=", "!=", "<", "<=", ">", ">="]
Value: TypeAlias = "Fraction | int | str"
"""Number columns: a fraction in steps. Date columns: days since 1970-01-01. Categories: a level."""


@dataclass(frozen=True)
class Always:
    """Every row."""


@dataclass(frozen=True)
class Compare:
    """``column op literal``; false if the cell is missing. Categories: only ``=`` and ``!=``."""

    column: str
    op: Operator
    literal: Value


@dataclass(frozen=True)
class OneOf:
    """The cell equals one of the literals; false if it is missing."""

    column: str
    literals: tuple[Value, ...]


@dataclass(frozen=True)
class IsMissing:
    """The column's rules exclude this row for the column."""

    column: str


@dataclass(frozen=True)
class And:
    """All parts hold; at least two."""

    parts: tuple[Node, ...]


@dataclass(frozen=True)
class Or:
    """Some part holds; at least two."""

    parts: tuple[Node, ...]


@dataclass(frozen=True)
class Not:
    """The part does not hold."""

    part: Node


Node: TypeAlias = "Always | Compare | OneOf | IsMissing | And | Or | Not"
