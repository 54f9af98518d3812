"""``count``: released integers → rows in each cell."""

from __future__ import annotations

from collections.abc import Mapping

from mpc.columns.model import Column
from mpc.questions.answer import Estimate, ReleasedCell
from mpc.questions.count.declare import Count
from mpc.questions.intervals import count_estimate


def decode(
    _question: Count, _columns: Mapping[str, Column], cell: ReleasedCell
) -> tuple[Estimate, ...]:
    """The raw integer, unbiased, with its 95 % noise interval."""
    return (count_estimate(cell),)
