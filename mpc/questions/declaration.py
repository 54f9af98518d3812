"""What every declared question has in common: its split into cells and its part of the budget.

A kind's own module adds its fields, the blocks it releases and what its columns must be.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated, ClassVar

from pydantic import Field, field_validator, model_validator

from mpc.columns.model import (
    CategoryColumn,
    Column,
    Frozen,
    LeftOutIfNone,
    NumberColumn,
    kind_text,
)
from mpc.layout import CELLS_MAX, Axis, Block, Layout, Term
from mpc.units import NAME_LENGTH_MAX, NAME_PATTERN, RHO_UNIT

BY_MAX = 2

ColumnName = Annotated[str, Field(pattern=NAME_PATTERN, max_length=NAME_LENGTH_MAX)]
Weight = Annotated[Decimal, Field(ge=Decimal("0.000001"), le=1_000_000, allow_inf_nan=False)]
Rho = Annotated[Decimal, Field(ge=Decimal(1) / RHO_UNIT, le=1000, allow_inf_nan=False)]


class Target(Frozen):
    """The 95 % half-width that a question is to be foretold, in the unit of its first estimate.

    That is a count's rows, a sum's, mean's or variance's unit, or a share of rows for a quantile's
    rank. ``parley plan --tune`` finds weights that reach it; nothing else reads it.
    """

    half_width: Annotated[Decimal, Field(gt=0, allow_inf_nan=False)]


@dataclass(frozen=True)
class Complaint:
    """What does not fit between a question and the study's columns.

    ``path`` is the field inside the question (``by.0``, ``column``, ``bins.3``).
    """

    path: str
    what: str
    allowed: str


class Declaration(Frozen):
    """Base of the five kinds: ``by`` categories, and ``weight`` or ``rho`` of the budget.

    ``weight`` shares what is left of the study's rho after every explicit ``rho``; a question
    that gives neither has weight 1. ``target`` says which error would do.
    """

    needs_dealer: ClassVar[bool] = False  # whether secrets are compared or multiplied for it

    by: Annotated[tuple[ColumnName, ...], Field(max_length=BY_MAX)] = ()
    weight: Weight | None = None
    rho: Rho | None = None
    target: Annotated[Target | None, LeftOutIfNone()] = None

    @field_validator("by")
    @classmethod
    def _by_is_distinct(cls, by: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(by)) != len(by):
            raise ValueError("by names each column once")
        return by

    @model_validator(mode="after")
    def _budget_is_said_once(self) -> Declaration:
        if self.weight is not None and self.rho is not None:
            raise ValueError("give weight or rho, not both")
        return self

    def column_names(self) -> tuple[str, ...]:
        """Every column this question reads, each once, in the order of its fields."""
        raise NotImplementedError

    def grouping_columns(self) -> tuple[str, ...]:
        """Those of :meth:`column_names` that split rows into cells; the rest is summed."""
        return self.by

    def complaints(self, columns: Mapping[str, Column]) -> tuple[Complaint, ...]:
        """All that keeps this question from these columns; () if it can be asked."""
        raise NotImplementedError

    def layout(self, columns: Mapping[str, Column]) -> Layout:
        """The integers this question releases. Raises ValueError if there are complaints."""
        raise NotImplementedError


def missing_column(path: str, name: str, columns: Mapping[str, Column]) -> Complaint:
    """``name`` is no declared column."""
    declared = ", ".join(columns)
    return Complaint(path, f"no column {name!r}", f"declared columns: {declared}")


def by_complaints(by: tuple[str, ...], columns: Mapping[str, Column]) -> tuple[Complaint, ...]:
    """``by`` takes declared categories, and so few cells that all can be released."""
    found: list[Complaint] = []
    cells = 1
    for index, name in enumerate(by):
        column = columns.get(name)
        if column is None:
            found.append(missing_column(f"by.{index}", name, columns))
        elif not isinstance(column, CategoryColumn):
            what = f"column {name!r} is {kind_text(column)}"
            found.append(Complaint(f"by.{index}", what, "by takes categories"))
        else:
            cells *= len(column.levels)
    return (*found, *cells_complaints("by", cells))


def cells_complaints(path: str, cells: int) -> tuple[Complaint, ...]:
    """All cells are released, so there is a limit to them."""
    if cells <= CELLS_MAX:
        return ()
    return (Complaint(path, f"{cells} cells", f"at most {CELLS_MAX} cells a question"),)


def number_complaints(name: str, columns: Mapping[str, Column]) -> tuple[Complaint, ...]:
    """``column`` must be a declared number."""
    column = columns.get(name)
    if column is None:
        return (missing_column("column", name, columns),)
    if not isinstance(column, NumberColumn):
        what = f"column {name!r} is {kind_text(column)}"
        return (Complaint("column", what, "a column of type number"),)
    return ()


def level_axis(name: str, columns: Mapping[str, Column]) -> Axis:
    """One label for each declared level."""
    column = columns.get(name)
    if not isinstance(column, CategoryColumn):
        raise ValueError(f"column {name!r} is not a declared category")
    return Axis(column=name, labels=column.levels)


def by_axes(by: tuple[str, ...], columns: Mapping[str, Column]) -> tuple[Axis, ...]:
    """The axes of ``by``, in its order."""
    return tuple(level_axis(name, columns) for name in by)


def number(name: str, columns: Mapping[str, Column]) -> NumberColumn:
    """The declared number ``name``."""
    column = columns.get(name)
    if not isinstance(column, NumberColumn):
        raise ValueError(f"column {name!r} is not a declared number")
    return column


def centred(name: str, column: NumberColumn) -> tuple[Term, int]:
    """``column`` centred in its bounds, and its half-range h: abs(x - centre) <= h, in steps.

    Centring halves what one row can add to the sum.
    """
    centre = (column.low + column.high) // 2
    return Term(column=name, centre=centre), max(column.high - centre, centre - column.low)


def count_block() -> Block:
    """The number of rows."""
    return Block(name="n", power=0, value_max=1, signed=False)
