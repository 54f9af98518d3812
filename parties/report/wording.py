"""Questions, columns and estimates in words, for readers of results and plans."""

from __future__ import annotations

from decimal import Decimal

from mpc.columns.model import (
    CategoryColumn,
    Column,
    DateColumn,
    IdColumn,
    NumberColumn,
    UseLevel,
    UseValue,
)
from mpc.plan.model import Plan, PlannedQuestion
from mpc.questions.answer import Cell
from mpc.questions.count.declare import Count
from mpc.questions.quantile.declare import Quantile
from mpc.questions.registry import Question
from mpc.study.model import FirstBy, PersonUnit

_ESTIMATES = {
    "count": "Rows",
    "sum": "Sum",
    "mean": "Mean",
    "variance": "Variance",
    "standard_deviation": "Standard deviation",
    "rank": "Share of rows asked for",
}
_USES = {
    "aggregate": "aggregated", "group": "splits rows", "filter": "selects rows",
    "identify": "says whose row it is", "order": "says which rows of a person count",
}  # fmt: skip
ALL_ROWS = "all rows"
LEVELS_SHOWN_MAX = 12


LEFT_OUT = "left out of the questions that use this column"
COMPOSITION = (
    "ε of single questions does not add up: losses add in ρ (composition), and ε together follows"
    " from their sum"
)


def rows_text(plan: Plan, question: str) -> str:
    """What a question counts: ``Rows with hba1c`` where rows can be left out for that column."""
    measured = plan.question(question).layout.measured
    column = None if measured is None else plan.study.table.columns[measured]
    if not isinstance(column, NumberColumn):
        return _ESTIMATES["count"]
    complete = isinstance(column.missing, UseValue) and column.outside == "clip"
    return _ESTIMATES["count"] if complete else f"Rows with {measured}"


def estimate_text(name: str, rows: str = _ESTIMATES["count"]) -> str:
    """``standard_deviation`` → ``Standard deviation``; ``count`` → ``rows`` as given."""
    if name == "count":
        return rows
    return _ESTIMATES.get(name, name.replace("_", " ").capitalize())


def quantile_text(question: Quantile) -> str:
    """``Median``, ``90 % quantile``."""
    if question.probability == Decimal("0.5"):
        return "Median"
    return f"{(question.probability * 100).normalize():f} % quantile"


def question_text(question: Question) -> str:
    """What is asked, in words: ``Mean of visits, by coinsurance and sex``."""
    if isinstance(question, Count):
        text = "Number of rows"
    elif question.kind == "histogram":
        text = f"Distribution of {question.column}"
    elif question.kind == "variance":
        text = f"Variance and standard deviation of {question.column}"
    elif isinstance(question, Quantile):
        step = "" if question.step is None else f", in steps of {question.step:f}"
        text = f"{quantile_text(question)} of {question.column}{step}"
    else:
        text = f"{question.kind.capitalize()} of {question.column}"
    return text + (f", by {' and '.join(question.by)}" if question.by else "")


def short_cell_text(cell: Cell) -> str:
    """The labels without their columns, for tables whose head names these."""
    return " · ".join(label for _, label in cell.labels) or ALL_ROWS


def columns_text(plan: Plan, question: PlannedQuestion) -> str:
    """Columns that a question reads, each with what bounds it: ``visits [0, 77], sex 2 levels``."""
    declared = plan.study.table.columns
    names = plan.study.questions[question.name].column_names()
    parts = [f"{name} {_bounds_text(declared[name])}" for name in names]
    return ", ".join(parts) or "–"


def _bounds_text(column: Column) -> str:
    if isinstance(column, CategoryColumn):
        count = len(column.levels)
        return "1 level" if count == 1 else f"{count} levels"
    if isinstance(column, IdColumn):
        return ""
    return f"[{column.bounds[0]}, {column.bounds[1]}]"


def domain_text(column: Column) -> str:
    """All values a column may take: bounds and grid, or levels."""
    if isinstance(column, IdColumn):
        return "whatever the owner calls a person; it leaves no owner"
    if isinstance(column, CategoryColumn):
        shown = ", ".join(column.levels[:LEVELS_SHOWN_MAX])
        more = len(column.levels) - LEVELS_SHOWN_MAX
        return shown + (f" and {more} more levels" if more > 0 else "")
    if isinstance(column, DateColumn):
        return f"{column.bounds[0]} to {column.bounds[1]}"
    return f"{column.bounds[0]} to {column.bounds[1]}, in steps of {column.step}"


def rules_text(column: Column) -> str:
    """What becomes of a missing cell and of one outside: every rule is total."""
    if isinstance(column, IdColumn):
        return "missing: the row does not count"
    rule = column.missing
    if isinstance(rule, UseValue):
        missing = f"missing counts as {rule.value}"
    elif isinstance(rule, UseLevel):
        missing = f"missing counts as {rule.level}"
    else:
        missing = f"missing: {LEFT_OUT}"
    if isinstance(column, CategoryColumn):
        as_missing = column.unknown_level == "missing"
        return f"{missing}; other text: {'as missing' if as_missing else LEFT_OUT}"
    clipped = column.outside == "clip"
    return f"{missing}; outside: {'clipped to the nearer bound' if clipped else LEFT_OUT}"


def uses_text(uses: frozenset[str]) -> str:
    """``splits rows, selects rows``."""
    return ", ".join(text for use, text in _USES.items() if use in uses) or "–"


def unit_text(plan: Plan) -> str:
    """Whom the promise protects: ``one row``."""
    unit = plan.study.table.unit
    if isinstance(unit, PersonUnit):
        return f"one person, of whose rows {person_rows_text(unit)}"
    rows = unit.rows_max
    return "one row" if rows == 1 else f"one unit of at most {rows} rows"


def person_rows_text(unit: PersonUnit) -> str:
    """``at most 3 count at each owner``."""
    verb = "counts" if unit.rows_max == 1 else "count"
    return f"at most {unit.rows_max} {verb}{' at each owner' if unit.across_parties else ''}"


def person_rule_text(unit: PersonUnit) -> str:
    """``at most 3 of its rows count at each owner, 1 of them in one group, the first by day``.

    Which rows count, in full.
    """
    rows, group = unit.rows_max, unit.group_rows
    verb = "counts" if rows == 1 else "count"
    text = f"at most {rows} of its rows {verb}{' at each owner' if unit.across_parties else ''}"
    if group < rows:
        text += f", {group} of them in one group of a question"
    first = f"the first by {unit.keep.first_by}" if isinstance(unit.keep, FirstBy) else "by lot"
    return f"{text}, {first}"
