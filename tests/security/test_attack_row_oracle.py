"""A study's author tries to learn of rows by what makes a study fail, or by a second budget."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from owner_tables import open_version, scenario, write_owner

from mpc.errors import StudyFaults, UsageError
from mpc.study.parse import parse_study
from mpc.table.model import CellSums
from parties.data.register import register_table

COLUMNS = {
    "age": {"type": "number", "bounds": [0, 120], "step": 1},
    "pay": {"type": "number", "bounds": [0, 1000000], "step": 0.01},
}
SCHEMA = {"age": {"type": "number"}, "pay": {"type": "number"}}
COUNT = CellSums(axes=(), term=None, powers=(0,))

GUARDED = [
    "pay = " + "9" * 60,
    "pay = 0." + "3" * 38,
    "pay < -" + "9" * 60,
    "pay in (" + "9" * 60 + ", 1)",
    "pay between -" + "9" * 40 + " and " + "9" * 40,
    "pay = 1e308",
    "pay = 0.000001",
]


@pytest.mark.parametrize("guarded", GUARDED)
def test_a_filter_fails_for_all_rows_or_for_none(tmp_path: Path, guarded: str) -> None:
    """``age = 91 and G`` must not end otherwise where somebody is 91 than where nobody is."""
    ends = []
    for name, oldest in (("with", b"91,100\n"), ("without", b"90,100\n")):
        folder = tmp_path / name
        config = write_owner(folder, SCHEMA, b"age,pay\n40,250.5\n" + oldest)
        version = register_table(config, "cases").version
        text = scenario(COLUMNS, {"n": {"kind": "count"}}, where=f"age = 91 and {guarded}")
        try:
            study = parse_study(text, "scenario.yaml")
        except StudyFaults as refused:
            ends.append(str([fault.code for fault in refused.faults]))
            continue
        table = open_version(version, study.table, folder)
        (found,) = table.cell_sums((COUNT,))
        assert found[0, 0] in (0, 1)
        ends.append("answered")
    assert ends[0] == ends[1]


@pytest.mark.parametrize("step", ["0.000001", "0.01", "1", "1000"])
def test_no_step_that_an_author_may_choose_makes_a_row_fail(tmp_path: Path, step: str) -> None:
    content = b"age,pay\n" + b"".join(b"1,%d.%06d\n" % (10**k, k) for k in range(6))
    config = write_owner(tmp_path, SCHEMA, content)
    version = register_table(config, "cases").version
    columns = {**COLUMNS, "pay": {"type": "number", "bounds": [0, 1000000], "step": float(step)}}
    study = parse_study(scenario(columns, {"s": {"kind": "sum", "column": "pay"}}), "scenario.yaml")
    layout = study.questions["s"].layout(study.table.columns)
    asked = CellSums(axes=layout.axes, term=layout.term, powers=(1,))
    (found,) = open_version(version, study.table, tmp_path).cell_sums((asked,))
    exact = sum(10**k + k / 10**6 for k in range(6))
    assert abs(int(found[0, 0]) * float(step) - exact) <= 6 * float(step)


def test_a_table_or_its_bytes_cannot_move_to_a_domain_with_a_fresh_budget(tmp_path: Path) -> None:
    config = write_owner(tmp_path, SCHEMA, b"age,pay\n40,250.5\n")
    first = register_table(config, "cases").version
    entry = config.tables["cases"]
    elsewhere = replace(config, tables={"cases": replace(entry, domain="others")})
    with pytest.raises(UsageError, match="belongs to privacy domain people for ever"):
        register_table(elsewhere, "cases")
    (tmp_path / "copies.schema.yaml").write_text(
        entry.schema_file.read_text().replace('"table": "cases"', '"table": "copies"')
    )
    copied = replace(entry, schema_file=tmp_path / "copies.schema.yaml", domain="others")
    with pytest.raises(UsageError, match="a file of table copies belongs to"):
        register_table(replace(config, tables={"copies": copied}), "copies")
    assert register_table(config, "cases").version.number == first.number
