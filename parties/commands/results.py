"""What a finished study leaves in its folder: receipt, results, report, its fingerprints.

A folder is tried out before a study is proposed: once one is released, it is charged as well.
"""

from __future__ import annotations

import tempfile
from collections.abc import Collection, Sequence
from pathlib import Path

from mpc.errors import IntegrityError, StorageError, UsageError
from mpc.questions.answer import Answer
from mpc.units import RunId
from parties.coordinator.office import Finished
from parties.report.html import render_report
from parties.report.pins import pins_json
from parties.report.receipt import RECEIPT_SIZE_MAX, load_receipt
from parties.report.results import results_csv, results_document, results_json

RECEIPT, REPORT, RESULTS, TABLE, FINGERPRINTS = (
    "receipt.json", "report.html", "results.json", "results.csv", "receipt-fingerprints.json",
)  # fmt: skip
OTHER_FOLDER = "name another folder with --out; nothing was proposed or spent"


def check_folder(directory: Path, runs: Collection[RunId] = ()) -> None:
    """Refuse ``directory`` unless results can be written there, over those of ``runs`` alone.

    A folder that is not there yet is made, and removed again. Raises UsageError naming it.
    """
    made = not directory.exists()
    try:
        directory.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=directory):
            pass
        if made:
            directory.rmdir()
    except OSError as failure:
        raise UsageError(
            f"--out {directory} is no folder to write into: {failure.strerror}", hint=OTHER_FOLDER
        ) from None
    receipt = directory / RECEIPT
    if receipt.exists() and _run_of(receipt) not in runs:
        raise UsageError(
            f"--out {directory} holds a receipt.json of another run, which would be lost",
            hint=OTHER_FOLDER,
        )


def _run_of(receipt: Path) -> RunId | None:
    try:
        with receipt.open("rb") as file:
            return load_receipt(file.read(RECEIPT_SIZE_MAX + 1)).run
    except (IntegrityError, OSError):
        return None


def write_results(
    directory: Path, finished: Finished, again: str, truth: Sequence[Answer] | None = None
) -> dict[str, object]:
    """Write all files of a result; returns what ``results.json`` says.

    Raises StorageError if they cannot be written, or would replace those of another run; its hint
    is ``again``, the way to the results that were released all the same.
    """
    verified = finished.verified
    document = results_document(
        verified.plan,
        verified.answers,
        finished.budgets,
        run=verified.run,
        receipt_digest=verified.receipt_digest,
        truth=truth,
    )
    try:
        check_folder(directory, (verified.run,))
        directory.mkdir(parents=True, exist_ok=True)
        (directory / RECEIPT).write_bytes(finished.receipt)
        (directory / RESULTS).write_bytes(results_json(document))
        (directory / TABLE).write_text(results_csv(verified.answers, truth), encoding="utf-8")
        (directory / FINGERPRINTS).write_bytes(pins_json(verified.plan.roster))
        page = render_report(verified, budgets=finished.budgets, truth=truth)
        (directory / REPORT).write_text(page, encoding="utf-8")
    except UsageError as refusal:
        raise StorageError(refusal.message, hint=again) from None
    except OSError as failure:
        raise StorageError(
            f"{failure.filename or directory} cannot be written: {failure.strerror}", hint=again
        ) from None
    return document
