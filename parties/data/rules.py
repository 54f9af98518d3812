"""A study's rule for each cell as SQL: total, whatever the cell holds.

Two steps, so that the engine reads each cell once. A *reading* says what a cell is: exact units of
a number (a double stays one), a calendar day, the index of a level, or that it is missing. The
*rule* makes of it a BIGINT (steps, days, index), or NULL where the row does not count for the
column, in the order of DESIGN §4: missing and unparsable by rule, clip, round to the grid (halves
to even), clip again.

Every rounding is that of the exact value. A binary float counts as the number it is: 0.15 is
slightly below a fifteenth hundredth, so at step 0.1 it is 1 step, while the text '0.15' is a tie
and becomes 2. :mod:`mpc.testing.table` says all this in plain Python, and tests compare the two.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from enum import Enum
from fractions import Fraction

from mpc.columns.model import (
    CategoryColumn,
    Column,
    DateColumn,
    IdColumn,
    NumberColumn,
    UseLevel,
)
from parties.data.floats import nearest_step
from parties.data.grid import Grid
from parties.data.notation import WORD_MAX, Notation, regular, trimmed, unit_type
from parties.data.sandbox import among, literal
from parties.data.schema import (
    CsvSource,
    DataField,
    DateField,
    IntegerField,
    NumberField,
    TableSchema,
    TextField,
)

INTEGER_TYPES = frozenset(
    ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT")
)
WORD_TYPES = frozenset(("BIGINT", "UBIGINT"))
FLOAT_TYPES = frozenset(("FLOAT", "DOUBLE"))
DECIMAL_DIGITS_MAX = 18  # of decimals read as integers


class Form(Enum):
    """What a reading gives."""

    UNITS = "units"  # integers of 10^-scale
    FLOAT = "float"  # finite doubles
    DAY = "day"  # a DATE
    LEVEL = "level"  # index of a level, the rule applied
    TEXT = "text"  # an id, the rule applied


@dataclass(frozen=True)
class Reading:
    """``sql`` over the scanned column, in ``form``; NULL if the cell is missing or unreadable."""

    sql: str
    form: Form
    scale: int = 0


def notation_of(schema: TableSchema, field: DataField) -> Notation:
    """How ``field`` writes its cells."""
    source = schema.source
    whole = isinstance(field, IntegerField)
    if isinstance(source, CsvSource):
        return Notation(source.decimal, source.thousands, source.null, whole)
    return Notation(whole=whole)


def reading(schema: TableSchema, name: str, column: Column, cell: str, sql_type: str) -> Reading:
    """What the cells of column ``name`` are. ``sql_type``: the engine's type of ``cell``.

    Raises ValueError if the column does not fit the schema (``TableSchema.misfits`` says why).
    """
    field = schema.columns[name]
    notation = notation_of(schema, field)
    if isinstance(column, NumberColumn) and isinstance(field, NumberField | IntegerField):
        grid = Grid.of(column)
        read = number_reading(cell, grid, sql_type, notation)
        if read.form is Form.FLOAT and is_clipped_when_read(column):
            low, high = float_literals(grid)
            clipped = held(f"CAST({cell} AS DOUBLE)", low, high)
            return Reading(f"(CASE WHEN isfinite({cell}) THEN {clipped} END)", Form.FLOAT)
        return read
    if isinstance(column, CategoryColumn) and isinstance(field, TextField):
        stored = not isinstance(schema.source, CsvSource)
        level = _level(cell, column, notation, sql_type, stored=stored)
        return Reading(level, Form.LEVEL)
    if isinstance(column, IdColumn) and isinstance(field, TextField):
        return Reading(_identity(cell, notation), Form.TEXT)
    if isinstance(column, DateColumn) and isinstance(field, DateField):
        return Reading(day_of(cell, field, sql_type, notation), Form.DAY)
    raise ValueError(f"column {name} does not fit the schema")


def number_reading(cell: str, grid: Grid, sql_type: str, notation: Notation) -> Reading:
    """A number of any declared type, exactly."""
    if sql_type in FLOAT_TYPES:
        return Reading(f"(CASE WHEN isfinite({cell}) THEN CAST({cell} AS DOUBLE) END)", Form.FLOAT)
    if sql_type in INTEGER_TYPES:
        if sql_type in WORD_TYPES:
            cell = held(cell, str(-WORD_MAX) if sql_type == "BIGINT" else "0", str(WORD_MAX))
        return _scaled(f"CAST({cell} AS BIGINT)", 0, grid)
    if sql_type.startswith("DECIMAL("):
        width, places = (int(each) for each in sql_type[8:-1].split(","))
        if width <= DECIMAL_DIGITS_MAX:
            # 19 digits make DuckDB multiply in 128 bits: in 64 the product could overflow.
            wide = f"CAST({cell} AS DECIMAL({max(width, DECIMAL_DIGITS_MAX + 1)}, {places}))"
            factor = cell if width + places < DECIMAL_DIGITS_MAX else wide
            return _scaled(f"CAST({factor} * {10**places} AS BIGINT)", places, grid)
        cell = f"CAST({cell} AS VARCHAR)"
    return Reading(notation.units(cell, grid), Form.UNITS, grid.scale)


def _scaled(value: str, scale: int, grid: Grid) -> Reading:
    """Integers of 10^-scale; coarser ones than the grid's become units of its places."""
    if scale >= grid.places:
        return Reading(value, Form.UNITS, scale)
    finer = 10 ** (grid.places - scale)
    low = max(math.floor(grid.low * grid.step * 10**scale) - 1, -WORD_MAX)
    high = min(math.ceil(grid.high * grid.step * 10**scale) + 1, WORD_MAX)
    kind = unit_type(Fraction(low, 10**scale), Fraction(high, 10**scale), grid.places)
    near = held(value, str(low), str(high))
    return Reading(f"(CAST({near} AS {kind}) * {finer})", Form.UNITS, grid.places)


def held(value: str, low: str, high: str) -> str:
    """``value`` clipped; NULL stays NULL, which least() and greatest() would not leave so."""
    return (
        f"(CASE WHEN {value} < {low} THEN {low} WHEN {value} > {high} THEN {high} ELSE {value} END)"
    )


def rule(column: Column, read: Reading, cell: str) -> str:
    """What the row contributes, over ``cell``, the column of readings; numbers not yet clipped."""
    if isinstance(column, CategoryColumn | IdColumn):
        return cell
    if isinstance(column, DateColumn):
        return _day_rule(column, cell)
    return _number_rule(column, read, cell)


def clip(column: Column, cell: str) -> str:
    """The last clip, as integers, over ``cell``, the column of what rows contribute."""
    if isinstance(column, NumberColumn):
        return held(cell, str(column.low), str(column.high))
    return cell


def _number_rule(column: NumberColumn, read: Reading, cell: str) -> str:
    grid = Grid.of(column)
    cases = []
    if column.missing_step is not None:
        cases.append(f"WHEN {cell} IS NULL THEN {column.missing_step}")
    if read.form is Form.FLOAT:
        low, high = float_literals(grid)
        step = nearest_step(cell, grid)
        bounded = is_clipped_when_read(column)
    else:
        each = grid.numerator * 10 ** (read.scale - grid.places)
        low, high = str(grid.low * each), str(grid.high * each)
        step = _nearest(cell, grid, each)
        bounded = column.outside == "clip" and each == 1
    if not bounded:
        below, beyond = "NULL", "NULL"
        if column.outside == "clip":
            below, beyond = str(column.low), str(column.high)
        cases.append(f"WHEN {cell} < {low} THEN {below} WHEN {cell} > {high} THEN {beyond}")
    return f"(CASE {' '.join(cases)} ELSE {step} END)" if cases else step


def is_clipped_when_read(column: NumberColumn) -> bool:
    """Whether doubles are clipped before they are rounded: if the result is then the bound."""
    grid = Grid.of(column)
    ends = [round(Fraction(end) / grid.step) for end in float_bounds(grid)]
    return column.outside == "clip" and ends == [grid.low, grid.high]


def float_literals(grid: Grid) -> tuple[str, str]:
    """The bounds as SQL doubles that lie within them."""
    low, high = (f"CAST('{end!r}' AS DOUBLE)" for end in float_bounds(grid))
    return low, high


def float_bounds(grid: Grid) -> tuple[float, float]:
    """The least double not below the lower bound, the greatest not above the upper one."""
    exact_low, exact_high = grid.low * grid.step, grid.high * grid.step
    low, high = float(exact_low), float(exact_high)
    if Fraction(low) < exact_low:
        low = math.nextafter(low, math.inf)
    if Fraction(high) > exact_high:
        high = math.nextafter(high, -math.inf)
    return low, high


def _nearest(cell: str, grid: Grid, each: int) -> str:
    """Steps of ``each`` units nearest to ``cell`` units, halves to even; within the bounds."""
    if each == 1:
        return f"CAST({cell} AS BIGINT)"
    kind = unit_type(grid.low, grid.high, 0)
    if max(abs(grid.low), abs(grid.high)) * each >= WORD_MAX:
        cell, kind = f"CAST({cell} AS HUGEINT)", "HUGEINT"
    above = f"({cell} - ({grid.low * each}))"
    steps, rest = f"({above} // {each}::{kind})", f"({above} % {each}::{kind})"
    odd = f"({steps} + {grid.low % 2}) % 2 = 1"
    up = f"(2 * {rest} > {each} OR (2 * {rest} = {each} AND {odd}))"
    return f"CAST({grid.low} + {steps} + CASE WHEN {up} THEN 1 ELSE 0 END AS BIGINT)"


def _level(
    cell: str, column: CategoryColumn, notation: Notation, sql_type: str, *, stored: bool
) -> str:
    """The index of the level a cell stands for by the column's rule, or NULL."""
    levels = ", ".join(literal(level) for level in column.levels)
    written = f"CAST({cell} AS VARCHAR)"
    bare = f"nfc_normalize({trimmed(written)})"
    # In text files the common case comes first: trimming is slow. Of stored text, the engine looks
    # at each distinct value once, if nothing but functions of one argument stand there.
    texts = (bare,) if stored else (f"nfc_normalize({written})", bare)
    codes = [f"CAST(enum_code(TRY_CAST({text} AS ENUM({levels}))) AS INTEGER)" for text in texts]
    if sql_type == "BOOLEAN":
        yes, no = (_index(column, word) for word in ("true", "false"))
        codes = [f"(CASE WHEN {cell} THEN {yes} WHEN NOT {cell} THEN {no} END)"]
    missing = "NULL"
    if isinstance(column.missing, UseLevel):
        missing = str(column.levels.index(column.missing.level))
        if column.unknown_level == "exclude":
            absent = f"{cell} IS NULL OR {among(bare, ['', *notation.null])}"
            codes.append(f"CASE WHEN {absent} THEN {missing} END")
        else:
            codes.append(missing)
    code = f"coalesce({', '.join(codes)})" if len(codes) > 1 else codes[0]
    markers = [marker for marker in notation.null if marker in column.levels]
    if markers:
        return f"(CASE WHEN {among(bare, markers)} THEN {missing} ELSE {code} END)"
    return code


def _identity(cell: str, notation: Notation) -> str:
    """Whose row it is, or NULL."""
    bare = f"nfc_normalize({trimmed(f'CAST({cell} AS VARCHAR)')})"
    return f"(CASE WHEN NOT {among(bare, ['', *notation.null])} THEN {bare} END)"


def _index(column: CategoryColumn, level: str) -> str:
    return str(column.levels.index(level)) if level in column.levels else "CAST(NULL AS INTEGER)"


def day_of(cell: str, field: DateField, sql_type: str, notation: Notation) -> str:
    """The cell as a DATE; NULL if it is none, or a null marker."""
    if sql_type != "VARCHAR":
        return f"TRY_CAST({cell} AS DATE)"
    pattern, bare = date_pattern(field.format), trimmed(cell)
    cases = [
        f"WHEN {regular(text, pattern)}"
        f" THEN CAST(try_strptime({text}, {literal(field.format)}) AS DATE)"
        for text in (cell, bare)
    ]
    markers = [marker for marker in notation.null if re.fullmatch(pattern, marker)]
    if markers:
        cases.insert(0, f"WHEN {among(bare, markers)} THEN NULL")
    return f"(CASE {' '.join(cases)} END)"


def _day_rule(column: DateColumn, cell: str) -> str:
    day = f"datediff('day', DATE '1970-01-01', {cell})"
    if column.outside == "clip":
        clipped = f"least(greatest({day}, {column.low}), {column.high})"
        return f"(CASE WHEN isfinite({cell}) THEN {clipped} END)"
    within = f"isfinite({cell}) AND {day} BETWEEN {column.low} AND {column.high}"
    return f"(CASE WHEN {within} THEN {day} END)"


def date_pattern(form: str) -> str:
    """The regular expression of a declared date format: the widths that the format says."""
    widths = {
        "%Y": "(?:[1-9][0-9]{3}|0[1-9][0-9]{2}|00[1-9][0-9]|000[1-9])",
        "%m": "[0-9]{2}",
        "%d": "[0-9]{2}",
        "%-m": "[0-9]{1,2}",
        "%-d": "[0-9]{1,2}",
    }
    pattern = form.replace(".", "[.]")
    for code, digits in widths.items():
        pattern = pattern.replace(code, digits)
    return pattern
