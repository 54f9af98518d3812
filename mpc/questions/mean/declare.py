"""``mean``: the average of a number, in all or in each group."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from mpc.columns.model import Column
from mpc.layout import Block, Layout
from mpc.questions.declaration import (
    ColumnName,
    Complaint,
    Declaration,
    by_axes,
    by_complaints,
    centred,
    count_block,
    number,
    number_complaints,
)


class Mean(Declaration):
    """Average of ``column`` over the rows it is not excluded for.

    Releases n and s1 around the middle of the bounds; the ratio is taken afterwards.
    """

    kind: Literal["mean"]
    column: ColumnName

    def column_names(self) -> tuple[str, ...]:
        return (self.column, *self.by)

    def complaints(self, columns: Mapping[str, Column]) -> tuple[Complaint, ...]:
        return number_complaints(self.column, columns) + by_complaints(self.by, columns)

    def layout(self, columns: Mapping[str, Column]) -> Layout:
        term, half_range = centred(self.column, number(self.column, columns))
        sum_block = Block(name="s1", power=1, value_max=half_range, signed=True)
        return Layout(axes=by_axes(self.by, columns), term=term, blocks=(count_block(), sum_block))
