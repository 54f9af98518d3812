"""One party's rows, already checked and bounded by declared rules: what a question may ask of them.

The rows stay in the owner's own engine (DuckDB by default); what comes back are sums over cells.
Un-noised sums of one owner are as secret as its rows: they go into the ring and nowhere else.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from mpc.layout import Axis, Term


@dataclass(frozen=True)
class CellSums:
    """Ask for sums over cells: for each cell and each power, the sum of (x - centre) ** power.

    ``split`` are those of the axes that split rows into groups, of each of which a person has so
    many rows: all, unless some only measure, as the points of a search do.
    """

    axes: tuple[Axis, ...]
    term: Term | None
    powers: tuple[int, ...]  # only 0 without a term
    split: tuple[Axis, ...] | None = None

    @property
    def group_axes(self) -> tuple[Axis, ...]:
        """Axes whose labels tell groups apart."""
        return self.axes if self.split is None else self.split


def columns_asked(asked: Iterable[CellSums]) -> frozenset[str]:
    """Every column that splits rows or is summed."""
    return frozenset(
        name
        for request in asked
        for name in (
            *(axis.column for axis in request.axes),
            *(() if request.term is None else (request.term.column,)),
        )
    )


class BoundedTable(Protocol):
    """A registered version, through the study's columns, ``where`` and unit.

    Where the unit is a person, a row whose id is missing does not count, and of the rows of one
    person that pass ``where`` the first ``rows_max`` do (:class:`mpc.study.model.PersonUnit`); of
    these, each request counts the first ``group_rows`` in every group. *First* is by ``first_by``
    and then by the columns in use (asked, filtered by, and ``first_by``) in the study's order,
    missing last: by their integers, a level's being its place among the levels. Or, ``hashed``, it
    is by the HMAC-SHA-256 of those integers (nothing for missing), each followed by a comma, and
    then the id. Rows that tie are alike to every request, so what counts does not depend on their
    order in the files.
    """

    def cell_sums(self, asked: tuple[CellSums, ...]) -> tuple[NDArray[np.object_], ...]:
        """For each request an array (powers, cells) of Python integers, cells row-major by axes.

        Total: no row makes it fail. One scan of the table for all requests where possible. The
        requests of a study are asked together: what they use breaks ties.
        """
        ...
