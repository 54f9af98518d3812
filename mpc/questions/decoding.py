"""Released integers → answers, for every kind."""

from __future__ import annotations

from collections.abc import Mapping

from mpc.columns.model import Column
from mpc.questions.answer import Estimate, ReleasedCell
from mpc.questions.count.declare import Count
from mpc.questions.count.decode import decode as decode_count
from mpc.questions.histogram.declare import Histogram
from mpc.questions.histogram.decode import decode as decode_histogram
from mpc.questions.mean.declare import Mean
from mpc.questions.mean.decode import decode as decode_mean
from mpc.questions.quantile.declare import Quantile
from mpc.questions.quantile.decode import decode as decode_quantile
from mpc.questions.registry import Question
from mpc.questions.sum.declare import Sum
from mpc.questions.sum.decode import decode as decode_sum
from mpc.questions.variance.decode import decode as decode_variance


def decode_cell(
    question: Question, columns: Mapping[str, Column], cell: ReleasedCell
) -> tuple[Estimate, ...]:
    """The estimates of one cell."""
    if isinstance(question, Count):
        return decode_count(question, columns, cell)
    if isinstance(question, Sum):
        return decode_sum(question, columns, cell)
    if isinstance(question, Mean):
        return decode_mean(question, columns, cell)
    if isinstance(question, Histogram):
        return decode_histogram(question, columns, cell)
    if isinstance(question, Quantile):
        return decode_quantile(question, columns, cell)
    return decode_variance(question, columns, cell)
