"""Which answers get a range that covers sampling too: those whose release says enough.

A count among other cells: its share of them, in rows. A mean or a sum: where the study asks for the
variance of its column in the same groups. Rows are taken for independent draws of one population,
and a study with as many of them; so none is given where one unit may have several rows, which are
alike.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from fractions import Fraction

from mpc.columns.model import Column, NumberColumn
from mpc.questions.answer import Answer, Estimate, ReleasedCell
from mpc.questions.bootstrap import Fit, SampledRange, means, shares, totals
from mpc.questions.count.declare import Count
from mpc.questions.declaration import centred, number
from mpc.questions.histogram.declare import Histogram
from mpc.questions.mean.declare import Mean
from mpc.questions.moments import SAMPLING_CUT, sample_variance, variance_noise
from mpc.questions.registry import Question
from mpc.questions.sum.declare import Sum
from mpc.questions.variance.declare import Variance

Released = Mapping[str, Sequence[ReleasedCell]]


def sampled(
    questions: Mapping[str, Question],
    columns: Mapping[str, Column],
    answers: Sequence[Answer],
    released: Released,
    seed: bytes,
) -> tuple[Answer, ...]:
    """``answers`` with ``standard_error``, ``sampling_low`` and ``sampling_high`` where known.

    ``seed`` is public and the same for everyone who has the release, as the ranges are then.
    """
    return tuple(
        _with(answer, *_ranges(questions, columns, answer.question, released, seed))
        for answer in answers
    )


def _ranges(
    questions: Mapping[str, Question],
    columns: Mapping[str, Column],
    name: str,
    released: Released,
    seed: bytes,
) -> tuple[str, list[SampledRange | None]]:
    """The estimate of question ``name`` that has ranges, and those of its cells."""
    question, cells = questions[name], released[name]
    own = hashlib.sha256(seed + name.encode()).digest()
    if isinstance(question, Count | Histogram):
        counts = [cell.integers[0] for cell in cells]
        total = float(sum(counts))
        found = shares(counts, float(cells[0].variances[0]), own)
        return "count", [_scaled(each, total) for each in found]
    if not isinstance(question, Mean | Variance | Sum):
        return "", [None] * len(cells)
    spreads = cells if isinstance(question, Variance) else _spreads(questions, question, released)
    if spreads is None:
        return "", [None] * len(cells)
    column = number(question.column, columns)
    step = float(column.step)
    if isinstance(question, Sum):
        fits = [_sum_fit(*each, column) for each in zip(cells, spreads, strict=True)]
        return "sum", _noted([_scaled(each, step) for each in totals(fits, own)], fits)
    centre = centred(question.column, column)[0].centre
    fits = [_mean_fit(*each, column) for each in zip(cells, spreads, strict=True)]
    bounds = (float(column.low - centre), float(column.high - centre))
    found = means(fits, bounds, own)
    offset = float(centre * column.step)
    return "mean", _noted([_scaled(each, step, offset) for each in found], fits)


def _spreads(
    questions: Mapping[str, Question], question: Mean | Sum, released: Released
) -> Sequence[ReleasedCell] | None:
    """What the study's variance of the same column in the same groups releases."""
    for name, other in questions.items():
        same = isinstance(other, Variance) and other.column == question.column
        if same and other.by == question.by:
            return released[name]
    return None


def _mean_fit(cell: ReleasedCell, spread: ReleasedCell, column: NumberColumn) -> Fit:
    rows_noise, total_noise = cell.variances[:2]
    return _fit(cell.integers[0], cell.integers[1], spread, column, rows_noise, total_noise)


def _sum_fit(cell: ReleasedCell, spread: ReleasedCell, column: NumberColumn) -> Fit:
    rows, noise = spread.integers[0], cell.variances[0]
    return _fit(rows, cell.integers[0], spread, column, spread.variances[0], noise)


def _fit(
    rows: int,
    total: int,
    spread: ReleasedCell,
    column: NumberColumn,
    rows_noise: Fraction,
    total_noise: Fraction,
) -> Fit:
    """Without two noisy rows to tell the variance by, no range is made: 0 rows."""
    variance = sample_variance(spread, column)
    if variance is None:
        return Fit(0.0, 0.0, 0.0, 0.0, 0.0, 0.0, spread_cut=False)
    return Fit(
        rows=float(rows),
        total=float(total),
        spread=float(variance.value),
        rows_noise=float(rows_noise),
        total_noise=float(total_noise),
        spread_noise=float(variance_noise(spread, variance.value)),
        spread_cut=variance.moved,
    )


def _scaled(found: SampledRange | None, unit: float, offset: float = 0.0) -> SampledRange | None:
    if found is None:
        return None
    ends = (offset + found.low * unit, offset + found.high * unit)
    return SampledRange(found.standard_error * unit, *ends)


def _noted(ranges: Sequence[SampledRange | None], fits: Sequence[Fit]) -> list[SampledRange | None]:
    """``ranges``, those that rest on a variance which noise made impossible with a note."""
    return [
        replace(found, note=SAMPLING_CUT) if found is not None and fit.spread_cut else found
        for found, fit in zip(ranges, fits, strict=True)
    ]


def _with(answer: Answer, name: str, ranges: Sequence[SampledRange | None]) -> Answer:
    def ranged(estimate: Estimate, found: SampledRange | None) -> Estimate:
        if estimate.name != name or estimate.value is None or found is None:
            return estimate
        return replace(
            estimate,
            standard_error=found.standard_error,
            sampling_low=found.low,
            sampling_high=found.high,
            note="; ".join(note for note in (estimate.note, found.note) if note),
        )

    cells = tuple(
        replace(cell, estimates=tuple(ranged(estimate, found) for estimate in cell.estimates))
        for cell, found in zip(answer.cells, ranges, strict=True)
    )
    return replace(answer, cells=cells)
