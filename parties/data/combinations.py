"""Several questions in one GROUP BY: sums for each combination of all labels they use.

A question's cells are then sums over the combinations, added up here in Python's integers. Each
column is summed around the middle of its bounds, which keeps the engine's integers small; other
centres follow by the binomial theorem, exactly.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from itertools import pairwise
from math import comb, prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mpc.columns.model import CategoryColumn, Column, IdColumn, kind_text
from mpc.layout import Axis
from mpc.table.model import CellSums
from parties.data.sandbox import identifier

COMBINATIONS_MAX = 20_000  # of one GROUP BY, if several questions share it
SQUARE_MAX = 1 << 62  # beyond it, powers are taken in 128 bits
CASES_MAX = 8  # bins that are looked through one by one
LOOKUP_MAX = 1000  # values of a column whose bins are written out


class Combination:
    """The requests ``asked``, answered by one GROUP BY over the bounded ``columns``."""

    def __init__(self, asked: Sequence[CellSums], columns: Mapping[str, Column]) -> None:
        self._columns = columns
        self._group_axes = asked[0].group_axes
        self._axes = list(dict.fromkeys(axis for request in asked for axis in request.axes))
        self._powers: dict[str, int] = {}  # the highest that is asked
        for request in asked:
            if request.term is not None:
                name = request.term.column
                self._powers[name] = max(self._powers.get(name, 0), *request.powers)

    @property
    def labels(self) -> list[str]:
        """What tells combinations apart: the index of each axis's label, or NULL."""
        return [self._label(axis) for axis in self._axes]

    @property
    def group_labels(self) -> list[str]:
        """What tells the groups of the first request apart (:func:`batches_by_groups`)."""
        return [self._label(axis) for axis in self._group_axes]

    def select(self, bounded: str, kept: str) -> str:
        """Combinations, their rows and sums, over a relation of bounded columns.

        ``kept``: whether a row passes the study's filter. It is one more label, not a WHERE: the
        engine would push that below, and read cells twice.
        """
        keys = [f"{kept} AS kept"]
        keys += [f"{label} AS k{place}" for place, label in enumerate(self.labels)]
        cells = [identifier(name) for name in self._powers]
        sums = [
            each
            for name, power in self._powers.items()
            for each in self._sums(name, power)
        ]  # fmt: skip
        labels = ", ".join(["kept", *(f"k{place}" for place in range(len(self._axes)))])
        return (
            f"SELECT {', '.join([labels, 'count(*)', *sums])}"
            f" FROM (SELECT {', '.join(keys + cells)} FROM {bounded}) GROUP BY {labels}"
        )

    def _sums(self, name: str, power_max: int) -> list[str]:
        column, cell = self._columns[name], identifier(name)
        if isinstance(column, CategoryColumn | IdColumn):
            raise TypeError(f"column {name} is {kind_text(column)} and has no sum")
        middle = _middle(column)
        reach = max(column.high - middle, middle - column.low)
        sums = [f"count({cell})"]
        for power in range(1, power_max + 1):
            kind = "BIGINT" if reach**power < SQUARE_MAX else "HUGEINT"
            value = f"(CAST({cell} AS {kind}) - ({middle}))"
            sums.append(f"sum({' * '.join([value] * power)})")
        return sums

    def _label(self, axis: Axis) -> str:
        """The index of the label that a row has on ``axis``, or NULL."""
        cell, column = identifier(axis.column), self._columns[axis.column]
        if axis.edges and not isinstance(column, CategoryColumn | IdColumn):
            if column.high - column.low < LOOKUP_MAX:
                return _looked_up(cell, axis.edges, column.low, column.high)
            return _bin(cell, axis.edges)
        if not isinstance(column, CategoryColumn):
            raise TypeError(f"axis {axis.column} has no edges")
        if axis.labels == column.levels:
            return cell
        cases = [
            f"WHEN {column.levels.index(label)} THEN {index}"
            for index, label in enumerate(axis.labels)
            if label in column.levels
        ]
        return f"CASE {cell} {' '.join(cases)} END" if cases else "CAST(NULL AS INTEGER)"

    def answer(self, request: CellSums, found: Sequence[tuple[Any, ...]]) -> NDArray[np.object_]:
        """The request's cells (powers × cells) out of the rows of :meth:`select`."""
        shape = [len(axis.labels) for axis in request.axes]
        answer = np.zeros((len(request.powers), prod(shape)), dtype=object)
        places = [1 + self._axes.index(axis) for axis in request.axes]
        for row in found:
            labels = [row[place] for place in places]
            if not row[0] or None in labels:
                continue
            cell = 0
            for label, size in zip(labels, shape, strict=True):
                cell = cell * size + int(label)
            for index, value in enumerate(self._moments(request, row)):
                answer[index, cell] += value
        return answer

    def _moments(self, request: CellSums, row: tuple[Any, ...]) -> list[int]:
        """Sums of (x - centre) ** power of one combination; without a term, its rows."""
        first = 1 + len(self._axes)
        if request.term is None:
            return [int(row[first]) for _power in request.powers]
        name = request.term.column
        column = self._columns[name]
        start = first + 1
        for other, power in self._powers.items():
            if other == name:
                break
            start += power + 1
        sums = [int(each or 0) for each in row[start : start + self._powers[name] + 1]]
        shift = _middle(column) - request.term.centre
        return [
            sum(comb(power, k) * shift ** (power - k) * sums[k] for k in range(power + 1))
            for power in request.powers
        ]


def _middle(column: Column) -> int:
    if isinstance(column, CategoryColumn | IdColumn):
        raise TypeError(f"{kind_text(column)} has no middle")
    return (column.low + column.high) // 2


def _looked_up(cell: str, edges: Sequence[int], low: int, high: int) -> str:
    """The bin of ``cell`` out of a list of the bins of every value of its column."""
    last = len(edges) - 2
    bins = [
        str(min(bisect_right(edges, value) - 1, last)) if edges[0] <= value <= edges[-1] else "NULL"
        for value in range(low, high + 1)
    ]
    return f"list_extract([{', '.join(bins)}]::SMALLINT[], {cell} - ({low - 1}))"


def _bin(cell: str, edges: Sequence[int]) -> str:
    """The bin of ``cell``: by division where the inner edges are evenly spaced, else by a tree of
    comparisons, so that many bins cost little."""
    last = len(edges) - 2
    strides = {after - before for before, after in pairwise(edges[1:-1])}
    if last >= CASES_MAX and len(strides) == 1:
        place = f"least(({cell} - ({edges[1]})) // {strides.pop()} + 1, {last})"
        inner = f"(CASE WHEN {cell} < {edges[1]} THEN 0 ELSE {place} END)"
    else:
        inner = _inner(cell, edges, 0, last)
    return (
        f"CASE WHEN {cell} >= {edges[0]} AND {cell} <= {edges[-1]} THEN {inner} END"
    )  # fmt: skip


def _inner(cell: str, edges: Sequence[int], low: int, high: int) -> str:
    if high - low < CASES_MAX:
        cases = [f"WHEN {cell} < {edges[index + 1]} THEN {index}" for index in range(low, high)]
        return f"(CASE {' '.join(cases)} ELSE {high} END)" if cases else str(high)
    middle = (low + high) // 2
    below, above = _inner(cell, edges, low, middle), _inner(cell, edges, middle + 1, high)
    return f"(CASE WHEN {cell} < {edges[middle + 1]} THEN {below} ELSE {above} END)"


def batches(asked: Sequence[CellSums]) -> list[list[int]]:
    """Requests dealt out so that each batch has at most COMBINATIONS_MAX combinations.

    A request that has more by itself is a batch of its own.
    """
    dealt: list[tuple[list[int], set[Axis]]] = []
    for index, request in enumerate(asked):
        for members, axes in dealt:
            together = axes | set(request.axes)
            if prod(len(axis.labels) + 1 for axis in together) <= COMBINATIONS_MAX:
                members.append(index)
                axes.update(request.axes)
                break
        else:
            dealt.append(([index], set(request.axes)))
    return [members for members, _ in dealt]


def batches_by_groups(asked: Sequence[CellSums]) -> list[list[int]]:
    """The same, and those of a batch split rows into the same groups."""
    alike: dict[frozenset[Axis], list[int]] = {}
    for index, request in enumerate(asked):
        alike.setdefault(frozenset(request.group_axes), []).append(index)
    return [
        [members[place] for place in batch]
        for members in alike.values()
        for batch in batches([asked[index] for index in members])
    ]
