"""results.json and results.csv: every digit, and checkable against the receipt."""

from __future__ import annotations

import csv
import io
import json
from decimal import Decimal

import pytest
from receipts import Federation, Run, run_of

from mpc.errors import IntegrityError
from mpc.outcome import decode_totals
from mpc.units import PartyId, RhoPico
from parties.report.results import check_results, results_csv, results_document, results_json
from parties.report.standing import PartyBudget
from parties.report.truths import LABEL
from parties.report.verify import Verification

BUDGET = PartyBudget(PartyId("north"), RhoPico(10**12), RhoPico(75 * 10**10), Decimal("0.000001"))


def written(verified: Verification, **changes: object) -> bytes:
    document = results_document(
        verified.plan,
        verified.answers,
        (BUDGET,),
        run=verified.run,
        receipt_digest=verified.receipt_digest,
    )
    return results_json({**document, **changes})


def test_results_carry_answers_costs_budgets_and_the_receipts_digest(
    verified: Verification,
) -> None:
    document = json.loads(written(verified))
    assert document["receipt_sha256"] == verified.receipt_digest
    assert document["privacy"]["epsilon"] == "1.000000"
    assert document["budgets"][0]["rho_left"] == "0.75"
    assert "truth" not in document
    first = document["answers"][0]["cells"][0]
    assert first["labels"] == {"sex": "f"}
    assert first["estimates"][0]["value"] == verified.answers[0].cells[0].estimates[0].value


def test_truth_in_results_is_labelled(run: Run, verified: Verification) -> None:
    truth = decode_totals(run.plan, run.totals)
    document = results_document(
        run.plan, verified.answers, (), run=verified.run, receipt_digest="", truth=truth
    )
    assert json.loads(results_json(document))["truth"]["label"] == LABEL
    head = next(csv.reader(io.StringIO(results_csv(verified.answers, truth))))
    assert head[-1] == f"truth ({LABEL})"


def test_csv_has_one_line_an_estimate_and_exact_sums(verified: Verification) -> None:
    rows = list(csv.DictReader(io.StringIO(results_csv(verified.answers))))
    estimates = [e for a in verified.answers for c in a.cells for e in c.estimates]
    assert len(rows) == len(estimates)
    for row, estimate in zip(rows, estimates, strict=True):
        assert row["estimate"] == estimate.name
        if estimate.exact is not None:
            assert row["value"] == estimate.exact
        elif estimate.value is not None:
            assert float(row["value"]) == estimate.value
    assert {row["group"] for row in rows} == {"", "sex=f", "sex=m"}


def test_results_that_follow_from_the_receipt_are_taken(verified: Verification) -> None:
    check_results(written(verified), verified)
    check_results(written(verified, budgets=[]), verified)


@pytest.mark.parametrize(
    ("part", "value"),
    [
        ("run", "0" * 64),
        ("receipt_sha256", "0" * 64),
        ("plan_digest", "0" * 64),
        ("title", "Another"),
        ("privacy", {"epsilon": "0.1"}),
        ("format", "parley-results/2"),
    ],
)
def test_results_with_another_claim_are_refused(
    verified: Verification, part: str, value: object
) -> None:
    with pytest.raises(IntegrityError, match=part):
        check_results(written(verified, **{part: value}), verified)


def test_changed_answer_is_refused_and_its_question_named(verified: Verification) -> None:
    document = json.loads(written(verified))
    document["answers"][1]["cells"][0]["estimates"][0]["value"] += 0.001
    with pytest.raises(IntegrityError, match="visits: its answer"):
        check_results(json.dumps(document).encode(), verified)
    document["answers"].pop()
    with pytest.raises(IntegrityError, match="each once"):
        check_results(json.dumps(document).encode(), verified)


@pytest.mark.parametrize("data", [b"", b"[]", b"{", b"\xff", b'{"answers": 1}', b"[" * 100_000])
def test_what_is_no_results_file_is_refused(verified: Verification, data: bytes) -> None:
    with pytest.raises(IntegrityError, match=r"not a results\.json"):
        check_results(data, verified)


def test_results_of_another_run_of_the_plan_are_refused(
    members: Federation, verified: Verification
) -> None:
    with pytest.raises(IntegrityError):
        check_results(written(run_of(members).verified()), verified)
