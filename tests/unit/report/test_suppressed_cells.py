"""Cells below a study's least are left out of every output, by the noisy count alone."""

from __future__ import annotations

import csv
import io
import json

import pytest
from receipts import Federation, questions, run_of, study
from rich.console import Console

from parties.report.html import render_report
from parties.report.results import check_results, results_csv, results_document, results_json
from parties.report.tables import result_table
from parties.report.verify import Verification


@pytest.fixture(scope="module")
def small(members: Federation) -> Verification:
    """People: 4 and 5 where 5 is the least; visits of 3 rows, and of 900."""
    asked = {name: each for name, each in questions().items() if name != "balance"}
    asked_study = study(min_cell=5, questions=asked)
    plan = run_of(members, asked_study).plan
    totals = {
        "people": [4, 5],
        "visits": [3, 900, -7, 80],
        "spread": [903, 20, 99_000],
    }
    numbers = [n for q in plan.questions for n in totals[q.name]]
    return run_of(members, asked_study, totals=numbers).verified()


def test_a_cell_below_the_least_has_no_value_and_says_why(small: Verification) -> None:
    people, visits, spread = small.answers
    below, at = (cell.estimates[0] for cell in people.cells)
    assert (below.value, below.below, below.exact, below.low, below.high) == (None, 5) + (None,) * 3
    assert below.reason == "its noisy count is below 5, the study's least"
    assert (at.value, at.below, at.reason) == (5, None, "")
    mean, rows = visits.cells[0].estimates
    assert (mean.value, mean.raw, mean.noise_sd, mean.reason) == (None, None, None, below.reason)
    assert (rows.value, rows.below) == (None, 5)
    assert all(estimate.value is not None for estimate in visits.cells[1].estimates)
    assert all(estimate.value is not None for estimate in spread.cells[0].estimates)
    assert people.warnings == ("1 of 2 cells have null estimates: " + below.reason,)


def test_files_have_null_and_the_reason(small: Verification) -> None:
    rows = list(csv.DictReader(io.StringIO(results_csv(small.answers))))
    left_out = [row for row in rows if row["reason"]]
    assert [(row["question"], row["estimate"], row["below"]) for row in left_out] == [
        ("people", "count", "5"),
        ("visits", "mean", ""),
        ("visits", "count", "5"),
    ]
    assert all(row["value"] == row["low_95"] == row["adjusted"] == "" for row in left_out)
    data = results_json(
        results_document(
            small.plan, small.answers, None, run=small.run, receipt_digest=small.receipt_digest
        )
    )
    first = json.loads(data)["answers"][0]["cells"][0]["estimates"][0]
    assert (first["value"], first["below"]) == (None, 5)
    check_results(data, small)


@pytest.mark.parametrize("width", [80, 200])
def test_terminal_and_report_print_less_than_the_least(small: Verification, width: int) -> None:
    out = io.StringIO()
    Console(file=out, width=width).print(result_table(small.answers, small.plan, None))
    assert out.getvalue().count("<5") == 2
    page = render_report(small)
    assert page.count('">&lt;5</td>') == 2
    assert "the receipt has every released number" in page
    assert "not available: its noisy count" in page


def test_a_study_without_a_least_shows_every_cell(verified: Verification) -> None:
    assert all(e.below is None for a in verified.answers for c in a.cells for e in c.estimates)
    assert "left out (“" not in render_report(verified)
