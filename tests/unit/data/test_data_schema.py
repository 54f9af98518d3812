"""An owner's schema file: what it may declare, what is wrong with it, and what makes it another."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from mpc.errors import DataFaults
from parties.data.schema import TableSchema, load_schema

WHOLE = """\
version: 1
table: visits
source:
  format: csv
  files: [north.csv, south.csv]
  delimiter: ';'
  encoding: windows-1252
  decimal: ','
  thousands: '.'
  null: [n/a, '-9']
columns:
  pay: {type: number, header: 'Lohn (EUR)', bounds: [0, 99.5], required: true}
  age: {type: integer, bounds: [0, 120]}
  sex: {type: text, levels: [f, m]}
  icd: {type: text, width: 5}
  day: {type: date, format: '%-d.%-m.%Y'}
"""


def load(tmp_path: Path, text: str) -> TableSchema:
    path = tmp_path / "visits.schema.yaml"
    path.write_text(text, encoding="utf-8")
    return load_schema(path).value


def complaint(tmp_path: Path, text: str) -> str:
    with pytest.raises(DataFaults) as refused:
        load(tmp_path, text)
    return str(refused.value)


def made(**changes: Any) -> TableSchema:
    plain: dict[str, Any] = {
        "version": 1,
        "table": "visits",
        "source": {"format": "csv", "files": ["a.csv"]},
        "columns": {"x": {"type": "number"}},
    }
    return TableSchema.model_validate_json(json.dumps({**plain, **changes}))


def test_whole_csv_schema_is_read_as_written(tmp_path: Path) -> None:
    schema = load(tmp_path, WHOLE)
    assert schema.source.files == ("north.csv", "south.csv")
    assert schema.header("pay") == "Lohn (EUR)"
    assert schema.header("age") == "age"
    assert list(schema.published()) == ["pay", "age", "sex", "icd", "day"]


def test_parquet_schema_is_read(tmp_path: Path) -> None:
    text = "version: 1\ntable: t\nsource: {format: parquet, files: [a.parquet]}\n"
    schema = load(tmp_path, text + "columns: {x: {type: number}}\n")
    assert schema.source.format == "parquet"


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("delimiter: ';'", "delimiter: ':'", "source.delimiter"),
        ("delimiter: ';'", "delimitr: ';'", "did you mean 'delimiter'"),
        ("encoding: windows-1252", "encoding: ascii", "source.encoding"),
        ("thousands: '.'", "thousands: ','", "decimal and thousands are one sign"),
        ("files: [north.csv, south.csv]", "files: []", "source.files"),
        ("bounds: [0, 99.5]", "bounds: [9, 1]", "columns.pay.bounds: bounds run backwards"),
        ("bounds: [0, 120]", "bounds: [0, 120.5]", "columns.age.bounds.1"),
        ("levels: [f, m]", "levels: [f, f]", "columns.sex.levels: levels are not distinct"),
        ("levels: [f, m]", "levels: [yes, no]", "columns.sex.levels.0"),
        ("width: 5", "width: 0", "columns.icd.width"),
        ("format: '%-d.%-m.%Y'", "format: '%d.%d.%Y'", "columns.day.format: a part twice"),
        ("format: '%-d.%-m.%Y'", "format: '%H:%M'", "columns.day.format"),
        ("type: date", "type: time", "columns.day.type"),
        ("header: 'Lohn (EUR)'", "header: age", "columns.age: the header of column pay too"),
        ("table: visits", "table: Visits!", "table"),
        ("version: 1", "version: 2", "version"),
    ],
)
def test_fault_is_told_at_its_place_without_reading_data(
    old: str, new: str, told: str, tmp_path: Path
) -> None:
    assert old in WHOLE
    message = complaint(tmp_path, WHOLE.replace(old, new))
    assert told in message
    line = WHOLE.replace(old, new).split(new)[0].count("\n") + 1
    assert any(f"visits.schema.yaml:{each}:" in message for each in (line - 1, line, line + 1))


def test_every_fault_is_told_at_once(tmp_path: Path) -> None:
    message = complaint(
        tmp_path, WHOLE.replace("type: integer", "type: int").replace("width: 5", "width: -1")
    )
    assert "columns.age.type" in message
    assert "columns.icd.width" in message


def test_digest_is_of_everything_declared_but_where_the_files_lie() -> None:
    base = made()
    assert base.digest == made(source={"format": "csv", "files": ["b.csv", "c.csv"]}).digest
    others = [
        made(source={"format": "csv", "files": ["a.csv"], "null": ["-"]}),
        made(source={"format": "csv", "files": ["a.csv"], "decimal": ","}),
        made(source={"format": "parquet", "files": ["a.csv"]}),
        made(columns={"x": {"type": "integer"}}),
        made(columns={"x": {"type": "number", "required": True}}),
        made(columns={"x": {"type": "number", "header": "y"}}),
        made(columns={"x": {"type": "number", "bounds": ["0", "1"]}}),
        made(columns={"x": {"type": "number"}, "y": {"type": "number"}}),
        made(table="other"),
    ]
    assert len({base.digest, *(other.digest for other in others)}) == len(others) + 1
