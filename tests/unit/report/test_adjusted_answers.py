"""Adjusted values stand beside the raw ones in every output, and only where there are some."""

from __future__ import annotations

import csv
import io
import json

import pytest
from receipts import Federation, run_of, study
from rich.console import Console

from parties.report.html import render_report
from parties.report.results import check_results, results_csv, results_document, results_json
from parties.report.tables import result_table
from parties.report.verify import Verification


@pytest.fixture(scope="module")
def negative(members: Federation) -> Verification:
    """A run whose noise carried one count of people below 0."""
    plan = run_of(members).plan
    totals = {name: [0] * plan.question(name).size for name in plan.study.questions}
    totals["people"] = [-5, 1137]
    return run_of(members, totals=[n for q in plan.questions for n in totals[q.name]]).verified()


def printed(verified: Verification, width: int) -> str:
    out = io.StringIO()
    Console(file=out, width=width).print(result_table(verified.answers, verified.plan, None))
    return " ".join(out.getvalue().split())


def test_files_have_the_raw_count_and_the_adjusted_one(negative: Verification) -> None:
    rows = [
        row
        for row in csv.DictReader(io.StringIO(results_csv(negative.answers)))
        if row["question"] == "people"
    ]
    assert [(row["value"], row["adjusted"]) for row in rows] == [("-5", "0.0"), ("1137", "1132.0")]
    data = results_json(
        results_document(
            negative.plan,
            negative.answers,
            None,
            run=negative.run,
            receipt_digest=negative.receipt_digest,
        )
    )
    cell = json.loads(data)["answers"][0]["cells"][0]["estimates"][0]
    assert (cell["value"], cell["adjusted"]) == (-5, 0)
    check_results(data, negative)


@pytest.mark.parametrize("width", [80, 200])
def test_terminal_and_report_show_both(negative: Verification, width: int) -> None:
    text = printed(negative, width)
    assert "adjusted" in text
    assert "−5" in text
    assert "1,132" in text
    page = render_report(negative)
    assert '<th scope="col" class="number">Adjusted</th>' in page
    assert '<td class="number">1,132</td>' in page
    assert "no count is below 0" in page


def test_answers_that_need_no_adjusting_have_no_such_column(verified: Verification) -> None:
    assert "adjusted beside" not in printed(verified, 200)
    assert " adjusted " not in printed(verified, 200)
    assert ">Adjusted<" not in render_report(verified)


def test_no_range_with_sampling_where_a_unit_may_have_several_rows(members: Federation) -> None:
    """Rows of one unit are alike, so they are no independent draws."""
    one = study()
    several = one.table.model_copy(
        update={"unit": one.table.unit.model_copy(update={"rows_max": 2})}
    )
    for table, known in ((one.table, True), (several, False)):
        answers = run_of(members, study(table=table)).verified().answers
        found = [e.sampling_low for a in answers for c in a.cells for e in c.estimates]
        assert any(low is not None for low in found) is known
