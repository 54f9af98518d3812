"""Which rows of a person an owner's engine counts is, on every table, what the declared rule says.

The rule is written out row by row in mpc.testing.table. Ids stand in a column of odd texts.
"""

from __future__ import annotations

import csv
import json
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from dirty_tables import CELLS, COLUMNS, DIRT, WHERES, Dialect, dialects, requests
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from owner_tables import TABLE, write_owner

from mpc.columns.model import IdColumn
from mpc.errors import DataFaults
from mpc.study.model import FirstBy, PersonUnit, Table
from mpc.table.model import CellSums
from mpc.testing.table import MemoryTable, bound_cell
from parties.data.people import KEY_SIZE
from parties.data.register import register_table
from parties.data.schema import TableSchema, load_schema
from parties.data.table import DuckTable, EngineLimits

WHO = "level"
PEOPLE = {**COLUMNS, WHO: IdColumn(type="id")}
IDS = (
    "a",
    " a\t",
    "é",
    "e\u0301",
    "",
    "NA",
    "007",
    "7",
    "A",
    "  ",
    "a b",
    "'",
    '"',
    "\u00c5",
    "-9",
)
ASKED = tuple(each for each in requests() if all(axis.column != WHO for axis in each.axes))
ASKED += tuple(replace(each, split=each.axes[1:]) for each in ASKED if each.axes)
WHERES_OF_OTHERS = [where for where in WHERES if WHO not in where]
KEY = bytes(range(KEY_SIZE))
KEEPS = ["hashed", *(FirstBy(first_by=name) for name in ("day", "halves", "spare", "wide"))]
UNITS = [
    PersonUnit(
        kind="person", column=WHO, rows_max=rows, group_rows_max=group, across_parties=False,
        keep=keep,
    )
    for rows, group in ((1, None), (2, 1), (3, None), (7, 2), (1000, 1))
    for keep in KEEPS
]  # fmt: skip


def study_table(unit: PersonUnit, where: str = "") -> Table:
    return Table(name=TABLE, unit=unit, columns=PEOPLE, where=where)


def opened(
    folder: Path, rows: Sequence[Mapping[str, str]], spelled: Dialect, table: Table
) -> DuckTable:
    config = write_owner(
        folder, spelled.fields(), spelled.write(rows), source=spelled.source(), rows_max=10**6
    )
    version = register_table(config, TABLE, accept_cells=True).version
    return DuckTable(version, table, EngineLimits(2, 512, folder), KEY)


def people(cells: Sequence[str], ids: Sequence[str], spelled: Dialect) -> list[dict[str, str]]:
    """Every cell in every column, and a handful of persons with many rows each."""
    return [
        {
            name: spelled.writable(
                ids[(row * row + row // 3) % len(ids)]
                if name == WHO
                else cells[(row * (2 * place + 1) + place) % len(cells)]
            )
            for place, name in enumerate(COLUMNS)
        }
        for row in range(len(cells))
    ]


def answers(
    found: DuckTable | MemoryTable, asked: tuple[CellSums, ...] = ASKED
) -> list[list[list[int]]]:
    return [answer.tolist() for answer in found.cell_sums(asked)]


def by_the_rule(
    rows: Sequence[Mapping[str, str]], spelled: Dialect, table: Table
) -> list[list[list[int]]]:
    meant = [{name: spelled.meaning(name, cell) for name, cell in row.items()} for row in rows]
    return answers(MemoryTable(meant, table, KEY))


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: f"{unit.rows_max}-{unit.group_rows}")
def test_rows_of_a_person_that_count_are_those_of_the_declared_rule(
    unit: PersonUnit, tmp_path: Path
) -> None:
    rows, table = people(DIRT, IDS, Dialect(null=("NA", "-9"))), study_table(unit)
    spelled = Dialect(null=("NA", "-9"))
    assert answers(opened(tmp_path, rows, spelled, table)) == by_the_rule(rows, spelled, table)


@pytest.mark.parametrize("where", WHERES_OF_OTHERS)
def test_only_rows_that_pass_the_filter_take_a_place(where: str, tmp_path: Path) -> None:
    rows, spelled = people(DIRT, IDS, Dialect()), Dialect()
    for unit in (UNITS[1], UNITS[6], UNITS[12]):
        table = study_table(unit, where)
        found = answers(opened(tmp_path, rows, spelled, table))
        assert found == by_the_rule(rows, spelled, table)


@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    cells=st.lists(CELLS, min_size=1, max_size=40),
    ids=st.lists(CELLS, min_size=1, max_size=6),
    spelled=dialects(),
    unit=st.sampled_from(UNITS),
    where=st.sampled_from(WHERES_OF_OTHERS),
)
def test_dirty_tables_of_people_count_as_the_declared_rule_says(
    cells: list[str], ids: list[str], spelled: Dialect, unit: PersonUnit, where: str
) -> None:
    rows, table = people(cells, ids, spelled), study_table(unit, where)
    with tempfile.TemporaryDirectory() as folder:
        found = answers(opened(Path(folder), rows, spelled, table))
    assert found == by_the_rule(rows, spelled, table)


@pytest.mark.parametrize("unit", UNITS[5:10], ids=lambda unit: str(unit.keep))
def test_order_and_spelling_of_the_file_do_not_choose_rows(
    unit: PersonUnit, tmp_path: Path
) -> None:
    rows, table = people(DIRT, IDS, Dialect()), study_table(unit)
    other = Dialect(delimiter=";", quoting=csv.QUOTE_ALL, line_end="\r\n")
    once = answers(opened(tmp_path / "once", rows, Dialect(), table))
    again = answers(opened(tmp_path / "again", rows[::-1], other, table))
    assert once == again


def test_one_person_in_two_spellings_is_one_and_nobody_is_left_out(tmp_path: Path) -> None:
    unit = UNITS[1].model_copy(update={"rows_max": 2, "group_rows_max": None})
    blank = dict.fromkeys(COLUMNS, "")
    ids = ["é", " e\u0301 ", "É", "", "  ", "é", "e\u0301"]
    rows = [blank | {WHO: each, "halves": str(i)} for i, each in enumerate(ids)]
    (found,) = answers(
        opened(tmp_path, rows, Dialect(), study_table(unit)), (CellSums((), None, (0,)),)
    )
    assert found == [[3]]  # two rows of é, one of É; of the rows without an id none
    assert [bound_cell(each, PEOPLE[WHO]) for each in ("\u212b", " 7 ", " ", None)] == [
        "\u00c5", "7", None, None,
    ]  # fmt: skip


def test_another_key_keeps_other_rows_of_the_same_person(tmp_path: Path) -> None:
    unit = UNITS[0]
    blank = dict.fromkeys(COLUMNS, "")
    rows = [blank | {WHO: f"p{i // 50}", "whole": str(i % 13 - 1)} for i in range(1000)]
    table = study_table(unit)
    first = opened(tmp_path, rows, Dialect(), table)
    asked = tuple(each for each in ASKED if each.term and each.term.column == "whole")
    other = DuckTable(first._version, table, EngineLimits(2, 512, tmp_path), KEY[::-1])
    assert np.array_equal(answers(first, asked)[1][0], answers(other, asked)[1][0])  # as many rows
    assert answers(first, asked) != answers(other, asked)


def schema_of(folder: Path, **said: str) -> Path:
    config = write_owner(folder, Dialect().fields(), Dialect().write([]))
    file = config.tables[TABLE].schema_file
    file.write_text(json.dumps({**json.loads(file.read_text()), **said}))
    return file


def test_a_study_takes_the_person_by_the_owners_column_and_no_other(tmp_path: Path) -> None:
    table = study_table(UNITS[0])
    assert list(load_schema(schema_of(tmp_path, person=WHO)).value.misfits(table)) == []
    for said, where in (({}, "no column"), ({"person": "known"}, "column known")):
        (misfit,) = load_schema(schema_of(tmp_path, **said)).value.misfits(table)
        assert misfit == f"whose row it is, {where} says here, not {WHO}"


def test_an_owners_person_column_is_published_and_makes_another_version(tmp_path: Path) -> None:
    without = load_schema(schema_of(tmp_path)).value
    said = load_schema(schema_of(tmp_path, person=WHO)).value
    assert said.published()[WHO] == {**without.published()[WHO], "person": True}
    assert said.published() | {WHO: without.published()[WHO]} == without.published()
    assert said.digest != without.digest


def test_a_schema_that_names_no_person_keeps_the_version_it_has() -> None:
    plain = {
        "version": 1, "table": "t", "source": {"format": "csv", "files": ["a.csv"]},
        "columns": {"who": {"type": "text"}},
    }  # fmt: skip
    known = "ee4c4924675277bf8a90d1a7487c327dca6c126b4ea8fe785df9c25cc3328065"
    assert TableSchema.model_validate_json(json.dumps(plain)).digest == known


@pytest.mark.parametrize(
    ("person", "what"), [("nobody", "no column"), ("day", "a column of type date")]
)
def test_a_person_column_must_be_declared_text(person: str, what: str, tmp_path: Path) -> None:
    with pytest.raises(DataFaults, match=f"PLY-D106 person: {person} is {what}"):
        load_schema(schema_of(tmp_path, person=person))


def test_rows_are_not_kept_by_hash_without_a_key(tmp_path: Path) -> None:
    table = study_table(UNITS[0])
    first = opened(tmp_path, people(DIRT, IDS, Dialect()), Dialect(), table)
    for key in (b"", KEY[1:]):
        with pytest.raises(ValueError, match="key of 32 bytes"):
            DuckTable(first._version, table, EngineLimits(1, 512, tmp_path), key).cell_sums(ASKED)
