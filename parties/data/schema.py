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
from mpc.study.model import Name, PersonUnit, Table
from mpc.units import sha256_hex
from parties.data.grid import Grid
from parties.yaml_files import Misfit, Written, read_yaml

FILES_MAX = 1000
COLUMNS_MAX = 1000
TWO_SIGNS = "101"
BOUNDS = "102"
LEVELS = "103"
SAME = "104"
FORMAT = "105"
PERSON = "106"

_PART = r"%(Y|-?m|-?d)"
_DATE = rf"^{_PART}[-/. ]?{_PART}[-/. ]?{_PART}$"

PathText = Annotated[str, Field(min_length=1, max_length=4000)]
Marker = Annotated[str, Field(max_length=50)]
HeaderName = Annotated[str, Field(min_length=1, max_length=200)]


class CsvSource(Frozen):
    """Text files with one header line each, all of one form. Paths are relative to the schema.

    ``decimal`` and ``thousands`` are the signs within numbers (thousands in groups of three);
    ``null`` are the spellings of a missing cell beside the blank one. Cells are quoted as in RFC
    4180: "…", doubled within.
    """

    format: Literal["csv"]
    files: Annotated[tuple[PathText, ...], Field(min_length=1, max_length=FILES_MAX)]
    delimiter: Literal[",", ";", "\t", "|"] = ","
    encoding: Literal["utf-8", "windows-1252", "latin-1", "latin-9", "utf-16"] = "utf-8"
    decimal: Literal[".", ","] = "."
    thousands: Literal["", ",", ".", " ", "'", "\u2019", "\u00a0", "\u202f"] = ""
    null: Annotated[tuple[Marker, ...], Field(max_length=50)] = ()


class ParquetSource(Frozen):
    """Parquet files of one form. Paths are relative to the schema."""

    format: Literal["parquet"]
    files: Annotated[tuple[PathText, ...], Field(min_length=1, max_length=FILES_MAX)]


class _Column(Frozen):
    header: HeaderName | None = None  # its name in the files, if not the column's own
    required: bool = False  # a missing cell is a fault


class NumberField(_Column):
    """Numbers: decimal text, read exactly, or what Parquet stores. Outside ``bounds`` is a fault.

    Text may have an exponent from -999 to 99.
    """

    type: Literal["number"]
    bounds: tuple[Decimal, Decimal] | None = None


class IntegerField(_Column):
    """Whole numbers: a decimal sign or an exponent is a fault, and so is a cell out of bounds."""

    type: Literal["integer"]
    bounds: tuple[int, int] | None = None


class TextField(_Column):
    """Text, kept as written (leading zeros too), compared in Unicode NFC without outer blanks.

    ``levels``: any other text is a fault. ``width``: characters that every cell must have. Whole
    numbers and booleans of Parquet files are text in their digits, or true and false.
    """

    type: Literal["text"]
    levels: Annotated[tuple[str, ...], Field(min_length=1, max_length=10_000)] | None = None
    width: Annotated[int, Field(ge=1, le=1000)] | None = None


class DateField(_Column):
    """Calendar days, written as ``format`` says: %Y, %m, %d in any order, signs between them.

    %m and %d are two digits, %-m and %-d one or two. Times of day in Parquet files are cut off.
    """

    type: Literal["date"]
    format: Annotated[str, Field(pattern=_DATE)] = "%Y-%m-%d"


DataField = Annotated[
    NumberField | IntegerField | TextField | DateField, Field(discriminator="type")
]


class TableSchema(Frozen):
    """A table's schema file.

    ``person`` is the column that says whose row it is. Without it no study can take the person as
    its unit; with it, by no other column.
    """

    version: Literal[1]
    table: Name
    source: Annotated[CsvSource | ParquetSource, Field(discriminator="format")]
    columns: Annotated[dict[Name, DataField], Field(min_length=1, max_length=COLUMNS_MAX)]
    person: Name | None = None

    def header(self, name: str) -> str:
        """What the files call column ``name``."""
        return self.columns[name].header or name

    def published(self) -> dict[str, Plain]:
        """What others may know: columns, types, levels and bounds. No files, no counts."""
        return {
            name: {**_field_plain(field), **({"person": True} if name == self.person else {})}
            for name, field in self.columns.items()
        }

    @property
    def digest(self) -> str:
        """Hex SHA-256 of everything declared but where the files lie."""
        source = self.source.model_dump(mode="json", exclude={"files"})
        unsaid = {"person"} if self.person is None else set()
        declared = self.model_dump(mode="json", exclude={"source", *unsaid})
        return sha256_hex(canonical_bytes({**declared, "source": source}))

    def misfits(self, table: Table) -> Iterator[str]:
        """Why the columns of a study cannot be read from this table. Looks at no row."""
        if isinstance(table.unit, PersonUnit) and table.unit.column != self.person:
            said = "no column" if self.person is None else f"column {self.person}"
            yield f"whose row it is, {said} says here, not {table.unit.column}"
        for name, column in table.columns.items():
            field = self.columns.get(name)
            if field is None:
                yield f"table {self.table} has no column {name}"
                continue
            if field.type not in _READ_AS[column.type]:
                wanted = " or ".join(_READ_AS[column.type])
                yield f"column {name} is of type {field.type} here, not {wanted}"
            elif isinstance(column, CategoryColumn) and isinstance(field, TextField):
                yield from _level_misfits(name, column, field)
            elif isinstance(column, NumberColumn) and isinstance(field, NumberField | IntegerField):
                yield from _bound_misfits(name, column, field)


_READ_AS = {
    "number": ("number", "integer"),
    "date": ("date",),
    "category": ("text",),
    "id": ("text",),
}


def _level_misfits(name: str, column: CategoryColumn, field: TextField) -> Iterator[str]:
    if field.levels is None:
        return
    unknown = [level for level in column.levels if level not in field.levels]
    if unknown:
        yield f"column {name} has no level {', '.join(unknown)} here"


def _bound_misfits(
    name: str, column: NumberColumn, field: NumberField | IntegerField
) -> Iterator[str]:
    if not Grid.of(column).is_readable:
        yield f"column {name} has a grid too fine for its bounds to be read exactly here"
    if field.bounds is None:
        return
    low, high = field.bounds
    if column.bounds[1] < low or column.bounds[0] > high:
        yield f"column {name} lies within [{low}, {high}] here, which the study's bounds miss"


def _field_plain(field: DataField) -> dict[str, Plain]:
    if isinstance(field, NumberField | IntegerField):
        bounds: Plain = None
        if field.bounds is not None:
            bounds = [decimal_text(Decimal(each)) for each in field.bounds]
        return {"type": field.type, "bounds": bounds, "required": field.required}
    if isinstance(field, TextField):
        levels: Plain = None if field.levels is None else [*field.levels]
        return {"type": "text", "levels": levels, "required": field.required}
    return {"type": "date", "required": field.required}


SchemaFile = Written[TableSchema]

_HINTS = {
    "format": "csv or parquet",
    "files": "[visits.csv], paths relative to this file",
    "type": "number, integer, text or date",
    "levels": "a list of every text that may stand there",
    "bounds": "[lowest, highest]",
}


def load_schema(path: Path) -> SchemaFile:
    """``path`` as a table's schema. Raises DataFaults with all its faults; reads no data."""
    return read_yaml(path, TableSchema, _HINTS, _misfits, family="PLY-D", faults=DataFaults)


def _misfits(schema: TableSchema) -> Iterator[Misfit]:
    source = schema.source
    if isinstance(source, CsvSource) and source.decimal == source.thousands:
        what = "decimal and thousands are one sign"
        yield Misfit(TWO_SIGNS, ("source", "decimal"), what, "two signs")
    headers: dict[str, str] = {}
    if schema.person is not None:
        named = schema.columns.get(schema.person)
        if not isinstance(named, TextField):
            what = "no column" if named is None else f"a column of type {named.type}"
            allowed = "a column of type text"
            yield Misfit(PERSON, ("person",), f"{schema.person} is {what}", allowed)
    for name, field in schema.columns.items():
        header = schema.header(name)
        if header in headers:
            what = f"the header of column {headers[header]} too"
            yield Misfit(SAME, ("columns", name), what, "one column a header")
        headers.setdefault(header, name)
        yield from _field_misfits(name, field)


def _field_misfits(name: str, field: DataField) -> Iterator[Misfit]:
    place = ("columns", name)
    if isinstance(field, NumberField | IntegerField):
        if field.bounds and field.bounds[0] > field.bounds[1]:
            yield Misfit(BOUNDS, (*place, "bounds"), "bounds run backwards", "[lowest, highest]")
    elif isinstance(field, DateField):
        parts = field.format.replace("-", "")
        if any(parts.count(part) != 1 for part in ("%Y", "%m", "%d")):
            yield Misfit(FORMAT, (*place, "format"), "a part twice", "%Y, %m and %d once each")
    elif field.levels:
        normal = [unicodedata.normalize("NFC", level) for level in field.levels]
        if len(set(normal)) != len(normal) or list(field.levels) != normal:
            what = "levels are not distinct NFC text"
            yield Misfit(LEVELS, (*place, "levels"), what, "each level once")
