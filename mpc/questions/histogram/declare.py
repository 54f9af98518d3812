"""``histogram``: rows in each declared bin of a number or date, or level of a category."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from decimal import Decimal
from typing import Annotated, Literal

from pydantic import Field

from mpc.columns.model import CategoryColumn, Column, DateColumn, IdColumn, NumberColumn, kind_text
from mpc.layout import CELLS_MAX, Axis, Layout
from mpc.questions.declaration import (
    ColumnName,
    Complaint,
    Declaration,
    by_axes,
    by_complaints,
    cells_complaints,
    count_block,
    level_axis,
    missing_column,
)

Edge = Decimal | date
EPOCH = date(1970, 1, 1)


class Histogram(Declaration):
    """Rows in each bin: edge[i] <= x < edge[i + 1], the last bin closed above. Releases n.

    ``bins`` are at least two rising edges on the column's grid and within its bounds; a category
    has no edges but its declared levels. A row outside the edges is in no bin.
    """

    kind: Literal["histogram"]
    column: ColumnName
    bins: Annotated[tuple[Edge, ...], Field(min_length=2, max_length=CELLS_MAX + 1)] | None = None

    def column_names(self) -> tuple[str, ...]:
        return (self.column, *self.by)

    def grouping_columns(self) -> tuple[str, ...]:
        return self.column_names()

    def complaints(self, columns: Mapping[str, Column]) -> tuple[Complaint, ...]:
        found = list(by_complaints(self.by, columns))
        column = columns.get(self.column)
        if self.column in self.by:
            found.append(Complaint("by", f"column {self.column!r} twice", "each column once"))
        if column is None:
            return (missing_column("column", self.column, columns), *found)
        if isinstance(column, IdColumn):
            what = f"column {self.column!r} is {kind_text(column)}"
            return (Complaint("column", what, "a category, a number or a date"), *found)
        found.extend(self._bins_complaints(column))
        if not found:
            cells = 1
            for axis in self._axes(columns):
                cells *= len(axis.labels)
            found.extend(cells_complaints("bins", cells))
        return tuple(found)

    def layout(self, columns: Mapping[str, Column]) -> Layout:
        complaints = self.complaints(columns)
        if complaints:
            raise ValueError(f"{complaints[0].path}: {complaints[0].what}")
        return Layout(axes=self._axes(columns), term=None, blocks=(count_block(),))

    def _axes(self, columns: Mapping[str, Column]) -> tuple[Axis, ...]:
        column = columns[self.column]
        if isinstance(column, CategoryColumn | IdColumn) or self.bins is None:
            own = level_axis(self.column, columns)
        else:
            edges = tuple(_grid_point(edge, column) for edge in self.bins)
            own = Axis(column=self.column, labels=_labels(edges, column), edges=edges)
        return (*by_axes(self.by, columns), own)

    def _bins_complaints(
        self, column: NumberColumn | CategoryColumn | DateColumn
    ) -> list[Complaint]:
        if isinstance(column, CategoryColumn):
            if self.bins is None:
                return []
            return [Complaint("bins", "a category has no edges", "leave bins out")]
        if self.bins is None:
            allowed = f"rising edges within the bounds of {self.column!r}"
            return [Complaint("bins", f"bins of {kind_text(column)} are missing", allowed)]
        return _edge_complaints(self.bins, column)


def _edge_complaints(bins: tuple[Edge, ...], column: NumberColumn | DateColumn) -> list[Complaint]:
    found: list[Complaint] = []
    previous: int | None = None
    for index, edge in enumerate(bins):
        path = f"bins.{index}"
        misfit = _edge_misfit(path, edge, column)
        if misfit is not None:
            found.append(misfit)
            continue
        point = _grid_point(edge, column)
        if previous is not None and point <= previous:
            found.append(Complaint(path, "edges do not rise", "each edge above the one before"))
        previous = point
    return found


def _edge_misfit(path: str, edge: Edge, column: NumberColumn | DateColumn) -> Complaint | None:
    """Type first, then bounds, then grid: an edge within the bounds divides exactly."""
    if isinstance(column, NumberColumn):
        if not isinstance(edge, Decimal):
            return Complaint(path, "edge of another type", "a number")
        inside = edge.is_finite() and column.bounds[0] <= edge <= column.bounds[1]
        if inside and edge % column.step:
            return Complaint(path, "edge off the grid", f"multiples of step {column.step}")
    else:
        if isinstance(edge, Decimal):
            return Complaint(path, "edge of another type", "a date YYYY-MM-DD")
        inside = column.bounds[0] <= edge <= column.bounds[1]
    if not inside:
        return Complaint(path, "edge outside the bounds", "edges within the bounds")
    return None


def _grid_point(edge: Edge, column: NumberColumn | DateColumn) -> int:
    """``edge`` in steps or days."""
    if isinstance(edge, Decimal):
        if not isinstance(column, NumberColumn):
            raise ValueError("a date column takes dates as edges")
        return int(edge / column.step)
    return (edge - EPOCH).days


def _labels(edges: tuple[int, ...], column: NumberColumn | DateColumn) -> tuple[str, ...]:
    """``[low, high)`` in the column's unit; the last one ``[low, high]``."""
    texts = [_text(edge, column) for edge in edges]
    last = len(texts) - 2
    return tuple(f"[{texts[i]}, {texts[i + 1]}{']' if i == last else ')'}" for i in range(last + 1))


def _text(edge: int, column: NumberColumn | DateColumn) -> str:
    if isinstance(column, NumberColumn):
        value = (edge * column.step).normalize()
        return f"{value + 0:f}"
    return (EPOCH + timedelta(days=edge)).isoformat()
