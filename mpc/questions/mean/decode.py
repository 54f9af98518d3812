"""``mean``: released integers → mean and number of rows it is over."""

from __future__ import annotations

from collections.abc import Mapping

from mpc.columns.model import Column
from mpc.questions.answer import Estimate, ReleasedCell
from mpc.questions.declaration import centred, number
from mpc.questions.intervals import count_estimate
from mpc.questions.mean.declare import Mean
from mpc.questions.moments import mean_estimate


def decode(
    question: Mean, columns: Mapping[str, Column], cell: ReleasedCell
) -> tuple[Estimate, ...]:
    """centre + s1 / n with Fieller's interval, and n."""
    column = number(question.column, columns)
    term, _half_range = centred(question.column, column)
    return mean_estimate(cell, column, term.centre), count_estimate(cell)
