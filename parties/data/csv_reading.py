"""A CSV data set read once at registration against its owner's schema.

The engine reads every cell with the expressions that studies use: what it cannot read now, no
study ever sees. Only if it finds a fault, or another number of rows than the lines of the file
say, Python reads the file again, line by line, to tell the owner where.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from pathlib import Path

from mpc.errors import EngineFailed, Fault, UsageError
from parties.data import faults
from parties.data.cells import cell_checker
from parties.data.encodings import CODECS, faulty_line, readable
from parties.data.expectations import Expectation, expectations
from parties.data.faults import FaultList
from parties.data.lines import count_records
from parties.data.sandbox import identifier, rows, sandboxed, whole_reading
from parties.data.scan import scan
from parties.data.schema import CsvSource, TableSchema

CELL_SIZE_MAX = 1 << 20
READING_THREADS = 2
READING_MEMORY_MB = 2048


def read_header(path: Path, source: CsvSource) -> list[str] | None:
    """The header of a CSV file; None if it is empty.

    Raises UsageError if it cannot be opened, UnicodeError in another encoding.
    """
    for _line, cells in _lines(path, source):
        return cells
    return None


def first_line(path: Path, source: CsvSource) -> str:
    """The first line of a CSV file as text, uncut; of a very long one, its beginning."""
    with path.open(encoding=CODECS[source.encoding], errors="replace") as stream:
        return stream.readline(CELL_SIZE_MAX)


def check_csv(
    path: Path, schema: TableSchema, header: Sequence[str], found: FaultList, temporary: Path
) -> int:
    """Hold every cell of ``path`` to the schema; the number of rows, for the owner alone.

    ``header`` must hold every column of the schema once.
    """
    source = schema.source
    if not isinstance(source, CsvSource):
        raise UsageError("no CSV table")
    expected = [
        (name, each)
        for name in schema.columns
        for each in expectations(schema, name, identifier(name), "VARCHAR")
    ]
    try:
        with readable([path], source, temporary) as files:
            shape = count_records(files[0], source.delimiter, len(header))
            counts = _counted(files, schema, header, expected, temporary)
    except EngineFailed:
        shape, counts = None, None
    if shape is not None and counts is not None and counts[0] == shape and not any(counts[1:]):
        return shape
    before = len(found)
    read = _tell(path, schema, source, header, found)
    if len(found) > before:
        return read
    if counts is None or counts[0] != shape or shape != read:
        what = "lines that readers understand differently"
        allowed = "one kind of line end, quotes doubled, no NUL, no line break in the header"
        found.add(str(path), Fault(faults.STRUCTURE, "file", what, allowed))
    else:
        for (name, each), number in zip(expected, counts[1:], strict=True):
            found.count(str(path), Fault(each.code, name, each.what, each.allowed), number)
    return read


def _counted(
    files: Sequence[Path],
    schema: TableSchema,
    header: Sequence[str],
    expected: Sequence[tuple[str, Expectation]],
    temporary: Path,
) -> list[int]:
    """Rows, and failures of each expectation, as the engine sees them."""
    relation = scan(schema, files, list(schema.columns), header)
    sums = ["count(*)", *(f"count(*) FILTER (WHERE {each.failed})" for _name, each in expected)]
    sums.append(whole_reading(list(schema.columns)))
    with sandboxed(files, temporary, READING_THREADS, READING_MEMORY_MB) as engine:
        (counts,) = rows(engine, f"SELECT {', '.join(sums)} FROM ({relation})")
    return [int(count) for count in counts[:-1]]


def _tell(
    path: Path, schema: TableSchema, source: CsvSource, header: Sequence[str], found: FaultList
) -> int:
    """Every fault with its place: line, and column counted in fields. The number of rows."""
    places = [
        (name, header.index(schema.header(name)), cell_checker(schema, name))
        for name in schema.columns
    ]
    count, line = 0, 1
    try:
        lines = _lines(path, source)
        next(lines, None)
        for line, cells in lines:
            if not cells and len(header) > 1:
                continue  # a blank line
            count += 1
            filled = cells or [""]
            if len(filled) != len(header):
                what = f"{len(filled)} fields, {len(header)} expected"
                found.add(str(path), Fault(faults.RAGGED, "row", what, "one cell a column", line))
                continue
            for name, index, check in places:
                wrong = check(filled[index])
                if wrong is not None:
                    found.add(str(path), Fault(wrong[0], name, *wrong[1:], line, index + 1))
    except UnicodeError:
        found.add(str(path), encoding_fault(path, source))
    except csv.Error:
        what = "a quote that does not close, or a cell that is too large"
        allowed = 'quotes as "…", doubled within'
        found.add(str(path), Fault(faults.STRUCTURE, "file", what, allowed, line + 1))
    return count


def encoding_fault(path: Path, source: CsvSource) -> Fault:
    """That ``path`` is not in its declared encoding, and the line where that shows."""
    what, line = f"bytes that are not {source.encoding}", faulty_line(path, source.encoding) or 0
    return Fault(faults.ENCODING, "file", what, "the declared encoding", line)


def _lines(path: Path, source: CsvSource) -> Iterator[tuple[int, list[str]]]:
    """Every record with the number of its first line, from 1. A byte order mark is no data."""
    csv.field_size_limit(CELL_SIZE_MAX)
    try:
        stream = path.open(encoding=CODECS[source.encoding], newline="")
    except OSError as failure:
        raise UsageError(f"{path} cannot be read: {failure.strerror}") from None
    with stream:
        reader = csv.reader(
            stream, delimiter=source.delimiter, quotechar='"', doublequote=True, strict=True
        )
        before = 0
        for cells in reader:
            line, before = before + 1, reader.line_num
            yield line, cells
