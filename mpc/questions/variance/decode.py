"""``variance``: released integers → variance, standard deviation, mean and number of rows."""

from __future__ import annotations

from collections.abc import Mapping

from mpc.columns.model import Column
from mpc.questions.answer import Estimate, ReleasedCell
from mpc.questions.declaration import centred, number
from mpc.questions.intervals import count_estimate
from mpc.questions.moments import mean_estimate, variance_estimates
from mpc.questions.variance.declare import Variance


def decode(
    question: Variance, columns: Mapping[str, Column], cell: ReleasedCell
) -> tuple[Estimate, ...]:
    """Sample variance (n - 1) and its root, the mean, and n."""
    column = number(question.column, columns)
    term, _half_range = centred(question.column, column)
    return (
        *variance_estimates(cell, column),
        mean_estimate(cell, column, term.centre),
        count_estimate(cell),
    )
