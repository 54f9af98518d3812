"""Parquet columns of every type that a schema allows: integers, decimals, floats, text, days.

A stored number counts exactly as the number it is, doubles too; mpc.testing.table says so cell by
cell, and no value of a type may raise or count otherwise.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pytest
from dirty_tables import number
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from owner_tables import TABLE, bounded_cells, open_version, write_owner

from mpc.columns.model import CategoryColumn, Column, DateColumn, NumberColumn, UseLevel, UseValue
from mpc.errors import DataFaults
from mpc.layout import Axis, Term
from mpc.study.model import RowUnit, Table
from mpc.table.model import CellSums
from mpc.testing.table import MemoryTable, Raw, bound_cell
from parties.data.register import register_table
from parties.data.table import DuckTable

PARQUET = {"format": "parquet", "files": ["data.parquet"]}


@dataclass(frozen=True)
class Stored:
    """A Parquet column: the engine's type, the owner's field, the study's column, odd values."""

    sql_type: str
    field: str
    column: Column
    zoo: tuple[Any, ...]
    drawn: st.SearchStrategy[Any]


def integers(bits: int, *, signed: bool = True) -> tuple[tuple[int, ...], st.SearchStrategy[int]]:
    low, high = (-(1 << (bits - 1)), (1 << (bits - 1)) - 1) if signed else (0, (1 << bits) - 1)
    odd = [low, low + 1, -1001, -1000, -995, -51, -50, -6, -5, -1, 0, 1, 2, 5, 8, 9, 10, 12, 13]
    odd += [15, 25, 100, 101, 1000, 1005, 999_999_999_999_999, 10**15, high - 1, high]
    return tuple(x for x in odd if low <= x <= high), st.integers(low, high)


def decimals(width: int, places: int) -> tuple[tuple[Decimal, ...], st.SearchStrategy[Decimal]]:
    top = Decimal(10**width - 1).scaleb(-places) if width <= 28 else None
    exact = [Decimal("0"), Decimal("1"), Decimal("-1")]
    for text in ("0.25", "0.75", "-0.25", "0.15", "0.45", "-0.45", "8.85", "0.005", "0.015", "5"):
        exact.append(Decimal(text))
    for text in ("15", "25", "-5", "-15", "100.5", "-50.25", "9.99", "9.995", "1e-18", "15e-19"):
        exact.append(Decimal(text))
    exact += [Decimal("0.5e-18"), Decimal("1.5e-18"), Decimal("0.004"), Decimal("0.0040000000001")]
    if top is not None:
        exact += [top, -top]
    limit = Decimal(10) ** (width - places)
    fits = tuple(
        x for x in exact if abs(x) < limit and Fraction(x) * 10**places % 1 == 0
    )  # fmt: skip
    drawn = st.integers(-(10**width) + 1, 10**width - 1).map(
        lambda units: Decimal((units < 0, tuple(map(int, str(abs(units)))), -places))
    )
    return fits, drawn


def around(*points: float) -> list[float]:
    return [
        x for p in points for x in (math.nextafter(p, -math.inf), p, math.nextafter(p, math.inf))
    ]


FLOATS = (
    math.nan, math.inf, -math.inf, -0.0, 0.0, 5e-324, -5e-324, 1e308, -1e308, 1e22, 2.0**63,
    *around(0.25, 0.75, 1.25, -0.25, -0.75, -50.0, 100.0, -50.25, 100.25, 99.75),
    *around(0.005, 0.015, 0.025, 9.99, 9.985, 9.995, 1.23, 0.0, 0.15, 0.45, -0.15, -3.0, 9.0, 8.85),
    *around(0.5, 1.5, 2.5, -0.5, -1.5, 999999999999999.0, -999999999999999.0, 999999999999998.5),
    *around(0.004, 5e-19, 1.5e-18, 2.5e-18, -5e-19, 0.0039999999999999995, 4503599627370495.5),
    *(k * 0.05 for k in range(-20, 60)), *(k * 0.005 for k in range(40)),
    *(0.3 * k for k in range(9)),
)  # fmt: skip
FLOAT = st.one_of(
    st.floats(),
    st.floats(-60, 110),
    st.floats(-0.005, 0.005),
    st.integers(-999, 999).map(lambda k: k / 200),
)
SINGLES = tuple(float(np.float32(x)) for x in FLOATS if not 1e38 < abs(x) < math.inf)
SINGLE = st.floats(width=32)

HALVES = number("-50", "100", "0.5")
CENTS = number("0", "9.99", "0.01", outside="exclude", missing=UseValue(value=Decimal("1.23")))
THIRDS = number("-3", "9", "0.3")
TENS = number("-1000", "1000", "10", missing=UseValue(value=Decimal(-1000)))
WHOLE = number("-5", "12", "1")
WIDE = number("-999999999999999", "999999999999999", "1")
TINY = number("-0.004", "0.004", "0.000000000000000001")
CODES = CategoryColumn(
    type="category", levels=("1", "-6", "2", "?"), missing=UseLevel(level="?"),
)  # fmt: skip
FLAG = CategoryColumn(type="category", levels=("true", "false"))
LEVEL = CategoryColumn(
    type="category", levels=("a", "é", "none"), missing=UseLevel(level="none"),
    unknown_level="missing",
)  # fmt: skip
DAY = DateColumn(type="date", bounds=(date(2020, 2, 27), date(2020, 3, 9)))
LATE = DateColumn(type="date", bounds=(date(1960, 1, 1), date(2030, 12, 31)), outside="clip")

TEXTS = (
    "a",
    "A",
    "é",
    "e\u0301",
    "",
    " ",
    "\u00a0",
    "a ",
    " a",
    "none",
    "b",
    "'",
    '"',
    "\n",
    "日本",
)
DAYS = (
    date(1, 1, 1), date(9999, 12, 31), date(1969, 12, 31), date(1970, 1, 1), date(1959, 12, 31),
    date(2020, 2, 26), date(2020, 2, 27), date(2020, 2, 29), date(2020, 3, 9), date(2020, 3, 10),
)  # fmt: skip
TIMES = (
    datetime(1969, 12, 31, 23, 59, 59, 999999), datetime(1970, 1, 1), datetime(2020, 2, 29, 12),
    datetime(2020, 3, 9, 23, 59, 59), datetime(2020, 3, 10), datetime(1, 1, 1),
    datetime(9999, 1, 1),
)  # fmt: skip

COLUMNS: dict[str, Stored] = {
    "i8": Stored("TINYINT", "integer", WHOLE, *integers(8)),
    "i16": Stored("SMALLINT", "number", THIRDS, *integers(16)),
    "i32": Stored("INTEGER", "number", HALVES, *integers(32)),
    "i64": Stored("BIGINT", "number", TENS, *integers(64)),
    "i64_tiny": Stored("BIGINT", "number", TINY, *integers(64)),
    "u8": Stored("UTINYINT", "number", CENTS, *integers(8, signed=False)),
    "u16": Stored("USMALLINT", "integer", TENS, *integers(16, signed=False)),
    "u32": Stored("UINTEGER", "number", WIDE, *integers(32, signed=False)),
    "u64": Stored("UBIGINT", "number", WIDE, *integers(64, signed=False)),
    "d9_2": Stored("DECIMAL(9,2)", "number", HALVES, *decimals(9, 2)),
    "d4_4": Stored("DECIMAL(4,4)", "number", CENTS, *decimals(4, 4)),
    "d18_0": Stored("DECIMAL(18,0)", "integer", TENS, *decimals(18, 0)),
    "d18_5": Stored("DECIMAL(18,5)", "number", THIRDS, *decimals(18, 5)),
    "d18_18": Stored("DECIMAL(18,18)", "number", TINY, *decimals(18, 18)),
    "d38_18": Stored("DECIMAL(38,18)", "number", TINY, *decimals(38, 18)),
    "d38_20": Stored("DECIMAL(38,20)", "number", CENTS, *decimals(38, 20)),
    "d38_0": Stored("DECIMAL(38,0)", "number", WIDE, *decimals(38, 0)),
    "f64_halves": Stored("DOUBLE", "number", HALVES, FLOATS, FLOAT),
    "f64_cents": Stored("DOUBLE", "number", CENTS, FLOATS, FLOAT),
    "f64_thirds": Stored("DOUBLE", "number", THIRDS, FLOATS, FLOAT),
    "f64_tens": Stored("DOUBLE", "number", TENS, FLOATS, FLOAT),
    "f64_wide": Stored("DOUBLE", "number", WIDE, FLOATS, FLOAT),
    "f64_tiny": Stored("DOUBLE", "number", TINY, FLOATS, FLOAT),
    "f32": Stored("FLOAT", "number", CENTS, SINGLES, SINGLE),
    "f32_wide": Stored("FLOAT", "number", WIDE, SINGLES, SINGLE),
    "text": Stored("VARCHAR", "text", LEVEL, TEXTS, st.sampled_from(TEXTS)),
    "codes": Stored("SMALLINT", "text", CODES, *integers(16)),
    "flag": Stored("BOOLEAN", "text", FLAG, (True, False), st.booleans()),
    "day": Stored("DATE", "date", DAY, DAYS, st.dates()),
    "late": Stored("DATE", "date", LATE, DAYS, st.dates()),
    "time": Stored("TIMESTAMP", "date", LATE, TIMES, st.datetimes()),
}


def write_parquet(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    columns = ", ".join(f"{name} {stored.sql_type}" for name, stored in COLUMNS.items())
    with duckdb.connect(":memory:") as engine:
        engine.execute(f"CREATE TABLE data ({columns}, unused INTEGER)")
        if rows:
            marks = ", ".join(
                f"CAST(? AS {stored.sql_type})" if "DECIMAL" in stored.sql_type else "?"
                for stored in COLUMNS.values()
            )
            values = [
                [
                    f"{cell:f}" if isinstance(cell, Decimal) else cell
                    for cell in map(row.__getitem__, COLUMNS)
                ]
                for row in rows
            ]
            engine.executemany(f"INSERT INTO data VALUES ({marks}, NULL)", values)
        engine.execute(f"COPY data TO '{path}' (FORMAT parquet, ROW_GROUP_SIZE 2048)")


def table() -> Table:
    columns = {name: stored.column for name, stored in COLUMNS.items()}
    return Table(name=TABLE, unit=RowUnit(kind="row"), columns=columns)


def open_parquet(folder: Path, rows: Sequence[Mapping[str, Any]]) -> DuckTable:
    fields = {name: {"type": stored.field} for name, stored in COLUMNS.items()}
    config = write_owner(folder, fields, None, source=PARQUET)
    write_parquet(folder / "data.parquet", rows)
    version = register_table(config, TABLE, accept_cells=True).version
    return open_version(version, table(), folder)


def zoo_rows() -> list[dict[str, Raw]]:
    """Every odd value of each column at least once, and missing cells."""
    size = max(len(stored.zoo) for stored in COLUMNS.values()) + 1
    return [
        {name: (*stored.zoo, None)[row % (len(stored.zoo) + 1)] for name, stored in COLUMNS.items()}
        for row in range(size)
    ]


def requests() -> tuple[CellSums, ...]:
    asked = [CellSums((), None, (0,))]
    level = Axis("text", LEVEL.levels)
    for name, stored in COLUMNS.items():
        if isinstance(stored.column, NumberColumn):
            middle = (stored.column.low + stored.column.high) // 2
            asked.append(CellSums((level,), Term(name, middle), (0, 1, 2)))
        elif isinstance(stored.column, CategoryColumn):
            asked.append(CellSums((Axis(name, stored.column.levels),), None, (0,)))
        else:
            asked.append(CellSums((Axis(name, ("one", "two"), (-3000, 0, 18330)),), None, (0,)))
    return tuple(asked)


def assert_same(found: DuckTable, rows: Sequence[Mapping[str, Raw]]) -> None:
    asked = requests()
    wanted = MemoryTable(rows, table()).cell_sums(asked)
    for request, left, right in zip(asked, found.cell_sums(asked), wanted, strict=True):
        assert np.array_equal(left, right), request


@pytest.fixture(scope="module")
def zoo_table(tmp_path_factory: pytest.TempPathFactory) -> DuckTable:
    return open_parquet(tmp_path_factory.mktemp("parquet"), zoo_rows())


@pytest.mark.parametrize("name", COLUMNS)
def test_each_odd_stored_value_counts_as_the_declared_rules_say(
    name: str, zoo_table: DuckTable, tmp_path: Path
) -> None:
    column = COLUMNS[name].column
    cells = [row[name] for row in zoo_rows()]
    got = bounded_cells(zoo_table, name, tmp_path)
    for cell, found in zip(cells, got, strict=True):
        assert found == bound_cell(cell, column), cell


def test_sums_of_odd_stored_values_are_those_of_the_declared_rules(zoo_table: DuckTable) -> None:
    assert_same(zoo_table, zoo_rows())


ROWS = st.lists(
    st.fixed_dictionaries(
        {name: st.one_of(st.none(), stored.drawn) for name, stored in COLUMNS.items()}
    ),
    max_size=25,
)


@settings(max_examples=8, deadline=None, suppress_health_check=list(HealthCheck))
@given(rows=ROWS)
def test_stored_values_count_as_the_declared_rules_say(
    rows: list[dict[str, Raw]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    assert_same(open_parquet(tmp_path_factory.mktemp("drawn"), rows), rows)


@pytest.mark.long
@pytest.mark.timeout(3600)
@settings(max_examples=400, deadline=None, suppress_health_check=list(HealthCheck))
@given(rows=ROWS)
def test_many_stored_values_count_as_the_declared_rules_say(
    rows: list[dict[str, Raw]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    assert_same(open_parquet(tmp_path_factory.mktemp("drawn"), rows), rows)


@pytest.mark.parametrize(
    ("sql_type", "values"),
    [
        (
            "DATE",
            ["infinity", "-infinity", "290000-01-01", "0001-01-01 (BC)", "5877641-06-23 (BC)"],
        ),
        ("TIMESTAMP", ["infinity", "-infinity", "290000-01-01", "290309-12-22 (BC)"]),
        ("TIMESTAMP_S", ["infinity", "-infinity", "290000-01-01"]),
        ("TIMESTAMP_NS", ["2262-04-11 23:47:16.854775806", "1677-09-21 00:12:44"]),
    ],
)
def test_days_beyond_every_calendar_count_as_bounded_or_missing(
    sql_type: str, values: list[str], tmp_path: Path
) -> None:
    fields = {"strict": {"type": "date"}, "clipped": {"type": "date"}}
    config = write_owner(tmp_path, fields, None, source=PARQUET)
    with duckdb.connect(":memory:") as engine:
        rows = ", ".join(f"('{value}'::{sql_type}, '{value}'::{sql_type})" for value in values)
        engine.execute(
            f"COPY (SELECT * FROM (VALUES {rows}) AS v(strict, clipped))"
            f" TO '{tmp_path / 'data.parquet'}' (FORMAT parquet)"
        )
    version = register_table(config, TABLE, accept_cells=True).version
    study = Table(name=TABLE, unit=RowUnit(kind="row"), columns={"strict": DAY, "clipped": LATE})
    found = open_version(version, study, tmp_path)
    assert bounded_cells(found, "strict", tmp_path) == [None] * len(values)
    for cell in bounded_cells(found, "clipped", tmp_path):
        assert cell in (None, LATE.low, LATE.high)


@pytest.mark.parametrize(
    ("sql", "field", "message"),
    [
        ("'1' AS x", "number", "PLY-D208 x: stored as VARCHAR"),
        ("1.5::DOUBLE AS x", "integer", "PLY-D208 x: stored as DOUBLE"),
        ("1.5::DOUBLE AS x", "text", "PLY-D208 x: stored as DOUBLE"),
        ("[1, 2] AS x", "number", "PLY-D208 x: stored as"),
        ("{'a': 1} AS x", "text", "PLY-D208 x: stored as STRUCT"),
        ("now() AS x", "date", "PLY-D208 x: stored as TIMESTAMP WITH TIME ZONE"),
        ("'NaN'::DOUBLE AS x", "number", "data.parquet:1:1 PLY-D212 x: not a finite number"),
        ("1 AS y", "number", "PLY-D202 x: column 'x' is missing"),
    ],
)
def test_what_does_not_fit_the_schema_is_told_its_owner(
    sql: str, field: str, message: str, tmp_path: Path
) -> None:
    config = write_owner(tmp_path, {"x": {"type": field}}, None, source=PARQUET)
    with duckdb.connect(":memory:") as engine:
        engine.execute(f"COPY (SELECT {sql}) TO '{tmp_path / 'data.parquet'}' (FORMAT parquet)")
    with pytest.raises(DataFaults) as refused:
        register_table(config, TABLE)
    assert message in str(refused.value)


@pytest.mark.parametrize("content", [b"", b"PAR1", b"x,y\n1,2\n", b"PAR1" + b"\0" * 500 + b"PAR1"])
def test_what_is_no_parquet_file_is_told_its_owner(content: bytes, tmp_path: Path) -> None:
    config = write_owner(tmp_path, {"x": {"type": "number"}}, content, source=PARQUET)
    with pytest.raises(DataFaults, match="PLY-D207 file: not a Parquet file"):
        register_table(config, TABLE)


def test_damaged_pages_are_found_at_registration_not_by_a_study(tmp_path: Path) -> None:
    config = write_owner(tmp_path, {"x": {"type": "text"}}, None, source=PARQUET)
    path = tmp_path / "data.parquet"
    with duckdb.connect(":memory:") as engine:
        engine.execute(
            "COPY (SELECT 'cell ' || hash(i) AS x FROM range(1000) r(i))"
            f" TO '{path}' (FORMAT parquet, COMPRESSION zstd)"
        )
    whole = path.read_bytes()
    path.write_bytes(whole[:1000] + bytes(byte ^ 0x5A for byte in whole[1000:3000]) + whole[3000:])
    with pytest.raises(DataFaults, match="PLY-D207 file: a file that the engine cannot read"):
        register_table(config, TABLE)
