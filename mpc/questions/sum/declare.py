"""``sum``: the total of a number, in all or in each group."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from mpc.columns.model import Column
from mpc.layout import Block, Layout, Term
from mpc.questions.declaration import (
    ColumnName,
    Complaint,
    Declaration,
    by_axes,
    by_complaints,
    number,
    number_complaints,
)


class Sum(Declaration):
    """Total of ``column`` over the rows it is not excluded for. Releases s1 around zero.

    One row adds at most max(abs(low), abs(high)) steps.
    """

    kind: Literal["sum"]
    column: ColumnName

    def column_names(self) -> tuple[str, ...]:
        return (self.column, *self.by)

    def complaints(self, columns: Mapping[str, Column]) -> tuple[Complaint, ...]:
        return number_complaints(self.column, columns) + by_complaints(self.by, columns)

    def layout(self, columns: Mapping[str, Column]) -> Layout:
        column = number(self.column, columns)
        value_max = max(abs(column.low), abs(column.high))
        block = Block(name="s1", power=1, value_max=value_max, signed=column.low < 0)
        return Layout(
            axes=by_axes(self.by, columns),
            term=Term(column=self.column, centre=0),
            blocks=(block,),
        )
