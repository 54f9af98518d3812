"""What a question releases: a vector of integers, block by block, cell by cell.

A question on rows split between owners is a set of sums. Each *cell* is one combination of the
declared levels or bins of its axes; each *block* sums one power of one centred column over the
rows of each cell (power 0 counts them). All cells are always released, empty ones too. Everything
here follows from the study alone, so every party derives the same layout and sensitivity.
"""

from __future__ import annotations

from dataclasses import dataclass

CELLS_MAX = 10_000  # of one question


@dataclass(frozen=True)
class Axis:
    """One declared way to split rows. A row that fits no label lies in no cell.

    Levels of a category (``edges`` empty): one label a level. Bins of a number or date: ``edges``
    are len(labels) + 1 integers in steps (days); bin i is edges[i] <= x < edges[i+1], the last
    one closed above.
    """

    column: str
    labels: tuple[str, ...]
    edges: tuple[int, ...] = ()


@dataclass(frozen=True)
class Term:
    """The centred column that is summed: (x - centre) ** power, x and centre in steps."""

    column: str
    centre: int


@dataclass(frozen=True)
class Block:
    """One released statistic over all cells.

    ``value_max`` bounds what one row adds to its cell: 1 for a count, h for a sum, h^2 for a sum
    of squares, h the half-range in steps. ``signed`` is False if contributions are never negative
    (that halves the sensitivity of replacing a unit).
    """

    name: str  # "n", "s1", "s2"
    power: int
    value_max: int
    signed: bool


@dataclass(frozen=True)
class Layout:
    """All a question releases: blocks × cells, row-major, blocks outermost.

    Rows count only if every axis has a label for them and, with a ``term``, its column is not
    excluded.
    """

    axes: tuple[Axis, ...]
    term: Term | None
    blocks: tuple[Block, ...]

    @property
    def shape(self) -> tuple[int, ...]:
        """Labels of each axis; () for an ungrouped question (one cell)."""
        return tuple(len(axis.labels) for axis in self.axes)

    @property
    def cells(self) -> int:
        count = 1
        for size in self.shape:
            count *= size
        return count

    @property
    def size(self) -> int:
        """Integers released."""
        return self.cells * len(self.blocks)
