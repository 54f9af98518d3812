"""Results for machines: ``results.json`` and ``results.csv``, every digit kept.

They repeat what follows from the receipt; the receipt is what can be verified.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from decimal import Decimal

from mpc.errors import IntegrityError
from mpc.plan.model import Plan
from mpc.questions.answer import Answer, Cell
from mpc.study.model import PersonUnit, RowUnit
from mpc.units import RHO_UNIT, RunId
from parties.report.standing import PartyBudget
from parties.report.truths import LABEL, Truths
from parties.report.verify import Verification

RESULTS_FORMAT = "parley-results/1"
RESULTS_SIZE_MAX = 256 << 20  # bytes

_CSV_HEAD = (
    "question",
    "kind",
    "group",
    "estimate",
    "value",
    "noise_sd",
    "low_95",
    "high_95",
    "standard_error",
    "sampling_low_95",
    "sampling_high_95",
    "reason",
    "raw",
    "note",
    "adjusted",
    "below",
)


def results_document(
    plan: Plan,
    answers: Sequence[Answer],
    budgets: Sequence[PartyBudget] | None,
    *,
    run: RunId,
    receipt_digest: str,
    truth: Sequence[Answer] | None = None,
) -> dict[str, object]:
    """All answers with errors, what they cost, and the digest of the receipt they follow from."""
    document: dict[str, object] = {
        "format": RESULTS_FORMAT,
        "study": plan.study.id,
        "title": plan.study.title,
        "run": run,
        "plan_digest": plan.digest,
        "receipt_sha256": receipt_digest,
        "privacy": {
            "rho": f"{Decimal(plan.rho_total) / RHO_UNIT:f}",
            "epsilon": f"{plan.epsilon_total:f}",
            "delta": f"{plan.delta:f}",
            "adjacency": plan.study.privacy.adjacency.value,
            "unit": plan.study.table.unit.kind,
            "unit_rows_max": plan.study.table.unit.rows_max,
            **_person_plain(plan.study.table.unit),
            "coalition": plan.coalition,
        },
        "answers": [
            {**answer.to_plain(), "epsilon": f"{plan.question(answer.question).epsilon:f}"}
            for answer in answers
        ],
        "budgets": [budget.to_plain() for budget in budgets or ()],
    }
    if truth is not None:
        document["truth"] = {"label": LABEL, "answers": [answer.to_plain() for answer in truth]}
    return document


def _person_plain(unit: RowUnit | PersonUnit) -> dict[str, object]:
    """What else tells whom a study of persons protects."""
    if isinstance(unit, RowUnit):
        return {}
    return {"unit_group_rows_max": unit.group_rows, "unit_across_parties": unit.across_parties}


def results_json(document: dict[str, object]) -> bytes:
    """The document as UTF-8 JSON, indented. Raises ValueError on a value that is not finite."""
    text = json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False)
    return text.encode("utf-8") + b"\n"


def check_results(data: bytes, verified: Verification) -> None:
    """Refuse ``results.json`` unless its every answer and cost follows from the receipt.

    Budgets and plain answers are not in the receipt and are not checked.
    Raises IntegrityError naming the part, or the question, that does not follow.
    """
    if len(data) > RESULTS_SIZE_MAX:
        raise IntegrityError(f"results of {len(data)} bytes; at most {RESULTS_SIZE_MAX} are read")
    try:
        found = json.loads(data)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict) or not isinstance(found.get("answers"), list):
        raise IntegrityError("the results are not a results.json of this software")
    due = json.loads(
        results_json(
            results_document(
                verified.plan,
                verified.answers,
                (),
                run=verified.run,
                receipt_digest=verified.receipt_digest,
            )
        )
    )
    for part in due.keys() - {"answers", "budgets"}:
        if found.get(part) != due[part]:
            raise IntegrityError(f"the results' {part} is not that of the receipt")
    if len(found["answers"]) != len(due["answers"]):
        raise IntegrityError("the results do not answer the questions of the receipt, each once")
    for given, right in zip(found["answers"], due["answers"], strict=True):
        if given != right:
            raise IntegrityError(
                f"{right['question']}: its answer in the results is not that of the receipt"
            )


def results_csv(answers: Sequence[Answer], truth: Sequence[Answer] | None = None) -> str:
    """One line an estimate, RFC 4180. Empty: not known.

    A group is ``column=label``: it starts with a letter, so no spreadsheet runs a label from the
    study as a formula.
    """
    truths = Truths(truth)
    out = io.StringIO()
    writer = csv.writer(out)
    truth_head = (f"truth ({LABEL})",) if truths else ()
    writer.writerow((*_CSV_HEAD, *truth_head))
    for answer in answers:
        for index, cell in enumerate(answer.cells):
            for estimate in cell.estimates:
                row: list[object] = [
                    answer.question,
                    answer.kind,
                    _group(cell),
                    estimate.name,
                    estimate.value if estimate.exact is None else estimate.exact,
                    estimate.noise_sd,
                    estimate.low,
                    estimate.high,
                    estimate.standard_error,
                    estimate.sampling_low,
                    estimate.sampling_high,
                    estimate.reason,
                    estimate.raw,
                    estimate.note,
                    estimate.adjusted,
                    estimate.below,
                ]
                if truths:
                    row.append(truths.value(answer.question, index, estimate.name))
                writer.writerow(row)
    return out.getvalue()


def _group(cell: Cell) -> str:
    return "; ".join(f"{column}={label}" for column, label in cell.labels)
