"""What error the released estimates will have, before any data is touched.

Computed with the decimal module alone, so that it may stand in the plan: its square root is
correctly rounded on every machine.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import ROUND_UP, Context, Decimal, localcontext
from fractions import Fraction

from mpc.columns.model import Column, NumberColumn
from mpc.layout import Layout
from mpc.plan.model import ExpectedError, PlannedBlock
from mpc.questions.noise_sum import half_width

Z95 = Decimal("1.959963984540054")
_PRECISION = 50
_DIGITS = 6


def expected_errors(
    kind: str,
    layout: Layout,
    blocks: Sequence[PlannedBlock],
    columns: Mapping[str, Column],
    rows_expected: int,
) -> tuple[ExpectedError, ...]:
    """95 % half-widths of all estimates of one cell, in the order the answer gives them.

    Those of counts and sums are the released ones, digit for digit. For a quantile, how far its
    rank may be off, as a share of rows.
    For a mean, z sqrt(V1 + h^2 Vn) / n: the mean at a bound, the worst.
    For a variance, z sqrt(V2 + 4 h^2 V1 + h^4 Vn) / (n - 1), and its root for the deviation.
    n is ``rows_expected`` spread evenly over the cells.
    """
    with localcontext(Context(prec=_PRECISION)):
        if layout.search is not None:
            rank = _rank_width(layout, blocks, rows_expected)
            return ExpectedError("rank", rank), ExpectedError("count", _integer_width(blocks[0]))
        if layout.term is None:
            return (ExpectedError("count", _integer_width(blocks[0])),)
        column = columns[layout.term.column]
        if not isinstance(column, NumberColumn):
            raise ValueError("a term is a number")
        if kind == "sum":
            return (ExpectedError("sum", _integer_width(blocks[0]) * column.step),)
        rows = Fraction(rows_expected, layout.cells)
        h = blocks[1].block.value_max
        count = ExpectedError("count", _integer_width(blocks[0]))
        mean = ExpectedError("mean", _mean_width(blocks, column, h, rows))
        if kind == "mean":
            return (mean, count)
        spread = _variance_width(blocks, column, h, rows)
        deviation = None if spread is None else _rounded(spread.sqrt())
        return (
            ExpectedError("variance", None if spread is None else _rounded(spread)),
            ExpectedError("standard_deviation", deviation),
            mean,
            count,
        )


def _integer_width(block: PlannedBlock) -> Decimal:
    return Decimal(half_width(block.noises))


def _rank_width(
    layout: Layout, blocks: Sequence[PlannedBlock], rows_expected: int
) -> Decimal | None:
    """sqrt(2 ln(80 levels) V) over all rows: as :func:`mpc.questions.quantile.decode.rank_reach`.

    A point's own error depends on how dense rows are there, which nobody knows.
    """
    rows = Fraction(rows_expected, layout.cells)
    if rows < 1 or layout.search is None:
        return None
    search = layout.search
    tail = Decimal(2) * Decimal(80 * search.levels).ln()
    reach = (tail * _decimal(blocks[1].total_variance)).sqrt()
    return min(Decimal(1), _rounded(reach / search.whole / _decimal(rows)))


def _mean_width(
    blocks: Sequence[PlannedBlock], column: NumberColumn, h: int, rows: Fraction
) -> Decimal | None:
    if rows < 1:
        return None
    variance = blocks[1].total_variance + h**2 * blocks[0].total_variance
    return _rounded(Z95 * _decimal(variance).sqrt() / _decimal(rows) * column.step)


def _variance_width(
    blocks: Sequence[PlannedBlock], column: NumberColumn, h: int, rows: Fraction
) -> Decimal | None:
    if rows < 2:
        return None
    n, s1, s2 = (block.total_variance for block in blocks)
    variance = s2 + 4 * h**2 * s1 + h**4 * n
    return Z95 * _decimal(variance).sqrt() / _decimal(rows - 1) * column.step**2


def _decimal(value: Fraction) -> Decimal:
    return Decimal(value.numerator) / Decimal(value.denominator)


def _rounded(value: Decimal) -> Decimal:
    """Six significant digits, rounded up, without exponent."""
    if value == 0:
        return Decimal(0)
    unit = Decimal(1).scaleb(value.adjusted() - _DIGITS + 1)
    return value.quantize(unit, rounding=ROUND_UP)
