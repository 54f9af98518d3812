"""A study's least cell: stated or not there at all, and only with questions that count."""

from __future__ import annotations

import pytest

from mpc.errors import StudyFaults
from mpc.study.canonical import study_from_plain, study_to_plain
from mpc.study.parse import parse_study

SCENARIO = """\
version: 1
id: stays
title: Stays
purpose: planning
lead: {name: A. Person, organization: Institute, email: a@institute.example}
parties:
  north: {version: 1, rows_max: 100, rows_expected: 50}
  south: {version: 1, rows_max: 100, rows_expected: 50}
recipients: [coordinator]
table:
  name: stays
  unit: {kind: row}
  columns:
    days: {type: number, bounds: [0, 30]}
privacy: {epsilon: 1, delta: 0.000001, adjacency: add_or_remove_one}
min_cell: 5
questions:
  people: {kind: count}
"""


def test_it_stands_in_the_plain_form_only_where_it_is_given() -> None:
    stated = parse_study(SCENARIO.encode(), "scenario.yaml")
    assert stated.min_cell == 5
    assert study_to_plain(stated)["min_cell"] == 5
    assert study_from_plain(study_to_plain(stated)) == stated
    silent = parse_study(SCENARIO.replace("min_cell: 5\n", "").encode(), "scenario.yaml")
    assert silent.min_cell is None
    assert "min_cell" not in study_to_plain(silent)


@pytest.mark.parametrize("written", ["0", "-1", "2.5", "1000001", "few"])
def test_it_is_a_whole_number_above_0(written: str) -> None:
    with pytest.raises(StudyFaults) as caught:
        parse_study(SCENARIO.replace("min_cell: 5", f"min_cell: {written}").encode(), "s.yaml")
    assert [fault.path for fault in caught.value.faults] == ["min_cell"]


def test_a_sum_is_not_asked_with_it_since_it_releases_no_count() -> None:
    asked = SCENARIO + "  total: {kind: sum, column: days}\n"
    with pytest.raises(StudyFaults) as caught:
        parse_study(asked.encode(), "s.yaml")
    (fault,) = caught.value.faults
    assert (fault.path, fault.line) == ("questions.total.kind", 19)
    assert fault.allowed == "mean, which gives both"
    assert parse_study(asked.replace("min_cell: 5\n", "").encode(), "s.yaml").questions["total"]
