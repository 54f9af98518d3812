"""Columns of a study: their type, public bounds and the rule for every odd cell.

Bounds, step and levels come from the study, never from data. Each rule is total: whatever a cell
holds, it says which integer the row contributes, or that the row does not count for this column.
A number is kept as an integer count of steps (``2.5`` at step ``0.5`` is 5), so sums are exact.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from mpc.columns.text import printable


class Frozen(BaseModel):
    """Base of all declared things: immutable, nothing unknown, nothing converted silently."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


@dataclass(frozen=True)
class LeftOutIfNone:
    """Marks a field that the canonical form of a study has only where it is given."""


STEPS_MAX = 2**52  # largest |bound / step|: every grid point is an exact double for display
LEVELS_MAX = 1000
LEVEL_LENGTH_MAX = 200


class UseValue(Frozen):
    """A missing number counts as this value."""

    value: Decimal


class UseLevel(Frozen):
    """A missing category counts as this level."""

    level: str = Field(min_length=1)


class NumberColumn(Frozen):
    """A number on a declared grid: multiples of ``step`` from ``bounds[0]`` to ``bounds[1]``.

    Rule for a cell, in this order: unparsable, blank, null, NaN and infinite are *missing*
    (``missing``: exclude the row from what uses this column, or count it as a value); a value
    outside the bounds is clipped or excluded (``outside``); the rest is rounded to the nearest
    step (halves to even), then clipped again as an integer.
    """

    type: Literal["number"]
    bounds: tuple[Decimal, Decimal]
    step: Decimal = Decimal(1)
    missing: Literal["exclude"] | UseValue = "exclude"
    outside: Literal["clip", "exclude"] = "clip"

    @field_validator("bounds")
    @classmethod
    def _bounds_rise(cls, bounds: tuple[Decimal, Decimal]) -> tuple[Decimal, Decimal]:
        if not all(bound.is_finite() for bound in bounds):
            raise ValueError("bounds must be finite")
        if bounds[0] >= bounds[1]:
            raise ValueError("bounds must be [lower, upper] with lower < upper")
        return bounds

    @field_validator("step")
    @classmethod
    def _step_is_positive(cls, step: Decimal) -> Decimal:
        if not step.is_finite():
            raise ValueError("step must be finite")
        if step <= 0:
            raise ValueError("step must be above 0")
        return step

    @model_validator(mode="after")
    def _grid_is_exact(self) -> NumberColumn:
        low, high = self.bounds
        if max(abs(low), abs(high)) / self.step > STEPS_MAX:
            raise ValueError("bounds exceed the exact range: at most 2^52 steps from zero")
        if low % self.step or high % self.step:
            raise ValueError("bounds must be multiples of step")
        if isinstance(self.missing, UseValue):
            value = self.missing.value
            if not value.is_finite() or not low <= value <= high or value % self.step:
                raise ValueError("missing value must lie on the grid within bounds")
        return self

    @property
    def low(self) -> int:
        """Lower bound in steps."""
        return int(self.bounds[0] / self.step)

    @property
    def high(self) -> int:
        """Upper bound in steps."""
        return int(self.bounds[1] / self.step)

    @property
    def missing_step(self) -> int | None:
        """What a missing cell counts as, in steps, or None for exclusion."""
        if isinstance(self.missing, UseValue):
            return int(self.missing.value / self.step)
        return None


class CategoryColumn(Frozen):
    """A category with its levels in the study's order, compared as NFC text, case kept.

    Rule for a cell, blanks at its ends removed: blank and null are *missing* (exclude the row, or
    count it as a level); text that is no declared level is missing or excluded
    (``unknown_level``).
    """

    type: Literal["category"]
    levels: Annotated[tuple[str, ...], Field(min_length=1, max_length=LEVELS_MAX)]
    missing: Literal["exclude"] | UseLevel = "exclude"
    unknown_level: Literal["missing", "exclude"] = "exclude"

    @field_validator("levels")
    @classmethod
    def _levels_are_distinct(cls, levels: tuple[str, ...]) -> tuple[str, ...]:
        import unicodedata

        normal = [unicodedata.normalize("NFC", level) for level in levels]
        if any(not level or level.strip() != level for level in normal):
            raise ValueError("levels must be non-empty and without outer blanks")
        if any(len(level) > LEVEL_LENGTH_MAX for level in normal):
            raise ValueError(f"levels must have at most {LEVEL_LENGTH_MAX} characters")
        for level in normal:
            printable(level)
        if len(set(normal)) != len(normal):
            raise ValueError("levels must be distinct (after Unicode NFC)")
        if list(levels) != normal:
            raise ValueError("levels must be written in Unicode NFC")
        return levels

    @model_validator(mode="after")
    def _missing_is_a_level(self) -> CategoryColumn:
        if isinstance(self.missing, UseLevel) and self.missing.level not in self.levels:
            raise ValueError("missing level must be a declared level")
        return self


class DateColumn(Frozen):
    """A calendar day within bounds, kept as days since 1970-01-01. May be filtered and binned."""

    type: Literal["date"]
    bounds: tuple[date, date]
    missing: Literal["exclude"] = "exclude"
    outside: Literal["clip", "exclude"] = "exclude"

    @field_validator("bounds")
    @classmethod
    def _bounds_rise(cls, bounds: tuple[date, date]) -> tuple[date, date]:
        if bounds[0] >= bounds[1]:
            raise ValueError("bounds must be [first, last] with first < last")
        return bounds

    @property
    def low(self) -> int:
        return (self.bounds[0] - date(1970, 1, 1)).days

    @property
    def high(self) -> int:
        return (self.bounds[1] - date(1970, 1, 1)).days


class IdColumn(Frozen):
    """Says whose row it is: a study's unit names it, and nothing else may.

    Rule for a cell, blanks at its ends removed: texts that are equal in NFC, case kept, are one
    person. Blank and null are nobody, and such a row does not count. No question sums it, splits
    or selects rows by it, and no part of it leaves its owner.
    """

    type: Literal["id"]


Column = Annotated[
    NumberColumn | CategoryColumn | DateColumn | IdColumn, Field(discriminator="type")
]


def kind_text(column: Column) -> str:
    """``a number``, ``an id``."""
    return f"{'an' if isinstance(column, IdColumn) else 'a'} {column.type}"
