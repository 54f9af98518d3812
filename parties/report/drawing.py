"""Which chart an answer gets: its marks, panels and words."""

from __future__ import annotations

from mpc.plan.model import Plan
from mpc.questions.answer import Answer, Cell, Estimate
from parties.report.charts import Chart, Mark, Panel, Shape
from parties.report.cuts import value_text
from parties.report.figures import decimals_for, interval_text, number_text
from parties.report.truths import Truths
from parties.report.wording import ALL_ROWS, estimate_text, question_text

_DRAWN = {"variance": "standard_deviation"}  # the estimate to draw, where it is not the first


def is_bars(kind: str) -> bool:
    """Counted things get bars from zero; averages and spreads get points."""
    return kind in ("count", "histogram", "sum")


def chart_of(plan: Plan, answer: Answer, truths: Truths) -> Chart:
    """One mark a cell; the last axis labels marks, the others head panels."""
    words = question_text(plan.study.questions[answer.question])
    panels: list[tuple[str, list[Mark]]] = []
    for index, cell in enumerate(answer.cells):
        heading = " · ".join(f"{column} {label}" for column, label in cell.labels[:-1])
        if not panels or panels[-1][0] != heading:
            panels.append((heading, []))
        panels[-1][1].append(_mark(answer, index, cell, truths))
    return Chart(
        key=f"chart-{answer.question}",
        title=words,
        description=_description(answer, words),
        axis=_axis(plan, answer),
        shape=Shape.BARS if is_bars(answer.kind) else Shape.POINTS,
        panels=tuple(Panel(heading, tuple(marks)) for heading, marks in panels),
    )


def _drawn(answer: Answer, cell: Cell) -> Estimate:
    wanted = _DRAWN.get(answer.kind)
    for estimate in cell.estimates:
        if estimate.name == wanted:
            return estimate
    return cell.estimates[0]


def _mark(answer: Answer, index: int, cell: Cell, truths: Truths) -> Mark:
    estimate = _drawn(answer, cell)
    label = f"{cell.labels[-1][0]} {cell.labels[-1][1]}" if cell.labels else ALL_ROWS
    truth = truths.value(answer.question, index, estimate.name)
    if estimate.value is None:
        left_out = "" if estimate.below is None else f"{value_text(estimate, 0)}, "
        return Mark(label, None, None, None, f"{left_out}not available: {estimate.reason}")
    decimals = decimals_for(estimate.noise_sd)
    note = number_text(estimate.value, decimals)
    if estimate.low is not None and estimate.high is not None:
        note += f", 95 % interval {interval_text(estimate.low, estimate.high, decimals)}"
    return Mark(label, float(estimate.value), estimate.low, estimate.high, note, truth)


def _axis(plan: Plan, answer: Answer) -> str:
    name = _drawn(answer, answer.cells[0]).name
    measured = plan.question(answer.question).layout.measured
    if name == "count" or measured is None:
        return "rows"
    return f"{estimate_text(name).lower()} of {measured}"


def _description(answer: Answer, words: str) -> str:
    drawn = [_drawn(answer, cell) for cell in answer.cells]
    groups = "one value" if len(drawn) == 1 else f"{len(drawn)} groups"
    has_intervals = any(estimate.low is not None for estimate in drawn)
    interval = ", each with its 95 % interval for the added noise" if has_intervals else ""
    return (
        f"{words}: {estimate_text(drawn[0].name).lower()}, {groups}{interval}. "
        "The table that follows holds the same numbers."
    )
