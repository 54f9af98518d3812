"""Means and variances out of released integers: exact fractions first, floats last.

Integers are sums over rows of (x - centre)^k in steps. A mean close to zero, or a variance far
smaller than the squared mean, would lose its digits in floating point; in fractions nothing does.
"""

from __future__ import annotations

from fractions import Fraction

from mpc.columns.model import NumberColumn
from mpc.questions.answer import Estimate, ReleasedCell
from mpc.questions.intervals import (
    Cut,
    Span,
    positive_zero,
    ratio_span,
    root,
    variance_span,
)

NO_COUNT = "the noisy count is 0 or less"
COUNT_TOO_SMALL = "the noisy count is below 2"

MEAN_CUT = "noise carried it out of the declared bounds; cut to the nearer one"
BELOW_ZERO = "noise made the variance negative; cut to 0"
ABOVE_MOST = (
    "noise made the variance larger than the declared bounds allow; cut to the most they do"
)
SAMPLING_CUT = "its interval with sampling takes the variance that was cut"


def mean_estimate(cell: ReleasedCell, column: NumberColumn, centre: int) -> Estimate:
    """The mean in the column's unit, within its bounds; null if the noisy count is 0 or less."""
    count, total = cell.integers[0], cell.integers[1]
    if count <= 0:
        return _null("mean", NO_COUNT)
    step = Fraction(column.step)
    bounds = Span(Fraction(column.low - centre), Fraction(column.high - centre))
    ratio = Cut(Fraction(total, count), bounds)
    value = ratio.value
    span = ratio_span(cell, bounds)
    noise = (cell.variances[1] + value * value * cell.variances[0]) / (count * count)
    in_unit = float((centre + value) * step)
    lower, upper = (float((centre + end) * step) for end in _around(value, span))
    return Estimate(
        name="mean",
        value=positive_zero(in_unit),
        noise_sd=float(step) * root(noise),
        low=positive_zero(lower),
        high=positive_zero(upper),
        raw=float((centre + ratio.raw) * step) if ratio.moved else None,
        note=MEAN_CUT if ratio.moved else "",
    )


def sample_variance(cell: ReleasedCell, column: NumberColumn) -> Cut | None:
    """(s2 - s1^2 / n) / (n - 1) in steps squared, cut to what the bounds allow; None if n < 2."""
    count, total, squares = cell.integers
    if count < 2:
        return None
    raw = (squares - Fraction(total * total, count)) / (count - 1)
    return Cut(raw, _variance_bounds(count, column))


def variance_estimates(cell: ReleasedCell, column: NumberColumn) -> tuple[Estimate, Estimate]:
    """Sample variance (n - 1) and standard deviation, in the column's unit (squared, and not)."""
    count = cell.integers[0]
    spread = sample_variance(cell, column)
    if spread is None:
        return _null("variance", COUNT_TOO_SMALL), _null("standard_deviation", COUNT_TOO_SMALL)
    value, note = spread.value, _cut_note(spread)
    span = variance_span(cell, _variance_bounds(count, column))
    lower, upper = _around(value, span)
    noise = variance_noise(cell, value)
    unit = Fraction(column.step) ** 2
    noise_sd = float(unit) * root(noise)
    deviation = root(value * unit)
    raw = spread.raw * unit
    return (
        Estimate(
            name="variance",
            value=float(value * unit),
            noise_sd=noise_sd,
            low=float(lower * unit),
            high=float(upper * unit),
            raw=float(raw) if note else None,
            note=note,
        ),
        Estimate(
            name="standard_deviation",
            value=deviation,
            noise_sd=noise_sd / (2 * deviation) if deviation > 0 else None,
            low=root(lower * unit),
            high=root(upper * unit),
            raw=root(raw) if note and raw >= 0 else None,
            note=note,
        ),
    )


def variance_noise(cell: ReleasedCell, value: Fraction) -> Fraction:
    """The noise's variance in the sample variance ``value`` of two rows or more, to first order."""
    count, total, _squares = cell.integers
    v_count, v_total, v_squares = cell.variances
    by_total = Fraction(2 * total, count * (count - 1))
    by_count = (Fraction(total * total, count * count) - value) / (count - 1)
    return (
        v_squares / (count - 1) ** 2 + by_total * by_total * v_total + by_count * by_count * v_count
    )


def _cut_note(spread: Cut) -> str:
    if not spread.moved:
        return ""
    return BELOW_ZERO if spread.raw < 0 else ABOVE_MOST


def _variance_bounds(count: int, column: NumberColumn) -> Span:
    """Popoviciu (1935): no population variance exceeds a quarter of the squared range."""
    span = column.high - column.low
    return Span(Fraction(0), Fraction(span * span * count, 4 * (count - 1)))


def _around(value: Fraction, span: Span) -> tuple[Fraction, Fraction]:
    """The interval, widened to hold the value where cutting to bounds moved that."""
    return min(span.low, value), max(span.high, value)


def _null(name: str, reason: str) -> Estimate:
    return Estimate(name=name, value=None, noise_sd=None, low=None, high=None, reason=reason)
