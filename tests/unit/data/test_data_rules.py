"""What DuckDB makes of an owner's files is, on every row, what the declared rules say.

The rules are written out cell by cell in mpc.testing.table; how a dialect spells a cell, in
dirty_tables. All sums here are exact integers, and no row may raise.
"""

from __future__ import annotations

import csv
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest
from dirty_tables import (
    CELLS,
    COLUMNS,
    DIRT,
    WHERES,
    Dialect,
    dialects,
    requests,
    table,
)
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from owner_tables import TABLE, bounded_cells, open_version, write_owner

from mpc.testing.table import MemoryTable, Raw, bound_cell
from parties.data.register import register_table
from parties.data.table import DuckTable

COPRIME = (1, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37)


def open_csv(
    folder: Path, rows: Sequence[Mapping[str, str]], spelled: Dialect, where: str
) -> DuckTable:
    config = write_owner(
        folder, spelled.fields(), spelled.write(rows), source=spelled.source(), rows_max=10**6
    )
    version = register_table(config, TABLE, accept_cells=True).version
    return open_version(version, table(where), folder)


def assert_same(found: DuckTable, rows: Sequence[Mapping[str, Raw]], where: str) -> None:
    asked = requests()
    wanted = MemoryTable(rows, table(where)).cell_sums(asked)
    for request, left, right in zip(asked, found.cell_sums(asked), wanted, strict=True):
        assert left.shape == right.shape
        assert np.array_equal(left, right), (request, left, right)
        assert all(type(value) is int for value in left.reshape(-1))


def spread(cells: Sequence[str], spelled: Dialect) -> list[dict[str, str]]:
    """Every cell in every column, next to ever other ones."""
    size = len(cells)
    return [
        {
            name: spelled.writable(cells[(row * stride + place) % size])
            for place, (name, stride) in enumerate(zip(COLUMNS, COPRIME, strict=True))
        }
        for row in range(size)
    ]


def meant(rows: Sequence[Mapping[str, str]], spelled: Dialect) -> list[dict[str, str | None]]:
    return [{name: spelled.meaning(name, cell) for name, cell in row.items()} for row in rows]


DIALECTS = (
    Dialect(),
    Dialect(delimiter=";", decimal=",", thousands=".", null=("NA", "-9")),
    Dialect(delimiter="\t", thousands=",", encoding="utf-16", date_format="%d/%m/%Y"),
    Dialect(delimiter="|", thousands="'", encoding="latin-1", line_end="\r\n", null=("é", "999")),
    Dialect(thousands=" ", mark=True, quoting=csv.QUOTE_ALL, date_format="%Y%m%d"),
    Dialect(
        delimiter=";", decimal=",", thousands=" ", null=("0", "1", "?"), date_format="%d.%m.%Y"
    ),
)


@pytest.mark.parametrize(
    "spelled", DIALECTS, ids=lambda each: f"{each.delimiter!r} {each.encoding}"
)
def test_every_odd_cell_of_a_csv_file_counts_as_the_declared_rules_say(
    spelled: Dialect, tmp_path: Path
) -> None:
    rows = spread(DIRT, spelled)
    assert_same(open_csv(tmp_path, rows, spelled, ""), meant(rows, spelled), "")


@pytest.mark.parametrize("name", COLUMNS)
def test_each_odd_cell_alone_counts_as_the_declared_rules_say(name: str, tmp_path: Path) -> None:
    """Sums could hide errors that cancel: here every cell is looked at by itself."""
    spelled = Dialect()
    rows = [dict.fromkeys(COLUMNS, "") | {name: cell} for cell in DIRT]
    found = open_csv(tmp_path, rows, spelled, "")
    wanted = [bound_cell(spelled.meaning(name, cell), COLUMNS[name]) for cell in DIRT]
    got = bounded_cells(found, name, tmp_path)
    assert dict(zip(DIRT, got, strict=True)) == dict(zip(DIRT, wanted, strict=True))


@pytest.mark.parametrize("where", WHERES)
def test_where_sees_the_bounded_columns(where: str, tmp_path: Path) -> None:
    rows = spread(DIRT, Dialect())
    assert_same(open_csv(tmp_path, rows, Dialect(), where), meant(rows, Dialect()), where)


def hold_to_the_rules(cells: list[str], spelled: Dialect, where: str) -> None:
    rows = spread(cells, spelled)
    with tempfile.TemporaryDirectory() as folder:
        assert_same(open_csv(Path(folder), rows, spelled, where), meant(rows, spelled), where)


FUZZ = {
    "cells": st.lists(CELLS, max_size=60),
    "spelled": dialects(),
    "where": st.sampled_from(WHERES),
}


@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
@given(**FUZZ)
def test_dirty_csv_tables_count_as_the_declared_rules_say(
    cells: list[str], spelled: Dialect, where: str
) -> None:
    hold_to_the_rules(cells, spelled, where)


@pytest.mark.long
@pytest.mark.timeout(3600)
@settings(max_examples=600, deadline=None, suppress_health_check=list(HealthCheck))
@given(**FUZZ)
def test_many_dirty_csv_tables_count_as_the_declared_rules_say(
    cells: list[str], spelled: Dialect, where: str
) -> None:
    hold_to_the_rules(cells, spelled, where)
