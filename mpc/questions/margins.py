"""Counts that agree: totals with the cells they are totals of, and none below 0.

Post-processing of released integers; the raw ones stay as they are, unbiased. Exact fractions, so
every machine gets the same.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import chain, combinations, product
from math import prod

from mpc.layout import Axis

_Index = tuple[int, ...]
_Counts = dict[_Index, Fraction]


@dataclass(frozen=True)
class CountedTable:
    """Noisy counts, row-major by ``axes``, each with noise of ``variance`` above 0."""

    axes: tuple[Axis, ...]
    counts: tuple[int, ...]
    variance: Fraction

    def indices(self) -> Iterator[_Index]:
        """The place of every count, in their order."""
        return product(*(range(len(axis.labels)) for axis in self.axes))


def agreeing(
    tables: Sequence[CountedTable], complete: frozenset[Axis]
) -> tuple[tuple[Fraction, ...], ...]:
    """The counts of ``tables``, of one set of rows, as weighted least squares makes them agree.

    Tables whose axes are among those of a larger one are its margins, if every axis that they lack
    is in ``complete``: has a label for every row. All of them together give the larger one's cells
    (each table weighs as one over its variance), and these, raised to 0 where they are below and
    lowered alike elsewhere so that their total stays (the nearest such table, or all 0 if the total
    is below 0), give the margins. A table that agrees with no other is only raised to 0.
    """
    found: dict[int, tuple[Fraction, ...]] = {}
    for finest in sorted(range(len(tables)), key=lambda each: -len(tables[each].axes)):
        if finest in found:
            continue
        members = [
            index
            for index, table in enumerate(tables)
            if index not in found and _is_margin(table, tables[finest], complete)
        ]
        axes = tables[finest].axes
        cells = _least_squares(axes, [tables[index] for index in members])
        above = dict(zip(cells, nearest_not_negative(tuple(cells.values())), strict=True))
        for index in members:
            places = [axes.index(axis) for axis in tables[index].axes]
            margin = _margin(above, places)
            found[index] = tuple(margin[each] for each in tables[index].indices())
    return tuple(found[index] for index in range(len(tables)))


def _is_margin(table: CountedTable, finest: CountedTable, complete: frozenset[Axis]) -> bool:
    own, all_axes = set(table.axes), set(finest.axes)
    return own <= all_axes and all_axes - own <= complete


def _least_squares(axes: tuple[Axis, ...], tables: Sequence[CountedTable]) -> _Counts:
    """The cells over ``axes`` that lie nearest to all ``tables``, squares over their variances.

    Averages over subsets of axes split a table into effects that are orthogonal; every table sees
    an effect of its own axes alone, ``dropped`` times, so each effect is a weighted mean.
    """
    sizes = [len(axis.labels) for axis in axes]
    cells = dict.fromkeys(product(*map(range, sizes)), Fraction(0))
    if len(tables) == 1:
        return {index: Fraction(count) for index, count in _placed(axes, tables[0]).items()}
    for subset in _subsets(range(len(axes))):
        weight = Fraction(0)
        effect: dict[_Index, Fraction] = {}
        for table in tables:
            places = [axes.index(axis) for axis in table.axes]
            if not set(subset) <= set(places):
                continue
            dropped = prod(size for place, size in enumerate(sizes) if place not in places)
            weight += dropped / table.variance
            for index, value in _effect(axes, table, subset).items():
                effect[index] = effect.get(index, Fraction(0)) + value / table.variance
        for index in cells:
            cells[index] += effect[tuple(index[place] for place in subset)] / weight
    return cells


def _effect(
    axes: tuple[Axis, ...], table: CountedTable, subset: tuple[int, ...]
) -> dict[_Index, Fraction]:
    """What the axes of ``subset`` do in ``table`` that no fewer of them do."""
    places = sorted(axes.index(axis) for axis in table.axes)
    counts = _placed(axes, table)
    sizes = [len(axes[place].labels) for place in subset]
    found = dict.fromkeys(product(*map(range, sizes)), Fraction(0))
    for fewer in _subsets(subset):
        sign = -1 if (len(subset) - len(fewer)) % 2 else 1
        sums = _margin(counts, [places.index(place) for place in fewer])
        averaged = prod(len(axes[place].labels) for place in places if place not in fewer)
        at = [subset.index(place) for place in fewer]
        for index in found:
            found[index] += sign * sums[tuple(index[each] for each in at)] / averaged
    return found


def _placed(axes: tuple[Axis, ...], table: CountedTable) -> _Counts:
    """``table`` with its axes in the order that they have in ``axes``."""
    order = sorted(range(len(table.axes)), key=lambda each: axes.index(table.axes[each]))
    return {
        tuple(index[each] for each in order): Fraction(count)
        for index, count in zip(table.indices(), table.counts, strict=True)
    }


def _margin(counts: _Counts, places: Sequence[int]) -> _Counts:
    """Sums over all axes but those at ``places``."""
    sums: _Counts = {}
    for index, count in counts.items():
        kept = tuple(index[place] for place in places)
        sums[kept] = sums.get(kept, Fraction(0)) + count
    return sums


def _subsets(places: Sequence[int]) -> Iterator[tuple[int, ...]]:
    return chain.from_iterable(combinations(places, size) for size in range(len(places) + 1))


def nearest_not_negative(values: tuple[Fraction, ...]) -> tuple[Fraction, ...]:
    """The nearest values that are not negative and have the same sum; all 0 if that is below 0.

    One number is taken off all, and what is left below 0 is raised to it (Norm-Sub: Wang et al.,
    "Locally Differentially Private Frequency Estimation with Consistency", 2020).
    """
    if min(values) >= 0:
        return values
    total = max(sum(values, Fraction(0)), Fraction(0))
    if not total:
        return (Fraction(0),) * len(values)
    off = added = Fraction(0)
    for kept, value in enumerate(sorted(values, reverse=True), start=1):
        added += value
        if value * kept <= added - total:
            break
        off = (added - total) / kept
    return tuple(max(Fraction(0), value - off) for value in values)
