"""A CSV data set read once at registration, line by line, against its owner's schema."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from pathlib import Path

from mpc.errors import Fault, UsageError
from parties.data import faults
from parties.data.cells import cell_checker, fault_of
from parties.data.faults import FaultList
from parties.data.schema import CsvSource, TableSchema

CELL_SIZE_MAX = 1 << 20


def read_header(path: Path, source: CsvSource) -> list[str] | None:
    """The header of a CSV file; None if it is empty. Raises UsageError if it is unreadable."""
    for _line, cells in _lines(path, source):
        return cells
    return None


def check_csv(path: Path, schema: TableSchema, header: Sequence[str], found: FaultList) -> int:
    """Hold every cell of ``path`` to the schema; the number of rows, for the owner alone."""
    source = schema.source
    if not isinstance(source, CsvSource):
        raise UsageError("no CSV table")
    places = [
        (name, header.index(schema.header(name)), cell_checker(field, source))
        for name, field in schema.columns.items()
        if schema.header(name) in header
    ]
    rows = 0
    try:
        lines = _lines(path, source)
        next(lines, None)
        for line, cells in lines:
            rows += 1
            if len(cells) != len(header):
                what = f"{len(cells)} fields, {len(header)} expected"
                found.add(str(path), Fault(faults.RAGGED, "row", what, "one cell a column", line))
                continue
            for name, index, check in places:
                wrong = check(cells[index])
                if wrong is not None:
                    found.add(str(path), fault_of(wrong, name, line))
    except UnicodeDecodeError:
        what = f"bytes that are not {source.encoding}"
        found.add(str(path), Fault(faults.ENCODING, "file", what, "the declared encoding"))
    except csv.Error:
        what = "a quote that does not close, or a cell that is too large"
        found.add(str(path), Fault(faults.STRUCTURE, "file", what, 'quotes as "…", doubled within'))
    return rows


def _lines(path: Path, source: CsvSource) -> Iterator[tuple[int, list[str]]]:
    """Every row with the number of its first line, from 1. A byte order mark is no data."""
    encoding = "utf-8-sig" if source.encoding == "utf-8" else source.encoding
    csv.field_size_limit(CELL_SIZE_MAX)
    try:
        stream = path.open(encoding=encoding, newline="")
    except OSError as failure:
        raise UsageError(f"{path} cannot be read: {failure.strerror}") from None
    with stream:
        reader = csv.reader(
            stream, delimiter=source.delimiter, quotechar='"', doublequote=True, strict=True
        )
        before = 0
        for cells in reader:
            line, before = before + 1, reader.line_num
            if cells:
                yield line, cells
