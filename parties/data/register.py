"""``parley data register``: a data set held to its owner's schema once, and announced by number.

Everything that is wrong is told here, to the owner alone, with file, line and column. At study time
no row is ever refused: the study's declared rules say what each cell contributes.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from mpc.errors import Fault, UsageError
from parties.config import NodeConfig
from parties.data import faults
from parties.data.catalogue import DATABASE
from parties.data.csv_reading import check_csv, read_header
from parties.data.faults import FaultList
from parties.data.schema import CsvSource, SchemaFile, TableSchema, load_schema
from parties.data.versions import FileState, RegisteredVersion, VersionStore
from parties.system import SystemClock


@dataclass(frozen=True)
class Registered:
    """What registration tells the owner: the announced version and the number of rows."""

    version: RegisteredVersion
    rows: int


def register_table(config: NodeConfig, table: str) -> Registered:
    """Check the files of ``table`` and announce their version.

    Raises DataFaults with everything that is wrong, and then announces nothing. Registering
    unchanged files again returns the version they have.
    """
    if table not in config.tables:
        raise UsageError(f"{config.file} offers no table {table}")
    written = load_schema(config.tables[table].schema_file)
    schema = written.value
    files, header, rows = check_data(written)
    capacity = config.tables[table].rows_max
    if rows > capacity:
        raise UsageError(
            f"{table} has {rows} rows, more than its rows_max of {capacity} in {config.file}",
            hint="raise rows_max; it is published, and enters the range proof of every study",
        )
    config.state.mkdir(parents=True, exist_ok=True, mode=0o700)
    store = VersionStore(config.state / DATABASE, SystemClock())
    return Registered(store.announce(schema, files, header, rows), rows)


def check_data(written: SchemaFile) -> tuple[tuple[FileState, ...], tuple[str, ...], int]:
    """The files of a schema, held to it: their state, their header, their rows together.

    Raises DataFaults with everything that is wrong.
    """
    schema = written.value
    folder = written.path.resolve().parent
    paths = [folder / name for name in schema.source.files]
    found = FaultList(str(written.path))
    states = tuple(FileState.of(path) for path in paths)
    if isinstance(schema.source, CsvSource):
        header, rows = _check_csv_files(paths, schema, schema.source, found)
    else:
        header, rows = _check_parquet_files(paths, schema, found)
    found.raise_if_any()
    if not all(state.is_unchanged() for state in states):
        raise UsageError("a file changed while it was read; register again")
    return states, header, rows


def _check_csv_files(
    paths: list[Path], schema: TableSchema, source: CsvSource, found: FaultList
) -> tuple[tuple[str, ...], int]:
    first: list[str] | None = None
    rows = 0
    for path in paths:
        try:
            header = read_header(path, source)
        except UnicodeDecodeError:
            what = f"bytes that are not {source.encoding}"
            found.add(str(path), Fault(faults.ENCODING, "file", what, "the declared encoding"))
            continue
        if header is None:
            what = "no header: the file is empty"
            found.add(str(path), Fault(faults.NO_HEADER, "file", what, "a header line", 1, 1))
            continue
        _check_header(path, header, schema, found)
        if first is not None and header != first:
            what = f"another header than {paths[0].name}"
            found.add(str(path), Fault(faults.NO_HEADER, "header", what, "one for all files", 1, 1))
            continue
        first = header if first is None else first
        rows += check_csv(path, schema, header, found)
    return tuple(first or ()), rows


def _check_header(path: Path, header: list[str], schema: TableSchema, found: FaultList) -> None:
    for name in dict.fromkeys(name for name in header if header.count(name) > 1):
        what = f"duplicate column {name}"
        found.add(str(path), Fault(faults.DUPLICATE_HEADER, name, what, "each name once", 1, 1))
    for name in schema.columns:
        if schema.header(name) not in header:
            what = f"column {schema.header(name)!r} is missing"
            allowed = f"headers: {', '.join(header)[:200]}"
            found.add(str(path), Fault(faults.MISSING_COLUMN, name, what, allowed, 1, 1))


def _check_parquet_files(
    paths: list[Path], schema: TableSchema, found: FaultList
) -> tuple[tuple[str, ...], int]:
    from parties.data.parquet_reading import check_parquet, parquet_types
    from parties.data.sandbox import sandboxed

    rows = 0
    header: tuple[str, ...] = ()
    with sandboxed(paths, paths[0].parent, threads=2, memory_mb=2048) as engine:
        for path in paths:
            types = parquet_types(engine, path)
            header = header or tuple(types)
            _check_header(path, list(types), schema, found)
            rows += check_parquet(engine, path, schema, types, found)
    return header, rows
