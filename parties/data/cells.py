"""One cell held to its column's declaration: what is wrong, without saying what it holds."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from datetime import datetime
from decimal import Decimal

from mpc.errors import Fault
from mpc.study.canonical import decimal_text
from parties.data import faults
from parties.data.rules import BLANKS, NUMBER_PATTERN, date_pattern
from parties.data.schema import CsvSource, DataField, DateField, NumberField, TextField

_NUMBER = re.compile(NUMBER_PATTERN)
_NOT_FINITE = re.compile(r"[+-]?(nan|inf|infinity)", re.IGNORECASE)

Found = tuple[str, str, str]
"""code, what, what is allowed"""

Checker = Callable[[str], Found | None]


def cell_checker(field: DataField, source: CsvSource) -> Checker:
    """What finds the fault of a CSV cell of ``field``; None if there is none."""
    nulls = {"", *source.null}
    check = _checker(field, source)

    def checked(cell: str) -> Found | None:
        if cell.strip(BLANKS) in nulls:
            if field.required:
                return faults.MISSING_CELL, "the cell is missing", "a value: the column is required"
            return None
        return check(cell)

    return checked


def _checker(field: DataField, source: CsvSource) -> Checker:
    if isinstance(field, NumberField):
        return lambda cell: _number_fault(plain_number(cell, source), field)
    if isinstance(field, TextField):
        return lambda cell: text_fault(cell, field)
    pattern = re.compile(date_pattern(field.format))
    return lambda cell: _date_fault(cell.strip(BLANKS), field, pattern)


def plain_number(cell: str, source: CsvSource) -> str:
    """The owner's spelling of a number as the plain one."""
    text = cell.strip(BLANKS)
    if source.thousands:
        text = text.replace(source.thousands, "")
    if source.decimal != ".":
        text = text.translate(str.maketrans(".,", "x."))
    return text


def _number_fault(text: str, field: NumberField) -> Found | None:
    if _NOT_FINITE.fullmatch(text):
        return faults.NOT_FINITE, "not a finite number", "a number, or a declared null marker"
    if not _NUMBER.fullmatch(text):
        return faults.NOT_A_NUMBER, "not a number as the schema spells them", "digits and sign"
    return bounds_fault(Decimal(text), field)


def bounds_fault(value: Decimal, field: NumberField) -> Found | None:
    """The fault of a number outside the declared bounds."""
    if field.bounds is None or field.bounds[0] <= value <= field.bounds[1]:
        return None
    low, high = (decimal_text(bound) for bound in field.bounds)
    return faults.OUTSIDE, "value out of range", f"[{low}, {high}]"


def text_fault(cell: str, field: TextField) -> Found | None:
    """The fault of a text that is no declared level, or has another width."""
    text = unicodedata.normalize("NFC", cell)
    if field.levels is not None and text not in field.levels:
        return faults.UNKNOWN_LEVEL, "no declared level", ", ".join(field.levels)[:200]
    if field.width is not None and len(text) != field.width:
        return faults.WRONG_WIDTH, "another width", f"{field.width} characters"
    return None


def _date_fault(text: str, field: DateField, pattern: re.Pattern[str]) -> Found | None:
    wrong = faults.NOT_A_DATE, "not a date of the declared format", field.format
    if not pattern.fullmatch(text):
        return wrong
    try:
        datetime.strptime(text, field.format)
    except ValueError:
        return wrong
    return None


def fault_of(found: Found, column: str, line: int) -> Fault:
    """``found`` at its place."""
    code, what, allowed = found
    return Fault(code, column, what, allowed, line, 0)
