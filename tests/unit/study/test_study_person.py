"""A study whose unit is a person: what it must say, where its faults stand, its one plain form."""

from __future__ import annotations

from typing import Any

import pytest

from mpc.canonical import canonical_bytes
from mpc.errors import Fault, StudyFaults
from mpc.plan.build import columns_of_study
from mpc.study.canonical import study_from_plain, study_to_plain
from mpc.study.model import FirstBy, PersonUnit, Study
from mpc.study.parse import parse_study
from mpc.units import UNIT_ROWS_MAX, Adjacency

UNIT = "{kind: person, column: card, rows_max: 3, across_parties: true, keep: hashed}"
QUESTION = "{kind: mean, column: age, by: [sex]}"


def scenario(unit: str = UNIT, *, question: str = QUESTION, where: str = "") -> str:
    return f"""\
version: 1
id: trial
title: A trial
purpose: research
lead: {{name: J, organization: O, email: j@o.example}}
parties:
  a: {{version: 1, rows_max: 100, rows_expected: 50}}
  b: {{version: 1, rows_max: 100, rows_expected: 50}}
recipients: [coordinator]
table:
  name: people
  unit: {unit}
  columns:
    card: {{type: id}}
    age: {{type: number, bounds: [0, 120]}}
    sex: {{type: category, levels: [f, m]}}
    day: {{type: date, bounds: [2020-01-01, 2020-12-31]}}
  where: {where or "age > 17"}
privacy: {{epsilon: 1, delta: 1e-6, adjacency: add_or_remove_one}}
questions:
  q: {question}
"""


def parsed(text: str) -> Study:
    return parse_study(text.encode(), "s.yaml")


def only_fault(text: str) -> Fault:
    with pytest.raises(StudyFaults) as caught:
        parsed(text)
    assert len(caught.value.faults) == 1, str(caught.value)
    return caught.value.faults[0]


def with_unit(**changed: Any) -> str:
    said = {
        "kind": "person", "column": "card", "rows_max": 3, "across_parties": "true",
        "keep": "hashed",
    } | changed  # fmt: skip
    return (
        "{" + ", ".join(f"{key}: {value}" for key, value in said.items() if value is not None) + "}"
    )


def test_a_person_unit_says_column_caps_owners_and_which_rows_are_kept() -> None:
    study = parsed(scenario(with_unit(group_rows_max=2, keep="{first_by: day}")))
    assert study.table.unit == PersonUnit(
        kind="person", column="card", rows_max=3, group_rows_max=2, across_parties=True,
        keep=FirstBy(first_by="day"),
    )  # fmt: skip
    assert study.protected.is_person
    assert study.protected.rows_max == UNIT_ROWS_MAX
    assert study.protected.adjacency is Adjacency.ADD_OR_REMOVE_ONE


def test_a_second_id_is_a_fault_beside_the_units_own() -> None:
    text = scenario().replace(
        "    card: {type: id}\n", "    card: {type: id}\n    pin: {type: id}\n"
    )
    fault = only_fault(text)
    assert (fault.code, fault.path) == ("PLY-S042", "table.columns.pin")


def test_the_id_and_what_keeps_rows_are_used_so_that_owners_must_allow_it() -> None:
    study = parsed(scenario(with_unit(keep="{first_by: day}")))
    uses = {name: [use.value for use in used] for name, used in columns_of_study(study)}
    assert uses == {
        "card": ["identify"], "age": ["aggregate", "filter"], "sex": ["group"], "day": ["order"],
    }  # fmt: skip


@pytest.mark.parametrize(
    ("unit", "path", "what"),
    [
        (with_unit(column="cord"), "table.unit.column", "did you mean 'card'"),
        (with_unit(column="sex"), "table.unit.column", "column 'sex' is a category"),
        (with_unit(column=None), "table.unit", "column required"),
        (with_unit(rows_max=None), "table.unit", "rows_max required"),
        (with_unit(rows_max=0), "table.unit.rows_max", "out of range"),
        (with_unit(across_parties=None), "table.unit", "across_parties required"),
        (with_unit(across_parties="yes"), "table.unit.across_parties", "does not fit"),
        (with_unit(keep=None), "table.unit", "keep required"),
        (with_unit(keep="last"), "table.unit.keep", "'last' is not allowed"),
        (with_unit(group_rows_max=4), "table.unit.group_rows_max", "more than rows_max"),
        (with_unit(keep="{first_by: dat}"), "table.unit.keep.first_by", "did you mean 'day'"),
        (with_unit(keep="{first_by: card}"), "table.unit.keep.first_by", "is an id"),
        ("{kind: row}", "table.columns.card", "an id that is not the unit's"),
    ],
)
def test_a_unit_that_does_not_fit_is_one_fault_at_its_place(
    unit: str, path: str, what: str
) -> None:
    text = scenario(unit)
    fault = only_fault(text)
    assert fault.path == path
    assert what in fault.what
    line = text.splitlines()[fault.line - 1]
    assert ("unit:" in line) == path.startswith("table.unit")


@pytest.mark.parametrize(
    ("question", "what"),
    [
        ("{kind: count, by: [card]}", "column 'card' is an id"),
        ("{kind: sum, column: card}", "column 'card' is an id"),
        ("{kind: histogram, column: card}", "column 'card' is an id"),
        ("{kind: histogram, column: card, bins: [0, 1]}", "column 'card' is an id"),
        ("{kind: variance, column: card}", "column 'card' is an id"),
    ],
)
def test_nothing_is_asked_of_an_id(question: str, what: str) -> None:
    fault = only_fault(scenario(question=question))
    assert fault.code == "PLY-S040"
    assert fault.what == what


@pytest.mark.parametrize(
    "where", ["card = '7'", "card in ('7', '8')", "card between 1 and 2", "card is not missing"]
)
def test_no_row_is_selected_by_an_id(where: str) -> None:
    fault = only_fault(scenario(where=where))
    assert fault.code == "PLY-S051"
    assert "'card' is an id, by which no row is selected" in fault.what


@pytest.mark.parametrize("group", [None, 1, 3])
@pytest.mark.parametrize("keep", ["hashed", "{first_by: day}"])
def test_a_person_study_has_one_plain_form_and_comes_back_from_it(
    group: int | None, keep: str
) -> None:
    study = parsed(scenario(with_unit(group_rows_max=group, keep=keep)))
    plain = study_to_plain(study)
    assert study_from_plain(plain) == study
    unit = plain["table"]["unit"]  # type: ignore[call-overload, index]
    assert ("group_rows_max" in unit) == (group is not None)
    assert canonical_bytes(study_to_plain(study_from_plain(plain))) == canonical_bytes(plain)


@pytest.mark.parametrize(
    "changed",
    [
        {"across_parties": "true"}, {"keep": "first"}, {"keep": {"first_by": "day", "more": 1}},
        {"group_rows_max": None}, {"rows_max": "3"}, {"more": 1}, {"column": "sex"},
    ],
)  # fmt: skip
def test_a_proposal_with_another_form_of_a_person_unit_is_refused(changed: dict[str, Any]) -> None:
    plain = study_to_plain(parsed(scenario()))
    plain["table"]["unit"].update(changed)  # type: ignore[call-overload, index, union-attr]
    with pytest.raises(StudyFaults, match="<proposal>"):
        study_from_plain(plain)


def test_a_row_unit_keeps_its_plain_form() -> None:
    text = scenario("{kind: row, rows_max: 2}").replace("    card: {type: id}\n", "")
    plain = study_to_plain(parsed(text))
    assert plain["table"]["unit"] == {"kind": "row", "rows_max": 2}  # type: ignore[call-overload, index]
