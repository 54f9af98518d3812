"""One party's own sums for all questions of a plan, in the order of the plan's vector.

These integers are as secret as the rows: they go into the ring and nowhere else.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from mpc.errors import SecretMisuseError
from mpc.layout import Layout
from mpc.questions.count import local as count
from mpc.questions.histogram import local as histogram
from mpc.questions.mean import local as mean
from mpc.questions.sum import local as sum_
from mpc.questions.variance import local as variance
from mpc.table.model import BoundedTable, CellSums

REQUESTS: dict[str, Callable[[Layout], CellSums]] = {
    "count": count.request,
    "histogram": histogram.request,
    "mean": mean.request,
    "sum": sum_.request,
    "variance": variance.request,
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
    requests = tuple(REQUESTS[question.kind](question.layout) for question in asked)
    answers = table.cell_sums(requests)
    integers: list[int] = []
    for question, answer in zip(asked, answers, strict=True):
        layout = question.layout
        if answer.shape != (len(layout.blocks), layout.cells):
            raise SecretMisuseError("a table returned sums of another shape than asked")
        integers.extend(int(value) for value in answer.reshape(-1))
    return integers
