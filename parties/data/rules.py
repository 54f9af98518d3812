"""A study's rule for each cell as SQL: total, whatever the cell holds.

Each function gives an expression that is a BIGINT (steps, days, or the index of a level), or NULL
where the row does not count for the column. The order is that of DESIGN §4: missing and unparsable
by rule, clip, round to the grid (halves to even), clip again as integers. Text and decimals are
read exactly to 18 places; binary floats are divided by the step in double precision.
:mod:`mpc.testing.table` says the same in plain Python, and tests compare the two.
"""

from __future__ import annotations

from decimal import Decimal

from mpc.columns.model import CategoryColumn, Column, DateColumn, NumberColumn, UseLevel
from parties.data.sandbox import identifier, listed, literal
from parties.data.schema import CsvSource, DateField, NumberField, TableSchema, TextField

SCALE = 18
_DECIMAL = f"DECIMAL(38, {SCALE})"
_UNIT = 10**SCALE
NUMBER_PATTERN = r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]{1,3})?"
INTEGER_TYPES = {
    "TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT", "UINTEGER",
}  # fmt: skip
FLOAT_TYPES = {"FLOAT", "DOUBLE"}


def rule(schema: TableSchema, name: str, column: Column, sql_type: str) -> str:
    """What a cell of ``name`` contributes, as a BIGINT expression over the scanned relation.

    ``sql_type``: the engine's type of the scanned column (VARCHAR for CSV).
    """
    field, cell = schema.columns[name], identifier(name)
    source = schema.source
    if isinstance(source, CsvSource):
        cell = _present(cell, source)
    if isinstance(column, NumberColumn) and isinstance(field, NumberField):
        return _number(cell, column, sql_type, source)
    if isinstance(column, CategoryColumn) and isinstance(field, TextField):
        return _level(cell, column)
    if isinstance(column, DateColumn) and isinstance(field, DateField):
        return _day(cell, column, field, sql_type)
    raise ValueError(f"column {name} does not fit the schema")


BLANKS = " \t\r\n\f\v"


def _trimmed(cell: str) -> str:
    return f"trim({cell}, {literal(BLANKS)})"


def _present(cell: str, source: CsvSource) -> str:
    """NULL for a blank cell and for the owner's null markers."""
    markers = listed(["", *source.null])
    return f"(CASE WHEN list_contains({markers}, {_trimmed(cell)}) THEN NULL ELSE {cell} END)"


def _number(cell: str, column: NumberColumn, sql_type: str, source: object) -> str:
    if sql_type in INTEGER_TYPES and column.step == 1:
        return _bounded(cell, column, known=f"{cell} IS NOT NULL", step=f"CAST({cell} AS BIGINT)")
    if sql_type in FLOAT_TYPES:
        value = f"CAST({cell} AS DOUBLE)"
        step = f"CAST(round_even({value} / {_double(column.step)}, 0) AS BIGINT)"
        return _bounded(value, column, known=f"isfinite({value})", step=step, exact=False)
    known = f"{cell} IS NOT NULL"
    if isinstance(source, CsvSource):
        cell = _plain_number(cell, source)
        known = f"regexp_full_match({cell}, {literal(NUMBER_PATTERN)})"
    return _decimal(cell, column, known)


def _plain_number(cell: str, source: CsvSource) -> str:
    """The owner's spelling of numbers as the plain one."""
    text = _trimmed(cell)
    if source.thousands:
        text = f"replace({text}, {literal(source.thousands)}, '')"
    if source.decimal != ".":
        # A point in a file of decimal commas is no decimal sign: let the pattern refuse it.
        text = f"translate({text}, '.,', 'x.')"
    return text


def _decimal(cell: str, column: NumberColumn, known: str) -> str:
    """Exact: in units of 10^-18 from the lower bound, divided by the step, halves to even."""
    value = f"TRY_CAST({cell} AS {_DECIMAL})"
    step = int(column.step * _UNIT)
    above = f"({value} - {_exact(column.bounds[0])})"
    whole, part = f"trunc({above})", f"({above} - trunc({above}))"
    units = f"(CAST({whole} AS HUGEINT) * {_UNIT}::HUGEINT + CAST({part} * {_UNIT} AS HUGEINT))"
    quotient, rest = f"({units} // {step}::HUGEINT)", f"({units} % {step}::HUGEINT)"
    steps = (
        f"({column.low} + CAST({quotient} + CASE WHEN 2 * {rest} > {step}::HUGEINT"
        f" OR (2 * {rest} = {step}::HUGEINT AND ({column.low} + {quotient}) % 2 <> 0)"
        f" THEN 1 ELSE 0 END AS BIGINT))"
    )
    too_large = f"{value} IS NULL"
    side = f"CASE WHEN TRY_CAST({cell} AS DOUBLE) > 0 THEN {column.high} ELSE {column.low} END"
    beyond = side if column.outside == "clip" else "NULL"
    return (
        f"(CASE WHEN {known} IS NOT TRUE THEN {_missing(column)}"
        f" WHEN {too_large} THEN {beyond}"
        f" ELSE {_bounded(value, column, known='TRUE', step=steps)} END)"
    )


def _bounded(value: str, column: NumberColumn, *, known: str, step: str, exact: bool = True) -> str:
    """Missing by rule, outside by rule, else ``step`` clipped once more as an integer."""
    low, high = ((_exact(bound) if exact else _double(bound)) for bound in column.bounds)
    below, beyond = ("NULL", "NULL")
    if column.outside == "clip":
        below, beyond = str(column.low), str(column.high)
    return (
        f"(CASE WHEN {known} IS NOT TRUE THEN {_missing(column)}"
        f" WHEN {value} < {low} THEN {below} WHEN {value} > {high} THEN {beyond}"
        f" ELSE least(greatest({step}, {column.low}), {column.high}) END)"
    )


def _missing(column: NumberColumn) -> str:
    return "NULL" if column.missing_step is None else str(column.missing_step)


def _exact(value: Decimal) -> str:
    return f"CAST('{value:f}' AS {_DECIMAL})"


def _double(value: Decimal) -> str:
    return f"CAST('{float(value)!r}' AS DOUBLE)"


def _level(cell: str, column: CategoryColumn) -> str:
    index = {level: number for number, level in enumerate(column.levels)}
    missing = "NULL"
    if isinstance(column.missing, UseLevel):
        missing = str(index[column.missing.level])
    unknown = "NULL" if column.unknown_level == "exclude" else missing
    levels = ", ".join(literal(level) for level in column.levels)
    text = f"nfc_normalize(CAST({cell} AS VARCHAR))"
    code = f"enum_code(TRY_CAST({text} AS ENUM({levels})))"
    return (
        f"(CASE WHEN {cell} IS NULL OR {_trimmed(f'CAST({cell} AS VARCHAR)')} = ''"
        f" THEN {missing} ELSE COALESCE(CAST({code} AS BIGINT), {unknown}) END)"
    )


def _day(cell: str, column: DateColumn, field: DateField, sql_type: str) -> str:
    if sql_type == "VARCHAR":
        text = _trimmed(cell)
        written = f"regexp_full_match({text}, {literal(date_pattern(field.format))})"
        parsed = f"CAST(try_strptime({text}, {literal(field.format)}) AS DATE)"
        day = f"CASE WHEN {written} THEN {parsed} END"
    else:
        day = f"TRY_CAST({cell} AS DATE)"
    number = f"CAST(({day}) - DATE '1970-01-01' AS BIGINT)"
    if column.outside == "clip":
        clipped = f"least(greatest({number}, {column.low}), {column.high})"
        return f"(CASE WHEN {number} IS NULL THEN NULL ELSE {clipped} END)"
    return f"(CASE WHEN {number} BETWEEN {column.low} AND {column.high} THEN {number} END)"


def date_pattern(form: str) -> str:
    """The regular expression of a declared date format: fixed widths, as the format says."""
    widths = {"%Y": "[0-9]{4}", "%m": "[0-9]{2}", "%d": "[0-9]{2}"}
    pattern = form.replace(".", r"\.")
    for code, digits in widths.items():
        pattern = pattern.replace(code, digits)
    return pattern
