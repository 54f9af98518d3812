"""One party's rows, already checked and bounded by declared rules: what a question may ask of them.

The rows stay in the owner's own engine (DuckDB by default); what comes back are sums over cells.
Un-noised sums of one owner are as secret as its rows: they go into the ring and nowhere else.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from mpc.layout import Axis, Term


@dataclass(frozen=True)
class CellSums:
    """Ask for sums over cells: for each cell and each power, the sum of (x - centre) ** power."""

    axes: tuple[Axis, ...]
    term: Term | None
    powers: tuple[int, ...]  # only 0 without a term


class BoundedTable(Protocol):
    """A registered version, through the study's columns and ``where``."""

    def cell_sums(self, asked: tuple[CellSums, ...]) -> tuple[NDArray[np.object_], ...]:
        """For each request an array (powers, cells) of Python integers, cells row-major by axes.

        Total: no row makes it fail. One scan of the table for all requests where possible.
        """
        ...
