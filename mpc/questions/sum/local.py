"""``sum``: what one party computes on its own rows."""

from __future__ import annotations

from mpc.layout import Layout
from mpc.table.model import CellSums


def request(layout: Layout) -> CellSums:
    """Ask for totals of every cell."""
    return CellSums(axes=layout.axes, term=layout.term, powers=(1,))
