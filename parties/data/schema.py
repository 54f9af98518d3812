"""An owner's own declaration of a table: where its rows lie and how each column is written.

The owner's schema rules the reading: no type, delimiter, date or decimal sign is ever guessed.
``parley data register`` holds a data set to it once, cell by cell; what it says of columns, and
nothing of rows, is published to the coordinator.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from mpc.canonical import Plain, canonical_bytes
from mpc.columns.model import CategoryColumn, Frozen, NumberColumn
from mpc.errors import DataFaults
from mpc.study.canonical import decimal_text
from mpc.study.model import Name, Table
from mpc.units import sha256_hex
from parties.yaml_files import Misfit, Written, read_yaml

FILES_MAX = 1000
COLUMNS_MAX = 1000
TWO_SIGNS = "101"
BOUNDS = "102"
LEVELS = "103"
SAME = "104"

PathText = Annotated[str, Field(min_length=1, max_length=4000)]
Marker = Annotated[str, Field(max_length=50)]
HeaderName = Annotated[str, Field(min_length=1, max_length=200)]


class CsvSource(Frozen):
    """Text files with one header line each, all of one form. Paths are relative to the schema.

    ``decimal`` and ``thousands`` are the signs within numbers; ``null`` are the spellings of a
    missing cell beside the blank one.
    """

    format: Literal["csv"]
    files: Annotated[tuple[PathText, ...], Field(min_length=1, max_length=FILES_MAX)]
    delimiter: Literal[",", ";", "\t", "|"] = ","
    encoding: Literal["utf-8", "latin-1", "utf-16"] = "utf-8"
    decimal: Literal[".", ","] = "."
    thousands: Literal["", ",", ".", " ", "'"] = ""
    null: Annotated[tuple[Marker, ...], Field(max_length=50)] = ()


class ParquetSource(Frozen):
    """Parquet files of one form. Paths are relative to the schema."""

    format: Literal["parquet"]
    files: Annotated[tuple[PathText, ...], Field(min_length=1, max_length=FILES_MAX)]


class _Column(Frozen):
    header: HeaderName | None = None  # its name in the files, if not the column's own
    required: bool = False  # a missing cell is a fault


class NumberField(_Column):
    """Decimal numbers, read exactly to 18 places. ``bounds``: a cell outside is a fault."""

    type: Literal["number"]
    bounds: tuple[Decimal, Decimal] | None = None


class TextField(_Column):
    """Text, kept as written (leading zeros too), compared in Unicode NFC.

    ``levels``: any other text is a fault. ``width``: characters that every cell must have.
    """

    type: Literal["text"]
    levels: Annotated[tuple[str, ...], Field(min_length=1, max_length=10_000)] | None = None
    width: Annotated[int, Field(ge=1, le=1000)] | None = None


class DateField(_Column):
    """Calendar days, written as ``format`` says (%Y, %m, %d and signs between them)."""

    type: Literal["date"]
    format: Annotated[str, Field(pattern=r"^%[Ymd][-/. ]?%[Ymd][-/. ]?%[Ymd]$")] = "%Y-%m-%d"


DataField = Annotated[NumberField | TextField | DateField, Field(discriminator="type")]


class TableSchema(Frozen):
    """A table's schema file."""

    version: Literal[1]
    table: Name
    source: Annotated[CsvSource | ParquetSource, Field(discriminator="format")]
    columns: Annotated[dict[Name, DataField], Field(min_length=1, max_length=COLUMNS_MAX)]

    def header(self, name: str) -> str:
        """What the files call column ``name``."""
        return self.columns[name].header or name

    def published(self) -> dict[str, Plain]:
        """What others may know: columns, types, levels and bounds. No files, no counts."""
        return {name: _field_plain(field) for name, field in self.columns.items()}

    @property
    def digest(self) -> str:
        """Hex SHA-256 of everything declared, file names included."""
        return sha256_hex(canonical_bytes(self.model_dump_json()))

    def misfits(self, table: Table) -> Iterator[str]:
        """Why the columns of a study cannot be read from this table. Looks at no row."""
        for name, column in table.columns.items():
            field = self.columns.get(name)
            if field is None:
                yield f"table {self.table} has no column {name}"
                continue
            expected = {"number": "number", "date": "date", "category": "text"}[column.type]
            if field.type != expected:
                yield f"column {name} is a {field.type} here, not a {expected}"
            elif isinstance(column, CategoryColumn) and isinstance(field, TextField):
                yield from _level_misfits(name, column, field)
            elif isinstance(column, NumberColumn) and isinstance(field, NumberField):
                yield from _bound_misfits(name, column, field)


def _level_misfits(name: str, column: CategoryColumn, field: TextField) -> Iterator[str]:
    if field.levels is None:
        return
    unknown = [level for level in column.levels if level not in field.levels]
    if unknown:
        yield f"column {name} has no level {', '.join(unknown)} here"


def _bound_misfits(name: str, column: NumberColumn, field: NumberField) -> Iterator[str]:
    if field.bounds is None:
        return
    low, high = field.bounds
    if column.bounds[1] < low or column.bounds[0] > high:
        yield f"column {name} lies within [{low}, {high}] here, which the study's bounds miss"


def _field_plain(field: NumberField | TextField | DateField) -> Plain:
    if isinstance(field, NumberField):
        bounds: Plain = (
            None if field.bounds is None else [decimal_text(each) for each in field.bounds]
        )
        return {"type": "number", "bounds": bounds, "required": field.required}
    if isinstance(field, TextField):
        levels: Plain = None if field.levels is None else [*field.levels]
        return {"type": "text", "levels": levels, "required": field.required}
    return {"type": "date", "required": field.required}


SchemaFile = Written[TableSchema]

_HINTS = {
    "format": "csv or parquet",
    "files": "[visits.csv], paths relative to this file",
    "type": "number, text or date",
    "levels": "a list of every text that may stand there",
    "bounds": "[lowest, highest]",
}


def load_schema(path: Path) -> SchemaFile:
    """``path`` as a table's schema. Raises DataFaults with all its faults; reads no data."""
    return read_yaml(path, TableSchema, _HINTS, _misfits, family="PLY-D", faults=DataFaults)


def _misfits(schema: TableSchema) -> Iterator[Misfit]:
    source = schema.source
    if isinstance(source, CsvSource):
        if source.decimal in (source.thousands, source.delimiter):
            yield Misfit(
                TWO_SIGNS, ("source", "decimal"), "one sign with two meanings", "two signs"
            )
        if source.thousands and source.thousands == source.delimiter:
            yield Misfit(
                TWO_SIGNS, ("source", "thousands"), "one sign with two meanings", "two signs"
            )
    headers: dict[str, str] = {}
    for name, field in schema.columns.items():
        header = schema.header(name)
        if header in headers:
            what = f"the header of column {headers[header]} too"
            yield Misfit(SAME, ("columns", name), what, "one column a header")
        headers.setdefault(header, name)
        if isinstance(field, NumberField) and field.bounds and field.bounds[0] > field.bounds[1]:
            place = ("columns", name, "bounds")
            yield Misfit(BOUNDS, place, "bounds run backwards", "[lowest, highest]")
        if isinstance(field, TextField) and field.levels:
            normal = [unicodedata.normalize("NFC", level) for level in field.levels]
            if len(set(normal)) != len(normal) or list(field.levels) != normal:
                place = ("columns", name, "levels")
                yield Misfit(LEVELS, place, "levels are not distinct NFC text", "each level once")
