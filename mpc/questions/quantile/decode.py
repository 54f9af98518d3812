"""``quantile``: released integers → the point found, how far its rank may be off, and rows."""

from __future__ import annotations

import math
from collections.abc import Mapping
from fractions import Fraction

from mpc.columns.model import Column
from mpc.layout import Search
from mpc.questions.answer import Estimate, ReleasedCell
from mpc.questions.declaration import number
from mpc.questions.intervals import count_estimate, root
from mpc.questions.moments import NO_COUNT
from mpc.questions.noise_sum import half_width
from mpc.questions.quantile.declare import Quantile
from mpc.questions.sum.decode import exact_text

WALK_ERROR = Fraction(1, 40)
"""Half of 5 %. The other half is the count's: so often is its interval's lower end too high."""


def decode(
    question: Quantile, columns: Mapping[str, Column], cell: ReleasedCell
) -> tuple[Estimate, ...]:
    """The point, its rank with 95 % bounds, and n.

    At or below the point lie at least ``low`` of the rows, and at or below the grid's point before
    it at most ``high``. How many lie between these two, and so what the noise does to the point
    itself, depends on how dense rows are there, and is not known.
    """
    column = number(question.column, columns)
    search = question.search(column)
    count, index = cell.integers
    rows = count_estimate(cell)
    if count <= 0:
        return _null("quantile"), _null("rank"), rows
    point = search.point(index)
    value = point * Fraction(column.step)
    at = Estimate(
        name="quantile",
        value=value.numerator if value.denominator == 1 else float(value),
        noise_sd=None,
        low=None,
        high=None,
        exact=exact_text(point, column.step),
    )
    return at, _rank(search, cell), rows


def _rank(search: Search, cell: ReleasedCell) -> Estimate:
    """The rank that was asked for, give or take the rows that noise may have moved it by."""
    reach = Fraction(rank_reach(search.levels, cell.variances[1])) / search.whole
    least = max(1, cell.integers[0] - half_width(cell.noises[0]))
    asked, off = Fraction(search.part, search.whole), reach / least
    return Estimate(
        name="rank",
        value=float(asked),
        noise_sd=root(cell.variances[1]) / search.whole / cell.integers[0],
        low=float(max(Fraction(0), asked - off)),
        high=float(min(Fraction(1), asked + off)),
    )


def rank_reach(levels: int, variance: Fraction) -> float:
    """What all noises on one walk stay within, with 97.5 % at least: sqrt(2 ln(80 levels) V).

    Sums of discrete Gaussians are sub-Gaussian of their parameters' sum (Canonne, Kamath and
    Steinke 2020, Corollary 17), and a walk passes one node a level.
    """
    return math.sqrt(2 * math.log(2 * levels / WALK_ERROR) * variance)


def _null(name: str) -> Estimate:
    return Estimate(name=name, value=None, noise_sd=None, low=None, high=None, reason=NO_COUNT)
