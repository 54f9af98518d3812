"""Estimates that noise carried beyond what they can be: cut, and said to be in every output."""

from __future__ import annotations

import csv
import io
import json
import re

import pytest
from receipts import Federation, run_of
from rich.console import Console

from mpc.questions.answer import Estimate
from mpc.questions.moments import ABOVE_MOST, BELOW_ZERO, MEAN_CUT, SAMPLING_CUT
from parties.report.html import render_report
from parties.report.results import check_results, results_csv, results_document, results_json
from parties.report.tables import result_table
from parties.report.verify import Verification


@pytest.fixture(scope="module")
def cut(members: Federation) -> Verification:
    """A run whose noise made the variance of visits negative, and one mean larger than its bound.

    People of two groups, visits in two groups (n, s1), spread (n, s1, s2) and balance.
    """
    plan = run_of(members).plan
    totals = {
        "people": [1000, 1137],
        "visits": [10, 20, 100, 90_000],
        "spread": [100, 20, -9900],
        "balance": [5],
    }
    return run_of(members, totals=[n for q in plan.questions for n in totals[q.name]]).verified()


def estimates(verified: Verification, question: str) -> dict[str, Estimate]:
    (answer,) = [each for each in verified.answers if each.question == question]
    return {each.name: each for each in answer.cells[-1].estimates}


def test_cut_estimates_keep_what_the_released_integers_come_to(cut: Verification) -> None:
    spread = estimates(cut, "spread")
    variance, deviation = spread["variance"], spread["standard_deviation"]
    assert (variance.value, deviation.value) == (0, 0)
    assert variance.raw is not None
    assert variance.raw < -50
    assert deviation.raw is None  # no root of a negative number
    assert variance.note == deviation.note == BELOW_ZERO
    assert spread["mean"].note == SAMPLING_CUT
    mean = estimates(cut, "visits")["mean"]
    assert (mean.value, mean.note) == (77, MEAN_CUT)
    assert mean.raw is not None
    assert mean.raw > 77


def test_estimates_within_their_bounds_have_no_note(verified: Verification) -> None:
    found = [e for a in verified.answers for c in a.cells for e in c.estimates]
    assert all(each.note == "" and each.raw is None for each in found)
    out = io.StringIO()
    Console(file=out, width=200).print(result_table(verified.answers, verified.plan, None))
    assert "†" not in out.getvalue() + render_report(verified)


@pytest.mark.parametrize("width", [80, 200])
def test_terminal_marks_cut_values_and_says_what_they_were(cut: Verification, width: int) -> None:
    out = io.StringIO()
    Console(file=out, width=width).print(result_table(cut.answers, cut.plan, None))
    text = " ".join(out.getvalue().split())
    assert re.search(r"Variance 0\S* †", text)
    assert f"spread: † {BELOW_ZERO}: Variance (before: −" in text
    assert f"visits: † {MEAN_CUT}: Mean of m (before: " in text


def test_report_marks_cut_values_and_says_what_they_were(cut: Verification) -> None:
    text = render_report(cut)
    assert f'<p class="note">† {BELOW_ZERO}: Variance (before: −' in text
    assert re.search(r"77[.0]* †</td>", text)


def test_files_for_machines_carry_note_and_raw_value_and_are_checked(cut: Verification) -> None:
    document = results_document(
        cut.plan, cut.answers, (), run=cut.run, receipt_digest=cut.receipt_digest
    )
    written = results_json(document)
    check_results(written, cut)
    (spread,) = [a for a in json.loads(written)["answers"] if a["question"] == "spread"]
    variance = spread["cells"][0]["estimates"][0]
    assert (variance["value"], variance["note"]) == (0, BELOW_ZERO)
    assert variance["raw"] < 0
    (row,) = [
        each
        for each in csv.DictReader(io.StringIO(results_csv(cut.answers)))
        if (each["question"], each["estimate"]) == ("spread", "variance")
    ]
    assert (float(row["raw"]), row["note"]) == (variance["raw"], BELOW_ZERO)


def test_variance_beyond_what_bounds_allow_is_cut_with_its_root(members: Federation) -> None:
    plan = run_of(members).plan
    totals = {
        "people": [1, 1], "visits": [9, 9, 9, 9], "spread": [100, 0, 900_000], "balance": [5],
    }  # fmt: skip
    run = run_of(members, totals=[n for q in plan.questions for n in totals[q.name]])
    spread = estimates(run.verified(), "spread")
    variance, deviation = spread["variance"], spread["standard_deviation"]
    assert variance.note == deviation.note == ABOVE_MOST
    assert variance.raw is not None
    assert variance.value is not None
    assert variance.raw > variance.value
    assert deviation.raw == pytest.approx(variance.raw**0.5)
