"""``quantile``: what one party computes on its own rows."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mpc.errors import ContractError
from mpc.layout import Layout, Search
from mpc.table.model import CellSums


def request(layout: Layout) -> CellSums:
    """Ask for rows between every two points, of every cell."""
    axes = (*layout.axes, _search(layout).axis)
    return CellSums(axes=axes, term=None, powers=(0,), split=layout.axes)


def integers(layout: Layout, counts: NDArray[np.object_]) -> list[int]:
    """n of every cell, then every node's sum, level after level.

    At a node: whole x (rows at or below its point) - part x (all rows).
    """
    search = _search(layout)
    below = np.cumsum(counts.reshape(layout.cells, search.points), axis=1)
    rows = below[:, -1]
    found: list[int] = [int(n) for n in rows]
    for level in range(search.levels):
        span = 1 << (search.levels - level)  # leaves under one node
        middle = np.arange(span // 2 - 1, 1 << search.levels, span).clip(max=search.points - 1)
        sums = search.whole * below[:, middle] - search.part * rows[:, np.newaxis]
        found.extend(int(value) for value in sums.reshape(-1))
    return found


def _search(layout: Layout) -> Search:
    if layout.search is None:
        raise ContractError("a quantile's layout has a search")
    return layout.search
