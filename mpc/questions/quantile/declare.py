"""``quantile``: the value that a share of the rows does not exceed, in all or in each group."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from fractions import Fraction
from math import prod
from typing import Annotated, ClassVar, Literal

from pydantic import AfterValidator, Field

from mpc.columns.model import STEPS_MAX, Column, NumberColumn
from mpc.layout import CELLS_MAX, Layout, Search
from mpc.questions.declaration import (
    ColumnName,
    Complaint,
    Declaration,
    by_axes,
    by_complaints,
    count_block,
    number,
    number_complaints,
)

POINTS_MAX = 4096
WHOLE_MAX = 10_000


def _four_decimals(probability: Decimal) -> Decimal:
    if probability != probability.quantize(Decimal(1) / WHOLE_MAX):
        raise ValueError("a probability has at most 4 decimals")
    return probability


def _is_off_grid(step: Decimal, grid: Decimal) -> bool:
    """What is too large to be divided exactly lies on no grid."""
    return step > STEPS_MAX * grid or step % grid != 0


Probability = Annotated[
    Decimal, Field(gt=0, lt=1, allow_inf_nan=False), AfterValidator(_four_decimals)
]
Step = Annotated[Decimal, Field(gt=0, allow_inf_nan=False)]


class Quantile(Declaration):
    """Least point of a grid with at least ``probability`` of the rows at or below it.

    0.5 is the median. The grid runs from the column's lower bound to its upper one in ``step``,
    the column's own if it is not given. A noisy rank search: one noised count a level of a binary
    tree over the grid, all compared on shares, so that only the end of the search comes out.
    Releases n and that point's index.
    """

    needs_dealer: ClassVar[bool] = True

    kind: Literal["quantile"]
    column: ColumnName
    probability: Probability
    step: Step | None = None

    def column_names(self) -> tuple[str, ...]:
        return (self.column, *self.by)

    def complaints(self, columns: Mapping[str, Column]) -> tuple[Complaint, ...]:
        found = (*number_complaints(self.column, columns), *by_complaints(self.by, columns))
        column = columns.get(self.column)
        if found or not isinstance(column, NumberColumn):
            return found
        if self.step is not None and _is_off_grid(self.step, column.step):
            allowed = f"multiples of the column's step, {column.step:f}"
            return (Complaint("step", "off the column's grid", allowed),)
        return self._size_complaints(column, columns)

    def layout(self, columns: Mapping[str, Column]) -> Layout:
        column = number(self.column, columns)
        search = self.search(column)
        return Layout(
            axes=by_axes(self.by, columns),
            term=None,
            blocks=(count_block(), *search.blocks()),
            search=search,
        )

    def search(self, column: NumberColumn) -> Search:
        """The grid over ``column``, and the rank to find in it."""
        rank = Fraction(self.probability)
        return Search(
            column=self.column,
            first=column.low,
            stride=1 if self.step is None else int(self.step / column.step),
            last=column.high,
            part=rank.numerator,
            whole=rank.denominator,
        )

    def _size_complaints(
        self, column: NumberColumn, columns: Mapping[str, Column]
    ) -> tuple[Complaint, ...]:
        points = self.search(column).points
        cells = prod(len(axis.labels) for axis in by_axes(self.by, columns))
        most = min(POINTS_MAX, CELLS_MAX // cells)
        if points < 2:
            return (Complaint("step", "no two points within the bounds", "a finer step"),)
        if points > most:
            what = f"{points} points within the bounds" + (" of each group" if self.by else "")
            return (Complaint("step", what, f"at most {most}: {self._coarser(column, most)}"),)
        return ()

    def _coarser(self, column: NumberColumn, most: int) -> str:
        """What makes no more than ``most`` points within the bounds."""
        if most < 2:
            return "fewer groups in by"
        stride = -((column.low - column.high) // (most - 1))
        return f"step: {column.step * stride:f} or a larger multiple of {column.step:f}"
