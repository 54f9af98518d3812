"""The studies that tests run end to end: their files say what their data are, and plans hold them.

"Expected" integers come from plain Python over the rows (tests/cases/studies.py); what the owners'
engines give for the plan's questions, added up without noise, must be the same.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path

import pytest
from cases.studies import FOLDER, STUDIES, expected, rows_of, study
from owner_tables import planned

from mpc.columns.model import CategoryColumn, NumberColumn
from mpc.errors import PlanRefusal
from mpc.layout import Layout
from mpc.questions.local import local_sums
from mpc.study.model import Study
from mpc.study.parse import parse_study
from mpc.testing.table import bound_cell
from parties.data.register import check_data
from parties.data.schema import load_schema
from parties.data.table import DuckTable, EngineLimits
from parties.data.versions import RegisteredVersion
from parties.simulated_files import schema_for


def read(path: Path) -> Study:
    return parse_study(path.read_bytes(), path.name)


def sums_of(integers: list[int], layout: Layout) -> list[dict[str, int]]:
    """The released sums of each cell, centring taken back."""
    cells: list[dict[str, int]] = [{} for _ in range(layout.cells)]
    for number, block in enumerate(layout.blocks):
        for cell in range(layout.cells):
            cells[cell][block.name] = integers[number * layout.cells + cell]
    centre = layout.term.centre if layout.term else 0
    for cell_sums in cells:
        n, s1 = cell_sums.get("n", 0), cell_sums.get("s1", 0)
        if "s2" in cell_sums:
            cell_sums["s2"] += 2 * centre * s1 + n * centre * centre
        if "s1" in cell_sums and centre:
            cell_sums["s1"] = s1 + n * centre
    return cells


@pytest.mark.parametrize("name", STUDIES)
def test_each_party_of_the_study_gets_a_file_with_its_rows(name: str, tmp_path: Path) -> None:
    scenario, data = study(name, tmp_path / "data")
    asked = read(scenario)
    assert set(rows_of(name)) == set(asked.parties)
    for party, entry in asked.parties.items():
        with (data / f"{party}.csv").open(encoding="utf-8", newline="") as file:
            written = list(csv.DictReader(file))
        assert written == rows_of(name)[party]
        assert 0 < len(written) <= entry.rows_max


@pytest.mark.parametrize("name", STUDIES)
def test_every_cell_lies_within_the_declared_bounds_and_levels(name: str) -> None:
    columns = read(FOLDER / name / "scenario.yaml").table.columns
    for rows in rows_of(name).values():
        for column_name, column in columns.items():
            cells = {row[column_name] for row in rows}
            if isinstance(column, CategoryColumn):
                assert cells <= set(column.levels)
            elif isinstance(column, NumberColumn):
                low, high = column.bounds
                assert all(low <= float(cell) <= high for cell in cells)
                assert None not in {bound_cell(cell, column) for cell in cells}


@pytest.mark.parametrize("name", STUDIES)
def test_the_plan_holds_and_the_owners_engines_give_the_expected_integers(
    name: str, tmp_path: Path
) -> None:
    scenario, data = study(name, tmp_path / "data")
    asked = read(scenario)
    plan = planned(asked)
    totals = [0] * plan.size
    for party in asked.parties:
        own = local_sums(plan.questions, opened(asked, data / f"{party}.csv", tmp_path / party))
        totals = [total + value for total, value in zip(totals, own, strict=True)]
    answers = expected(name)
    assert list(answers) == list(asked.questions)
    for question in plan.questions:
        end = question.offset + question.layout.size
        found = sums_of(totals[question.offset : end], question.layout)
        assert found == [numbers(cell) for cell in answers[question.name]], question.name


def opened(asked: Study, file: Path, folder: Path) -> DuckTable:
    """A party's file as its engine reads it, under a schema derived from the study."""
    folder.mkdir()
    (folder / "schema.yaml").write_text(schema_for(asked, file), encoding="utf-8")
    written = load_schema(folder / "schema.yaml")
    states, header, _rows = check_data(written)
    version = RegisteredVersion(1, written.value, states, header)
    return DuckTable(version, asked.table, EngineLimits(2, 512, folder))


def numbers(cell: Mapping[str, int | str]) -> dict[str, int]:
    return {name: int(cell[name]) for name in ("n", "s1", "s2") if name in cell}


def test_pay_in_cents_is_refused_by_the_planner_naming_the_question() -> None:
    cents = read(FOLDER / "wage_gap_regions" / "cents.yaml")
    with pytest.raises(PlanRefusal) as refused:
        planned(cents)
    assert refused.value.question == "pay_spread"
    assert "step" in str(refused.value) or "bounds" in str(refused.value)
