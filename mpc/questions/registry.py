"""Every kind of question that a study may ask, by the word it is asked with.

A new kind is a new folder here (``declare``, ``local``, ``decode``) and a line in each of this
module, :mod:`mpc.questions.local`, :mod:`mpc.questions.decoding` and :mod:`mpc.plan.foresight`.
This module reaches declarations only: no table, no secret.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from mpc.questions.count.declare import Count
from mpc.questions.histogram.declare import Histogram
from mpc.questions.mean.declare import Mean
from mpc.questions.sum.declare import Sum
from mpc.questions.variance.declare import Variance

Question = Annotated[Count | Sum | Mean | Variance | Histogram, Field(discriminator="kind")]

QUESTION_KINDS: tuple[str, ...] = ("count", "sum", "mean", "variance", "histogram")
