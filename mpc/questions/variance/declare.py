"""``variance``: spread of a number, in all or in each group; gives the standard deviation too."""

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


class Variance(Declaration):
    """Sample variance (n - 1) of ``column`` over the rows it is not excluded for.

    Releases n, s1 and s2 around the middle of the bounds; their sensitivities differ by powers
    of the half-range, so each block gets its own noise.
    """

    kind: Literal["variance"]
    column: ColumnName

    def column_names(self) -> tuple[str, ...]:
        return (self.column, *self.by)

    def complaints(self, columns: Mapping[str, Column]) -> tuple[Complaint, ...]:
        return number_complaints(self.column, columns) + by_complaints(self.by, columns)

    def layout(self, columns: Mapping[str, Column]) -> Layout:
        term, half_range = centred(self.column, number(self.column, columns))
        blocks = (
            count_block(),
            Block(name="s1", power=1, value_max=half_range, signed=True),
            Block(name="s2", power=2, value_max=half_range**2, signed=False),
        )
        return Layout(axes=by_axes(self.by, columns), term=term, blocks=blocks)
