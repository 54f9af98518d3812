"""One party's own sums for all questions of a plan, in the order of the plan's vector.

These integers are as secret as the rows: they go into the ring and nowhere else.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from mpc.errors import SecretMisuseError
from mpc.layout import Layout
from mpc.questions.count import local as count
from mpc.questions.histogram import local as histogram
from mpc.questions.mean import local as mean
from mpc.questions.quantile import local as quantile
from mpc.questions.sum import local as sum_
from mpc.questions.variance import local as variance
from mpc.table.model import BoundedTable, CellSums


def _as_they_are(layout: Layout, sums: NDArray[np.object_]) -> list[int]:
    """Sums of blocks and cells are what is shared."""
    if sums.shape != (len(layout.blocks), layout.cells):
        raise SecretMisuseError("a table returned sums of another shape than asked")
    return [int(value) for value in sums.reshape(-1)]


@dataclass(frozen=True)
class Local:
    """What a kind asks of the rows, and what is shared of that."""

    request: Callable[[Layout], CellSums]
    integers: Callable[[Layout, NDArray[np.object_]], list[int]] = _as_they_are


LOCALS: dict[str, Local] = {
    "count": Local(count.request),
    "histogram": Local(histogram.request),
    "mean": Local(mean.request),
    "quantile": Local(quantile.request, quantile.integers),
    "sum": Local(sum_.request),
    "variance": Local(variance.request),
}


class Asked(Protocol):
    """A planned question, as far as its own rows matter."""

    @property
    def kind(self) -> str: ...

    @property
    def layout(self) -> Layout: ...


def local_sums(asked: Sequence[Asked], table: BoundedTable) -> list[int]:
    """Every integer of this party: questions in order, each block by block, cell by cell.

    One call to the table for all questions, so that the owner's engine may scan its rows once.
    Opens: nothing. Cost: no round, no byte.
    """
    requests = tuple(LOCALS[question.kind].request(question.layout) for question in asked)
    answers = table.cell_sums(requests)
    integers: list[int] = []
    for question, answer in zip(asked, answers, strict=True):
        own = LOCALS[question.kind].integers(question.layout, answer)
        if len(own) != question.layout.size:
            raise SecretMisuseError("a question made another number of integers than it shares")
        integers.extend(own)
    return integers
