"""What an owner's schema expects of each cell, as SQL conditions that find the faults.

They use the readings of :mod:`parties.data.rules`, so a cell that passes here is read by every
study, and one that does not is missing in every study.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

from parties.data import faults
from parties.data.grid import Grid
from parties.data.notation import Notation, trimmed
from parties.data.rules import (
    FLOAT_TYPES,
    INTEGER_TYPES,
    Form,
    day_of,
    float_literals,
    notation_of,
    number_reading,
)
from parties.data.sandbox import literal
from parties.data.schema import DataField, DateField, IntegerField, TableSchema, TextField

DATE_TYPES = frozenset(("DATE", "TIMESTAMP", "TIMESTAMP_S", "TIMESTAMP_MS", "TIMESTAMP_NS"))
ALLOWED_LENGTH_MAX = 200


@dataclass(frozen=True)
class Expectation:
    """A fault that a cell can have. ``failed``: an SQL condition, never NULL.

    Conditions are CASEs where they could be ANDs: of an AND, DuckDB evaluates both sides.
    """

    code: str
    what: str
    allowed: str
    failed: str


def is_stored_as(field: DataField, sql_type: str) -> bool:
    """Whether a column of this engine type can be read as ``field`` at all."""
    if isinstance(field, DateField):
        return sql_type in DATE_TYPES
    if isinstance(field, TextField):
        return sql_type in ("VARCHAR", "BOOLEAN") or sql_type in INTEGER_TYPES
    if isinstance(field, IntegerField):
        return sql_type in INTEGER_TYPES or sql_type.endswith(",0)")
    return sql_type in INTEGER_TYPES | FLOAT_TYPES or sql_type.startswith("DECIMAL(")


def expectations(
    schema: TableSchema, name: str, cell: str, sql_type: str
) -> tuple[Expectation, ...]:
    """Every way in which ``cell`` of column ``name`` may be at fault.

    ``sql_type``: the engine's type, one that :func:`is_stored_as` allows; VARCHAR for CSV.
    """
    field, notation = schema.columns[name], notation_of(schema, schema.columns[name])
    absent = notation.is_missing(cell) if sql_type == "VARCHAR" else f"({cell} IS NULL)"
    found = [*_expected(schema, field, cell, sql_type, absent)]
    if field.required:
        found.append(Expectation(faults.MISSING_CELL, *MISSING, absent))
    return tuple(found)


MISSING = ("the cell is missing", "a value: the column is required")
NO_NUMBER = "not a number as the schema spells them"
NO_WHOLE = "not a whole number as the schema spells them"
NOT_FINITE = ("not a finite number", "a number, or a declared null marker")
NO_DATE = "not a date of the declared format"


def signs_allowed(notation: Notation) -> str:
    """The signs that a number may have beside its digits, as the schema says."""
    thousands = repr(notation.thousands) if notation.thousands else "no sign"
    decimal = "" if notation.whole else f", decimal {notation.decimal!r}"
    return f"digits and sign{decimal}, {thousands} between thousands"


def _expected(
    schema: TableSchema, field: DataField, cell: str, sql_type: str, absent: str
) -> Iterator[Expectation]:
    if isinstance(field, DateField):
        day = day_of(cell, field, sql_type, notation_of(schema, field))
        wrong = f"(CASE WHEN {day} IS NOT NULL THEN FALSE ELSE NOT {absent} END)"
        yield Expectation(faults.NOT_A_DATE, NO_DATE, field.format, wrong)
        return
    if isinstance(field, TextField):
        yield from _expected_text(field, cell, absent)
        return
    notation = notation_of(schema, field)
    if sql_type == "VARCHAR":
        number = f"coalesce({notation.is_number(cell)}, TRUE)"
        wrong = f"(CASE WHEN {number} THEN FALSE ELSE NOT {absent} END)"
        what = NO_WHOLE if notation.whole else NO_NUMBER
        yield Expectation(faults.NOT_A_NUMBER, what, signs_allowed(notation), wrong)
    elif sql_type in FLOAT_TYPES:
        wrong = f"coalesce(NOT isfinite({cell}), FALSE)"
        yield Expectation(faults.NOT_FINITE, *NOT_FINITE, wrong)
    if field.bounds is not None:
        low, high = Decimal(field.bounds[0]), Decimal(field.bounds[1])
        outside = _outside(cell, Grid.within((low, high)), sql_type, notation)
        yield Expectation(faults.OUTSIDE, "value out of range", f"[{low:f}, {high:f}]", outside)


def _outside(cell: str, grid: Grid, sql_type: str, notation: Notation) -> str:
    read = number_reading(cell, grid, sql_type, notation)
    if read.form is Form.FLOAT:
        low, high = float_literals(grid)
    else:
        finer = 10 ** (read.scale - grid.places)
        low, high = str(grid.low * finer), str(grid.high * finer)
    return f"coalesce({read.sql} NOT BETWEEN {low} AND {high}, FALSE)"


def _expected_text(field: TextField, cell: str, absent: str) -> Iterator[Expectation]:
    text = f"nfc_normalize({trimmed(f'CAST({cell} AS VARCHAR)')})"
    if field.levels is not None:
        levels = ", ".join(literal(level) for level in field.levels)
        written = f"nfc_normalize(CAST({cell} AS VARCHAR))"
        known = " ".join(
            f"WHEN TRY_CAST({each} AS ENUM({levels})) IS NOT NULL THEN FALSE"
            for each in (written, text)
        )
        wrong = f"(CASE {known} ELSE NOT {absent} END)"
        allowed = ", ".join(field.levels)[:ALLOWED_LENGTH_MAX]
        yield Expectation(faults.UNKNOWN_LEVEL, "no declared level", allowed, wrong)
    if field.width is not None:
        wrong = f"(CASE WHEN {absent} THEN FALSE ELSE length({text}) <> {field.width} END)"
        allowed = f"{field.width} characters"
        yield Expectation(faults.WRONG_WIDTH, "another width", allowed, wrong)
