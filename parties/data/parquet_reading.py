"""A Parquet data set read once at registration against its owner's schema, by the engine."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from mpc.errors import EngineFailed, Fault
from parties.data import faults
from parties.data.expectations import expectations, is_stored_as
from parties.data.faults import FaultList
from parties.data.sandbox import identifier, literal, rows, whole_reading
from parties.data.schema import TableSchema

if TYPE_CHECKING:
    import duckdb


def parquet_types(
    engine: duckdb.DuckDBPyConnection, path: Path, found: FaultList
) -> dict[str, str] | None:
    """Header → the engine's type; None, and a fault, if the file is no Parquet file."""
    try:
        described = rows(engine, f"DESCRIBE SELECT * FROM {_relation(path)}")
    except EngineFailed:
        what = "not a Parquet file that the engine can read"
        found.add(str(path), Fault(faults.NOT_PARQUET, "file", what, "Parquet, not encrypted"))
        return None
    return {str(row[0]): str(row[1]) for row in described}


def check_parquet(
    engine: duckdb.DuckDBPyConnection,
    path: Path,
    schema: TableSchema,
    types: Mapping[str, str],
    found: FaultList,
) -> int:
    """Hold every cell of ``path`` to the schema; the number of rows, for the owner alone.

    Lines of the faults are row numbers, columns count in the file, both from 1.
    """
    headers = list(types)
    expected = []
    for name, field in schema.columns.items():
        header = schema.header(name)
        if header not in types:
            continue
        if not is_stored_as(field, types[header]):
            what = f"stored as {types[header].split('(')[0]}"
            found.add(str(path), Fault(faults.WRONG_TYPE, name, what, f"what {field.type} can be"))
            continue
        place = headers.index(header) + 1
        for each in expectations(schema, name, identifier(header), types[header]):
            expected.append((name, place, each))
    sums = ["count(*)", *(f"count(*) FILTER (WHERE {each.failed})" for _n, _p, each in expected)]
    sums.append(whole_reading([schema.header(name) for name in schema.columns]))
    try:
        (counts,) = rows(engine, f"SELECT {', '.join(sums)} FROM {_relation(path)}")
        for (name, place, each), count in zip(expected, counts[1:-1], strict=True):
            listed = min(int(count), max(found.room, faults.LINES_MAX))
            for (line,) in _places(engine, path, each.failed, listed):
                fault = Fault(each.code, name, each.what, each.allowed, int(line) + 1, place)
                found.add(str(path), fault)
            rest = Fault(each.code, name, each.what, each.allowed)
            found.count(str(path), rest, int(count) - listed)
    except EngineFailed:
        what = "a file that the engine cannot read to its end"
        found.add(str(path), Fault(faults.NOT_PARQUET, "file", what, "a whole Parquet file"))
        return 0
    return int(counts[0])


def _places(
    engine: duckdb.DuckDBPyConnection, path: Path, failed: str, limit: int
) -> list[tuple[int]]:
    if limit <= 0:
        return []
    relation = f"read_parquet({literal(str(path))}, file_row_number = true)"
    select = f"SELECT file_row_number FROM {relation} WHERE {failed} ORDER BY 1 LIMIT {limit}"
    return [(int(row[0]),) for row in rows(engine, select)]


def _relation(path: Path) -> str:
    return f"read_parquet({literal(str(path))}, hive_partitioning = false)"
