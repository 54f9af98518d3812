"""What a finished study leaves in its folder: receipt, results, report, its fingerprints.

A folder is tried out before a study is proposed: once one is released, it is charged as well. It
belongs to the run of its receipt, which is put there last: files beside no receipt are somebody's.
"""

from __future__ import annotations

import os
import stat
import tempfile
from collections.abc import Collection, Mapping, Sequence
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
NAMES = (RECEIPT, REPORT, RESULTS, TABLE, FINGERPRINTS)
OTHER_FOLDER = "name another folder with --out; nothing was proposed or spent"


def check_folder(directory: Path, runs: Collection[RunId] = ()) -> RunId | None:
    """Refuse ``directory`` unless results can be written there, over those of ``runs`` alone.

    Returns the run whose files are there; None if there are none. A folder that is not there yet
    is made, and removed again. Raises UsageError naming it, and what would be lost.
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
    taken = [name for name in NAMES if os.path.lexists(directory / name)]
    if not taken:
        return None
    odd = [name for name in taken if not stat.S_ISREG((directory / name).lstat().st_mode)]
    run = None if odd else _run_of(directory / RECEIPT)
    if run is not None and run in runs:
        return run
    if odd:
        lost = f"{', '.join(odd)}, no file of a result,"
    elif RECEIPT in taken:
        lost = f"a {RECEIPT} of another run,"
    else:
        lost = f"{', '.join(taken)} without a {RECEIPT} of this run,"
    raise UsageError(f"--out {directory} holds {lost} which would be lost", hint=OTHER_FOLDER)


def check_repeat(directory: Path, held: RunId, answered: Collection[str]) -> None:
    """Refuse ``directory`` with the files of run ``held`` unless that is what all would repeat.

    ``answered``: the run that each party says it released. Raises UsageError.
    """
    if set(answered) != {held}:
        raise UsageError(
            f"--out {directory} holds a {RECEIPT} of another run of this plan, {held[:12]}, which"
            " would be lost: not every party would repeat it",
            hint=OTHER_FOLDER,
        )


def _run_of(receipt: Path) -> RunId | None:
    try:
        # Whatever is there under the name: no link is followed, no pipe waited for.
        handle = os.open(receipt, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        with open(handle, "rb") as file:
            return load_receipt(file.read(RECEIPT_SIZE_MAX + 1)).run
    except (IntegrityError, OSError):
        return None


def write_results(
    directory: Path, finished: Finished, again: str, truth: Sequence[Answer] | None = None
) -> dict[str, object]:
    """Write all files of a result, each at once and whole; returns what ``results.json`` says.

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
    page = render_report(verified, budgets=finished.budgets, truth=truth)
    files = {
        RESULTS: results_json(document),
        TABLE: results_csv(verified.answers, truth).encode(),
        FINGERPRINTS: pins_json(verified.plan.roster),
        REPORT: page.encode(),
        RECEIPT: finished.receipt,
    }
    try:
        check_folder(directory, (verified.run,))
        directory.mkdir(parents=True, exist_ok=True)
        _put(directory, files)
    except UsageError as refusal:
        raise StorageError(refusal.message, hint=again) from None
    except OSError as failure:
        raise StorageError(
            f"{failure.filename or directory} cannot be written: {failure.strerror}", hint=again
        ) from None
    return document


def _put(directory: Path, files: Mapping[str, bytes]) -> None:
    """Write ``files`` beside their places, then move each there, in order.

    A file that cannot be written leaves all places as they were.
    """
    with tempfile.TemporaryDirectory(dir=directory, prefix=".parley-") as made:
        beside = Path(made)
        for name, content in files.items():
            with (beside / name).open("xb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
        for name in files:
            (beside / name).replace(directory / name)
