"""Every kind of question that a study may ask, by the word it is asked with.

A new kind is a new folder here (``declare``, ``local``, ``decode``) and a line in each of this
module, :mod:`mpc.questions.local`, :mod:`mpc.questions.decoding` and :mod:`mpc.plan.foresight`.
This module reaches declarations only: no table, no secret.
"""

from __future__ import annotations

from typing import Annotated, get_args

from pydantic import Field

from mpc.questions.count.declare import Count
from mpc.questions.declaration import Declaration
from mpc.questions.histogram.declare import Histogram
from mpc.questions.mean.declare import Mean
from mpc.questions.quantile.declare import Quantile
from mpc.questions.sum.declare import Sum
from mpc.questions.variance.declare import Variance

Question = Annotated[
    Count | Sum | Mean | Variance | Histogram | Quantile, Field(discriminator="kind")
]

QUESTION_KINDS: tuple[str, ...] = ("count", "sum", "mean", "variance", "histogram", "quantile")


def kind_needs_dealer(kind: str) -> bool:
    """Whether questions of ``kind`` compare or multiply secrets. False for a word of no kind."""
    members = get_args(get_args(Question)[0])
    return any(member.needs_dealer for member in members if kind in _words(member))


def _words(member: type[Declaration]) -> tuple[str, ...]:
    return get_args(member.model_fields["kind"].annotation)
