"""Rows in memory as a bounded table: the declared rules written out plainly, cell by cell.

Slow and short on purpose. Whatever an owner's engine makes of its files must agree with this on
every row; tests compare the two.
"""

from __future__ import annotations

import hmac
import re
import unicodedata
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from fractions import Fraction
from itertools import product
from math import isfinite
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from mpc.columns.model import CategoryColumn, Column, DateColumn, IdColumn, NumberColumn, UseLevel
from mpc.layout import Axis
from mpc.study.model import FirstBy, PersonUnit, RowUnit, Table
from mpc.study.where import column_names, evaluate, iso_day, parse_where
from mpc.table.model import CellSums, columns_asked

Raw: TypeAlias = "str | int | float | Decimal | date | bool | None"
Bounded: TypeAlias = "dict[str, int | str | None]"

EPOCH = date(1970, 1, 1)
_NUMBER = re.compile(
    r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE](?:[+]?[0-9]{1,2}|-[0-9]{1,3}))?"
)
"""Exponents go to 99, and below 0 to -999: what would be infinite as a float is no number."""


class MemoryTable:
    """``rows`` of raw cells, each made an integer, a level or excluded by the study's rules."""

    def __init__(self, rows: Sequence[Mapping[str, Raw]], table: Table, key: bytes = b"") -> None:
        """``key``: of the HMAC by which rows are kept, if the study keeps them so."""
        where = parse_where(table.where, table.columns)
        bounded = [bound_row(row, table.columns) for row in rows]
        self._rows = [row for row in bounded if evaluate(where, row)]
        self._table = table
        self._filtered = frozenset(column_names(where))
        self._key = key

    def cell_sums(self, asked: tuple[CellSums, ...]) -> tuple[NDArray[np.object_], ...]:
        """See :class:`mpc.table.model.BoundedTable`."""
        unit = self._table.unit
        if isinstance(unit, RowUnit):
            return tuple(self._sums(request, self._rows) for request in asked)
        rows = self._first_rows(unit, columns_asked(asked) | self._filtered)
        return tuple(
            self._sums(request, _first_in_groups(request, rows, unit)) for request in asked
        )

    def _first_rows(self, unit: PersonUnit, used: frozenset[str]) -> list[Bounded]:
        """Everybody's first ``rows_max`` rows, in order."""
        first = unit.keep.first_by if isinstance(unit.keep, FirstBy) else None
        columns = {
            name: column
            for name, column in self._table.columns.items()
            if name in used or name == first
        }
        taken: Counter[int | str] = Counter()
        rows: list[Bounded] = []
        for row in sorted(
            (row for row in self._rows if row[unit.column] is not None),
            key=lambda row: _place(row, unit, columns, self._key),
        ):
            person = row[unit.column]
            if person is not None and taken[person] < unit.rows_max:
                taken[person] += 1
                rows.append(row)
        return rows

    def _sums(self, request: CellSums, rows: Sequence[Bounded]) -> NDArray[np.object_]:
        places = product(*(range(len(axis.labels)) for axis in request.axes))
        sums: dict[tuple[int, ...], list[int]] = {
            place: [0] * len(request.powers) for place in places
        }
        for row in rows:
            labels = _labels(request.axes, row)
            place = tuple(label for label in labels if label is not None)
            value = 1 if request.term is None else row[request.term.column]
            if len(place) < len(labels) or value is None:
                continue
            base = int(value) - (0 if request.term is None else request.term.centre)
            for index, power in enumerate(request.powers):
                sums[place][index] += base**power
        answer = np.empty((len(request.powers), len(sums)), dtype=object)
        answer[:, :] = np.array(list(sums.values()), dtype=object).T
        return answer


def _first_in_groups(request: CellSums, rows: Sequence[Bounded], unit: PersonUnit) -> list[Bounded]:
    """Of ``rows`` in order, everybody's first ``group_rows`` in each group."""
    taken: Counter[tuple[object, ...]] = Counter()
    kept: list[Bounded] = []
    for row in rows:
        place = (row[unit.column], *_labels(request.group_axes, row))
        taken[place] += 1
        if taken[place] <= unit.group_rows:
            kept.append(row)
    return kept


def _labels(axes: Sequence[Axis], row: Bounded) -> list[int | None]:
    return [label_of(axis, row[axis.column]) for axis in axes]


def _place(
    row: Bounded, unit: PersonUnit, columns: Mapping[str, Column], key: bytes
) -> tuple[tuple[bool, int] | str, ...]:
    """What rows are sorted by."""
    integers = {name: _integer(row[name], column) for name, column in columns.items()}
    if isinstance(unit.keep, FirstBy):
        names = (unit.keep.first_by, *columns)
        return tuple((integers[name] is None, integers[name] or 0) for name in names)
    text = "".join(f"{'' if each is None else each}," for each in integers.values())
    return (hmac.new(key, f"{text}{row[unit.column]}".encode(), "sha256").hexdigest(),)


def _integer(value: int | str | None, column: Column) -> int | None:
    if isinstance(column, CategoryColumn):
        return None if value is None else column.levels.index(str(value))
    return None if value is None else int(value)


def bound_row(row: Mapping[str, Raw], columns: Mapping[str, Column]) -> Bounded:
    """Every declared column of ``row`` in steps, days or as a level; None where excluded."""
    return {name: bound_cell(row.get(name), column) for name, column in columns.items()}


def bound_cell(cell: Raw, column: Column) -> int | str | None:
    """What one cell contributes by its column's rule, or None if the row does not count."""
    if isinstance(column, NumberColumn):
        return _bound_number(_number(cell), column)
    if isinstance(column, CategoryColumn):
        return _bound_level(_level(cell), column)
    if isinstance(column, IdColumn):
        return _level(cell)
    return _bound_day(_day(cell), column)


def label_of(axis: Axis, value: int | str | None) -> int | None:
    """Index of the label that ``value`` falls in, or None."""
    if value is None:
        return None
    if not axis.edges:
        return axis.labels.index(str(value)) if value in axis.labels else None
    point = int(value)
    last = len(axis.labels) - 1
    for index in range(last + 1):
        low, high = axis.edges[index], axis.edges[index + 1]
        if low <= point < high or (index == last and point == high):
            return index
    return None


def _bound_number(value: Fraction | None, column: NumberColumn) -> int | None:
    if value is None:
        return column.missing_step
    low, high = (Fraction(bound) for bound in column.bounds)
    if not low <= value <= high:
        if column.outside == "exclude":
            return None
        value = max(low, min(high, value))
    return max(column.low, min(column.high, round(value / Fraction(column.step))))


def _bound_level(text: str | None, column: CategoryColumn) -> str | None:
    if text is not None and text not in column.levels:
        if column.unknown_level == "exclude":
            return None
        text = None
    if text is None:
        return column.missing.level if isinstance(column.missing, UseLevel) else None
    return text


def _bound_day(day: int | None, column: DateColumn) -> int | None:
    if day is None:
        return None
    if not column.low <= day <= column.high:
        return None if column.outside == "exclude" else max(column.low, min(column.high, day))
    return day


def _number(cell: Raw) -> Fraction | None:
    """The exact number in a cell; None for blank, unparsable, NaN and infinite."""
    if isinstance(cell, str):
        text = cell.strip()
        return Fraction(text) if _NUMBER.fullmatch(text) else None
    if isinstance(cell, bool) or cell is None or isinstance(cell, date):
        return None
    return Fraction(cell) if isfinite(cell) else None


def _level(cell: Raw) -> str | None:
    """The text in a cell without blanks at its ends, in NFC; None for blank."""
    if cell is None or (isinstance(cell, float) and not isfinite(cell)):
        return None
    text = str(cell).lower() if isinstance(cell, bool) else str(cell)
    return unicodedata.normalize("NFC", text.strip()) or None


def _day(cell: Raw) -> int | None:
    """Days since 1970-01-01; None for blank and unparsable."""
    if isinstance(cell, datetime):
        cell = cell.date()
    if isinstance(cell, str):
        return iso_day(cell.strip())
    return (cell - EPOCH).days if isinstance(cell, date) else None
