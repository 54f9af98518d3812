"""One cell of a CSV file held to its column's declaration: what is wrong, not what it holds.

:mod:`parties.data.expectations` finds the same faults in the engine; this tells their places.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from typing import TypeAlias

from mpc.study.canonical import decimal_text
from parties.data import expectations, faults
from parties.data.notation import Notation
from parties.data.rules import date_pattern, notation_of
from parties.data.schema import DataField, DateField, IntegerField, NumberField, TableSchema

_NOT_FINITE = re.compile(r"[+-]?(nan|inf|infinity)", re.IGNORECASE)

Found: TypeAlias = "tuple[str, str, str]"
"""code, what, what is allowed"""

Checker: TypeAlias = "Callable[[str], Found | None]"


def cell_checker(schema: TableSchema, name: str) -> Checker:
    """What finds the fault of a CSV cell of column ``name``; None if there is none."""
    field = schema.columns[name]
    notation = notation_of(schema, field)
    nulls = {"", *notation.null}
    check = _checker(field, notation)

    def checked(cell: str) -> Found | None:
        if cell.strip() in nulls:
            return (faults.MISSING_CELL, *expectations.MISSING) if field.required else None
        return check(cell)

    return checked


def _checker(field: DataField, notation: Notation) -> Checker:
    if isinstance(field, NumberField | IntegerField):
        pattern = re.compile(notation.pattern)
        return lambda cell: _number_fault(cell.strip(), field, notation, pattern)
    if isinstance(field, DateField):
        written = re.compile(date_pattern(field.format))
        return lambda cell: _date_fault(cell.strip(), field, written)
    levels = None if field.levels is None else frozenset(field.levels)

    def check(cell: str) -> Found | None:
        text = unicodedata.normalize("NFC", cell.strip())
        if levels is not None and text not in levels:
            allowed = ", ".join(field.levels or ())[: expectations.ALLOWED_LENGTH_MAX]
            return faults.UNKNOWN_LEVEL, "no declared level", allowed
        if field.width is not None and len(text) != field.width:
            return faults.WRONG_WIDTH, "another width", f"{field.width} characters"
        return None

    return check


def _number_fault(
    text: str, field: NumberField | IntegerField, notation: Notation, pattern: re.Pattern[str]
) -> Found | None:
    if _NOT_FINITE.fullmatch(text):
        return (faults.NOT_FINITE, *expectations.NOT_FINITE)
    if not pattern.fullmatch(text):
        return (faults.NOT_A_NUMBER, *_no_number(text, notation))
    if field.bounds is None:
        return None
    value = Decimal(notation.plain(text))
    low, high = Decimal(field.bounds[0]), Decimal(field.bounds[1])
    if low <= value <= high:
        return None
    return faults.OUTSIDE, "value out of range", f"[{decimal_text(low)}, {decimal_text(high)}]"


def _no_number(text: str, notation: Notation) -> tuple[str, str]:
    """What is wrong with the spelling, and what is allowed; the usual slips by name."""
    if notation.whole:
        if re.fullmatch(r"[+-]?[0-9]+[.,][0-9]*", text):
            return "a fraction in a column of whole numbers", expectations.signs_allowed(notation)
        return expectations.NO_WHOLE, expectations.signs_allowed(notation)
    other = "," if notation.decimal == "." else "."
    if re.fullmatch(rf"[+-]?[0-9]+[{other}][0-9]+", text):
        what = f"a number with {other!r}, which the schema does not declare"
        return what, f"decimal: {notation.decimal!r}, thousands: {notation.thousands!r}"
    return expectations.NO_NUMBER, expectations.signs_allowed(notation)


def _date_fault(text: str, field: DateField, pattern: re.Pattern[str]) -> Found | None:
    wrong = faults.NOT_A_DATE, expectations.NO_DATE, field.format
    if not pattern.fullmatch(text):
        return wrong
    try:
        datetime.strptime(text, field.format.replace("%-", "%"))
    except ValueError:
        return wrong
    return None
