"""What reaches the errors that a scenario asks for, as a terminal table and as JSON."""

from __future__ import annotations

from decimal import Decimal

from rich.box import SIMPLE_HEAD
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from mpc.plan.tuning import EPSILON_MAX, TunedQuestion, Tuning
from mpc.study.canonical import decimal_text
from mpc.study.model import Study
from mpc.units import RHO_UNIT, RhoPico
from parties.report.figures import NOT_AVAILABLE, rho_figure, rho_left_figure, significant_text
from parties.report.tables import plain_text
from parties.report.wording import estimate_text


def tuning_table(study: Study, tuning: Tuning) -> RenderableType:
    """A line for each question, and what all of them need."""
    table = Table(box=SIMPLE_HEAD)
    for head in ("question", "estimate"):
        table.add_column(head, overflow="fold")
    for head in ("target", "foretold", "ρ needed", "weight"):
        table.add_column(head, justify="right", no_wrap=True)
    for question in tuning.questions:
        table.add_row(
            plain_text(question.name, "bold"),
            estimate_text(question.estimate),
            _width_text(question.target),
            Text(_width_text(question.reached), style="" if question.met else "red"),
            rho_figure(question.rho),
            _weight_text(study, question),
        )
    return Group(table, *(Text(line) for line in _needed(study, tuning)))


def _needed(study: Study, tuning: Tuning) -> list[str]:
    """What the targets take, and the budget that would do."""
    stated = f"{study.privacy.epsilon:f}"
    lines = [
        f"ρ {rho_figure(tuning.needed)} is needed, ρ {rho_left_figure(tuning.budget)} is there"
        f" (ε {stated}, δ {study.privacy.delta:f})."
    ]
    if tuning.epsilon is None:
        lines.append(f"No ε up to {EPSILON_MAX}, the most of a study, would do.")
    else:
        lines.append(f"With these weights, ε {decimal_text(tuning.epsilon)} would do.")
    return lines


def _width_text(width: Decimal | None) -> str:
    return NOT_AVAILABLE if width is None else f"± {significant_text(width, 3)}"


def _weight_text(study: Study, question: TunedQuestion) -> str:
    if question.weight is not None:
        return decimal_text(question.weight)
    return f"rho: {decimal_text(study.questions[question.name].rho or Decimal(0))}"


def tuning_document(study: Study, tuning: Tuning) -> dict[str, object]:
    """The same for ``--json``: numbers as decimal text, every digit."""
    return {
        "study": study.id,
        "met": tuning.met,
        "rho_needed": _rho_text(tuning.needed),
        "rho_budget": _rho_text(tuning.budget),
        "epsilon": decimal_text(study.privacy.epsilon),
        "epsilon_needed": None if tuning.epsilon is None else decimal_text(tuning.epsilon),
        "questions": [
            {
                "name": each.name,
                "estimate": each.estimate,
                "target_half_width": _text(each.target),
                "half_width": _text(each.reached),
                "met": each.met,
                "met_alone": each.name not in tuning.alone,
                "rho_needed": _rho_text(each.rho),
                "weight": None if each.weight is None else decimal_text(each.weight),
            }
            for each in tuning.questions
        ],
    }


def _rho_text(rho: RhoPico) -> str:
    return f"{Decimal(rho) / RHO_UNIT:f}"


def _text(value: Decimal | None) -> str | None:
    return None if value is None else f"{value:f}"
