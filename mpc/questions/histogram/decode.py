"""``histogram``: released integers → rows in each bin or level."""

from __future__ import annotations

from collections.abc import Mapping

from mpc.columns.model import Column
from mpc.questions.answer import Estimate, ReleasedCell
from mpc.questions.histogram.declare import Histogram
from mpc.questions.intervals import count_estimate


def decode(
    _question: Histogram, _columns: Mapping[str, Column], cell: ReleasedCell
) -> tuple[Estimate, ...]:
    """The raw integer, unbiased, with its 95 % noise interval."""
    return (count_estimate(cell),)
