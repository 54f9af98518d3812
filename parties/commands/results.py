"""What a finished study leaves in its folder: receipt, results, report, roster pins."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from mpc.questions.answer import Answer
from parties.coordinator.office import Finished
from parties.report.html import render_report
from parties.report.pins import pins_json
from parties.report.results import results_csv, results_document, results_json

RECEIPT, REPORT, RESULTS, TABLE, ROSTER = (
    "receipt.json", "report.html", "results.json", "results.csv", "roster.json",
)  # fmt: skip


def write_results(
    directory: Path, finished: Finished, truth: Sequence[Answer] | None = None
) -> dict[str, object]:
    """Write all files of a result; returns what ``results.json`` says."""
    verified = finished.verified
    document = results_document(
        verified.plan,
        verified.answers,
        finished.budgets,
        run=verified.run,
        receipt_digest=verified.receipt_digest,
        truth=truth,
    )
    directory.mkdir(parents=True, exist_ok=True)
    (directory / RECEIPT).write_bytes(finished.receipt)
    (directory / RESULTS).write_bytes(results_json(document))
    (directory / TABLE).write_text(results_csv(verified.answers, truth), encoding="utf-8")
    (directory / ROSTER).write_bytes(pins_json(verified.plan.roster))
    page = render_report(verified, budgets=finished.budgets, truth=truth)
    (directory / REPORT).write_text(page, encoding="utf-8")
    return document
