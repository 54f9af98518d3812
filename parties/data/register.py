"""``parley data register``: a data set held to its owner's schema once, and announced by number.

Everything that is wrong is told here, to the owner alone, with file, line and column. At study time
no row is ever refused: the study's declared rules say what each cell contributes.
"""

from __future__ import annotations

import csv
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

from mpc.errors import DataFaults, Fault, UsageError
from mpc.study.spelling import listed, nearest, shown
from parties.config import NodeConfig
from parties.data import faults
from parties.data.catalogue import DATABASE
from parties.data.csv_reading import (
    READING_MEMORY_MB,
    READING_THREADS,
    check_csv,
    encoding_fault,
    first_line,
    read_header,
)
from parties.data.faults import FaultList, Telling
from parties.data.parquet_reading import check_parquet, parquet_types
from parties.data.sandbox import GLOB_SIGNS, sandboxed
from parties.data.schema import CsvSource, SchemaFile, TableSchema, load_schema
from parties.data.versions import FileState, RegisteredVersion, VersionStore
from parties.system import SystemClock

ONE_COLUMN = "one column found"


@dataclass(frozen=True)
class Registered:
    """What registration tells the owner: the announced version, rows, and faults it accepted."""

    version: RegisteredVersion
    rows: int
    accepted: DataFaults | None = None


@dataclass(frozen=True)
class Checked:
    """Files held to their schema: their state, header, rows together, and what is wrong."""

    states: tuple[FileState, ...]
    header: tuple[str, ...]
    rows: int
    found: FaultList


def register_table(
    config: NodeConfig,
    table: str,
    *,
    accept_cells: bool = False,
    telling: Telling = Telling.LISTED,
) -> Registered:
    """Check the files of ``table`` and announce their version.

    Raises DataFaults with everything that is wrong, and then announces nothing. With
    ``accept_cells`` faults of single cells do not stop it: every study reads a cell that does not
    parse as missing, and one beyond the schema's bounds or levels by its own rules. Registering
    unchanged files again returns the version they have. ``telling`` is how its faults are told.
    """
    if table not in config.tables:
        raise UsageError(f"{config.file} offers no table {table}")
    written = load_schema(config.tables[table].schema_file)
    temporary = config.state / "registering"
    temporary.mkdir(parents=True, exist_ok=True, mode=0o700)
    checked = hold_to_schema(written, temporary, telling)
    error = checked.found.error()
    if error is not None and not (accept_cells and checked.found.only_of_cells):
        raise error
    capacity = config.tables[table].rows_max
    if checked.rows > capacity:
        raise UsageError(
            f"{table} has {checked.rows} rows, more than its rows_max of {capacity} in"
            f" {config.file}",
            hint="raise rows_max; it is published, and enters the range proof of every study",
        )
    store = VersionStore(config.state / DATABASE, SystemClock())
    store.settle(table, config.tables[table].domain, checked.states)
    version = store.announce(
        written.value, checked.states, checked.header, checked.rows, rows_max=capacity
    )
    return Registered(version, checked.rows, error)


def check_data(
    written: SchemaFile, telling: Telling = Telling.LISTED
) -> tuple[tuple[FileState, ...], tuple[str, ...], int]:
    """The files of a schema, held to it: their state, their header, their rows together.

    Raises DataFaults with everything that is wrong, as ``telling`` says.
    """
    with tempfile.TemporaryDirectory(prefix="parley-") as folder:
        checked = hold_to_schema(written, Path(folder), telling)
    error = checked.found.error()
    if error is not None:
        raise error
    return checked.states, checked.header, checked.rows


def hold_to_schema(
    written: SchemaFile, temporary: Path, telling: Telling = Telling.LISTED
) -> Checked:
    """Read every file of a schema whole and gather what is wrong.

    Raises UsageError if a file cannot be read, or changed meanwhile. ``temporary`` is where the
    engine may spill and copies in other encodings lie for as long as this takes.
    """
    schema = written.value
    folder = written.path.resolve().parent
    paths = [folder / name for name in schema.source.files]
    for path in paths:
        if GLOB_SIGNS & set(str(path)):
            raise UsageError(f"{path}: a path with *, ? or [ cannot be read", hint="rename it")
    states = tuple(FileState.of(path) for path in paths)
    of_text = isinstance(schema.source, CsvSource)
    found = FaultList(telling, places="lines" if of_text else "rows")
    if isinstance(schema.source, CsvSource):
        header, rows = _check_csv_files(paths, schema, schema.source, found, temporary)
    else:
        header, rows = _check_parquet_files(paths, schema, found, temporary)
    if not all(state.is_unchanged() for state in states):
        raise UsageError("a file changed while it was read; register again")
    return Checked(states, header, rows, found)


def _check_csv_files(
    paths: Sequence[Path],
    schema: TableSchema,
    source: CsvSource,
    found: FaultList,
    temporary: Path,
) -> tuple[tuple[str, ...], int]:
    first: list[str] | None = None
    rows = 0
    for path in paths:
        header = _csv_header(path, source, found)
        if header is None or not _is_split(path, header, schema, source, found):
            continue
        if not _is_whole(path, header, schema, found):
            continue
        if first is not None and header != first:
            what = f"another header than {paths[0].name}"
            found.add(str(path), Fault(faults.NO_HEADER, "header", what, "one for all files", 1, 1))
            continue
        first = header
        rows += check_csv(path, schema, header, found, temporary)
    return tuple(first or ()), rows


def _csv_header(path: Path, source: CsvSource, found: FaultList) -> list[str] | None:
    try:
        header = read_header(path, source)
    except UnicodeError:
        found.add(str(path), encoding_fault(path, source))
        return None
    except csv.Error:
        what, allowed = "a header that cannot be read", 'quotes as "…", doubled within'
        others = other_delimiters(first_line(path, source), source)
        if others:
            what, allowed = ONE_COLUMN, _ask_delimiter(others, source)
        found.add(str(path), Fault(faults.STRUCTURE, "header", what, allowed, 1, 1))
        return None
    if not header:
        what = "no header: the file is empty" if header is None else "no header: a blank line"
        found.add(str(path), Fault(faults.NO_HEADER, "file", what, "a header line", 1, 1))
        return None
    return header


def _is_split(
    path: Path, header: Sequence[str], schema: TableSchema, source: CsvSource, found: FaultList
) -> bool:
    """Whether the header is more than one cell that another delimiter would split."""
    if len(header) != 1 or schema.header(next(iter(schema.columns))) == header[0]:
        return True
    others = other_delimiters(header[0], source)
    if not others:
        return True
    allowed = _ask_delimiter(others, source)
    found.add(str(path), Fault(faults.MISSING_COLUMN, "header", ONE_COLUMN, allowed, 1, 1))
    return False


def other_delimiters(line: str, source: CsvSource) -> list[str]:
    """Delimiters that ``line`` has and the schema does not say, if it has none of the schema's."""
    if source.delimiter in line:
        return []
    return [each for each in get_args(CsvSource.model_fields["delimiter"].annotation)
            if each in line]  # fmt: skip


def _ask_delimiter(others: Sequence[str], source: CsvSource) -> str:
    asked = " or ".join(repr(each) for each in others)
    return f"is the delimiter {asked}? the schema says {source.delimiter!r}"


def _is_whole(path: Path, header: Sequence[str], schema: TableSchema, found: FaultList) -> bool:
    """Whether every declared column stands in ``header``, and no name twice."""
    before = len(found)
    for name in dict.fromkeys(name for name in header if header.count(name) > 1):
        place = len(header) - list(reversed(header)).index(name)
        what = f"duplicate column {shown(name)}"
        found.add(
            str(path), Fault(faults.DUPLICATE_HEADER, "header", what, "each name once", 1, place)
        )
    for name in schema.columns:
        wanted = schema.header(name)
        if wanted not in header:
            what = f"column {shown(wanted)} is missing{nearest(wanted, header)}"
            allowed = f"headers: {listed(header)}"
            found.add(str(path), Fault(faults.MISSING_COLUMN, name, what, allowed, 1, 1))
    return len(found) == before


def _check_parquet_files(
    paths: Sequence[Path], schema: TableSchema, found: FaultList, temporary: Path
) -> tuple[tuple[str, ...], int]:
    rows = 0
    first: dict[str, str] | None = None
    with sandboxed(paths, temporary, READING_THREADS, READING_MEMORY_MB) as engine:
        for path in paths:
            types = parquet_types(engine, path, found)
            if types is None or not _is_whole(path, list(types), schema, found):
                continue
            used = {name: types[schema.header(name)] for name in schema.columns}
            if first is not None and used != first:
                what = f"other column types than {paths[0].name}"
                fault = Fault(faults.WRONG_TYPE, "file", what, "one type a column in all files")
                found.add(str(path), fault)
                continue
            first = used
            rows += check_parquet(engine, path, schema, types, found)
    return tuple(schema.header(name) for name in schema.columns), rows
