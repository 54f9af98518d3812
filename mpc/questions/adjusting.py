"""What answers of one study say together: totals agree with cells, quantiles rise, none below 0.

Post-processing of released integers: costs no privacy. Every raw value stays beside, unbiased.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from fractions import Fraction

from mpc.columns.model import CategoryColumn, Column, NumberColumn, UseLevel, UseValue
from mpc.layout import Axis
from mpc.questions.answer import Answer
from mpc.questions.count.declare import Count
from mpc.questions.histogram.declare import Histogram
from mpc.questions.isotonic import rising
from mpc.questions.margins import CountedTable, agreeing
from mpc.questions.quantile.declare import Quantile
from mpc.questions.registry import Question


def adjusted(
    questions: Mapping[str, Question],
    columns: Mapping[str, Column],
    answers: Sequence[Answer],
    variances: Mapping[str, Fraction],
    *,
    same_rows: bool,
) -> tuple[Answer, ...]:
    """``answers`` with ``adjusted`` set in all cells of those that others, or reason, correct.

    Counts and histograms of the same rows are made to agree, and not to be negative, by
    :func:`mpc.questions.margins.agreeing`; quantiles of one column, in the same groups and asked
    for different probabilities, to rise with these. ``variances``: of the noise of a question's
    counts. ``same_rows``: all questions count the same rows, so that tables can agree at all; not
    where a person's rows are limited in each group anew.
    """
    found = {answer.question: answer for answer in answers}
    counted = [name for name in found if isinstance(questions[name], Count | Histogram)]
    tables = [_table(found[name], questions[name], columns, variances[name]) for name in counted]
    complete = frozenset(
        axis
        for table in tables
        for axis in table.axes
        if same_rows and _is_complete(axis, columns[axis.column])
    )
    for name, values in zip(counted, agreeing(tables, complete), strict=True):
        found[name] = _with(found[name], "count", values)
    for names in _same_column(questions, found):
        found.update(_risen([found[name] for name in names]))
    return tuple(found[answer.question] for answer in answers)


def _table(
    answer: Answer, question: Question, columns: Mapping[str, Column], variance: Fraction
) -> CountedTable:
    counts = (cell.estimate("count").exact for cell in answer.cells)
    return CountedTable(
        question.layout(columns).axes, tuple(int(count or 0) for count in counts), variance
    )


def _is_complete(axis: Axis, column: Column) -> bool:
    """Whether every row, whatever its cell holds, has a label of ``axis``."""
    if isinstance(column, CategoryColumn):
        return isinstance(column.missing, UseLevel) and column.unknown_level == "missing"
    return isinstance(column, NumberColumn) and _is_filled(axis, column)


def _is_filled(axis: Axis, column: NumberColumn) -> bool:
    clipped = isinstance(column.missing, UseValue) and column.outside == "clip"
    return clipped and (axis.edges[0], axis.edges[-1]) == (column.low, column.high)


def _same_column(
    questions: Mapping[str, Question], names: Iterable[str]
) -> tuple[tuple[str, ...], ...]:
    """Questions for quantiles of one column in the same groups, each by rising probability."""
    together: dict[tuple[str, tuple[str, ...]], list[tuple[Fraction, str]]] = {}
    for name in names:
        question = questions[name]
        if isinstance(question, Quantile):
            asked = together.setdefault((question.column, question.by), [])
            asked.append((Fraction(question.probability), name))
    return tuple(tuple(name for _, name in sorted(asked)) for asked in together.values())


def _risen(answers: Sequence[Answer]) -> dict[str, Answer]:
    """``answers`` by rising probability; a cell that any of them lacks stays as it is."""
    values: list[list[Fraction | None]] = [[] for _ in answers]
    for cells in zip(*(answer.cells for answer in answers), strict=True):
        points = [cell.estimate("quantile").exact for cell in cells]
        known = [Fraction(point) for point in points if point is not None]
        made = rising(known) if len(known) == len(points) else (None,) * len(points)
        for column, value in zip(values, made, strict=True):
            column.append(value)
    return {
        answer.question: _with(answer, "quantile", column)
        for answer, column in zip(answers, values, strict=True)
    }


def _with(answer: Answer, name: str, values: Sequence[Fraction | None]) -> Answer:
    """``answer`` with adjusted values, unless they are all the released ones."""
    exact = [cell.estimate(name).exact for cell in answer.cells]
    moved = (
        value is not None and value != Fraction(text or 0)
        for value, text in zip(values, exact, strict=True)
    )
    if not any(moved):
        return answer
    cells = []
    for cell, value in zip(answer.cells, values, strict=True):
        estimates = tuple(
            replace(estimate, adjusted=None if value is None else float(value))
            if estimate.name == name
            else estimate
            for estimate in cell.estimates
        )
        cells.append(replace(cell, estimates=estimates))
    return replace(answer, cells=tuple(cells))
