"""A Parquet data set read once at registration against its owner's schema, by the engine."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import duckdb

from mpc.errors import Fault
from parties.data import faults
from parties.data.faults import LISTED_MAX, FaultList
from parties.data.rules import FLOAT_TYPES, INTEGER_TYPES
from parties.data.sandbox import identifier, listed, literal, rows
from parties.data.schema import DataField, DateField, NumberField, TableSchema, TextField

DATE_TYPES = ("DATE", "TIMESTAMP", "TIMESTAMP_S", "TIMESTAMP_MS", "TIMESTAMP_NS")


def parquet_types(engine: duckdb.DuckDBPyConnection, path: Path) -> dict[str, str]:
    """Header → the engine's type."""
    described = rows(engine, f"DESCRIBE SELECT * FROM read_parquet({literal(str(path))})")
    return {str(row[0]): str(row[1]) for row in described}


def check_parquet(
    engine: duckdb.DuckDBPyConnection,
    path: Path,
    schema: TableSchema,
    types: dict[str, str],
    found: FaultList,
) -> int:
    """Hold every cell of ``path`` to the schema; the number of rows, for the owner alone.

    Lines of the faults are row numbers from 1.
    """
    for name, field in schema.columns.items():
        header = schema.header(name)
        if header not in types:
            continue
        if not _fits(field, types[header]):
            what = f"stored as {types[header].split('(')[0]}"
            found.add(str(path), Fault(faults.WRONG_TYPE, name, what, f"a {field.type}"))
            continue
        for code, what, allowed, wrong in _tests(field, identifier(header), types[header]):
            select = (
                f"SELECT file_row_number + 1 FROM read_parquet({literal(str(path))},"
                f" file_row_number = true) WHERE {wrong} ORDER BY 1 LIMIT {LISTED_MAX + 1}"
            )
            for (line,) in rows(engine, select):
                found.add(str(path), Fault(code, name, what, allowed, int(line)))
    counted = rows(engine, f"SELECT count(*) FROM read_parquet({literal(str(path))})")
    return int(counted[0][0])


def _fits(field: DataField, sql_type: str) -> bool:
    base = sql_type.split("(", maxsplit=1)[0]
    if isinstance(field, NumberField):
        numbers = {*INTEGER_TYPES, *FLOAT_TYPES, "DECIMAL", "UBIGINT", "HUGEINT"}
        return base in numbers
    if isinstance(field, TextField):
        return base in ("VARCHAR", "ENUM")
    return base in DATE_TYPES


def _tests(field: DataField, cell: str, sql_type: str) -> Sequence[tuple[str, str, str, str]]:
    tests = []
    if field.required:
        tests.append((faults.MISSING_CELL, "the cell is missing", "a value", f"{cell} IS NULL"))
    if isinstance(field, NumberField):
        if sql_type in FLOAT_TYPES:
            wrong = f"NOT isfinite({cell})"
            tests.append((faults.NOT_FINITE, "not a finite number", "a number", wrong))
        if field.bounds is not None:
            low, high = field.bounds
            wrong = f"{cell} < {low:f} OR {cell} > {high:f}"
            tests.append((faults.OUTSIDE, "value out of range", f"[{low:f}, {high:f}]", wrong))
    elif isinstance(field, TextField):
        text = f"nfc_normalize(CAST({cell} AS VARCHAR))"
        if field.levels is not None:
            wrong = f"{text} IS NOT NULL AND NOT list_contains({listed(field.levels)}, {text})"
            allowed = ", ".join(field.levels)[:200]
            tests.append((faults.UNKNOWN_LEVEL, "no declared level", allowed, wrong))
        if field.width is not None:
            wrong = f"length({text}) <> {field.width}"
            tests.append((faults.WRONG_WIDTH, "another width", f"{field.width} characters", wrong))
    elif isinstance(field, DateField):
        wrong = f"{cell} IS NOT NULL AND TRY_CAST({cell} AS DATE) IS NULL"
        tests.append((faults.NOT_A_DATE, "not a date", "a calendar day", wrong))
    return tests
