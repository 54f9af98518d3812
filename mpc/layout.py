"""What a question shares and noises: a vector of integers, block by block, cell by cell.

A question on rows split between owners is a set of sums. Each *cell* is one combination of the
declared levels or bins of its axes; each *block* sums one power of one centred column over the
rows of each cell (power 0 counts them). A search releases where it ended instead of what it looked
at. All cells are always released, empty ones too. Everything here follows from the study alone, so
every party derives the same layout and sensitivity.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

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
    """One noised statistic over all cells.

    ``value_max`` bounds what one row adds to its cell: 1 for a count, h for a sum, h^2 for a sum
    of squares, h the half-range in steps. ``signed`` is False if contributions are never negative
    (that halves the sensitivity of replacing a unit).
    """

    name: str  # "n", "s1", "s2", "level_0"
    power: int
    value_max: int
    signed: bool
    nodes: int = 1  # coordinates of each cell; more than 1 only in a search, which looks at one


@dataclass(frozen=True)
class Search:
    """Find, in secret, the first point of a grid with ``part / whole`` of the rows at or below it.

    The points are ``first``, ``first`` + ``stride``, … and ``last``, in steps of ``column``. A
    binary tree stands over them: level t has 2^t nodes, each with a point; every node's sum is
    whole x (rows at or below its point) - part x (all rows), so a walk from the root that goes up
    where the sum is negative ends at the point. The sums of all nodes are noised, the walk is taken
    on shares, and its end alone is released: what a unit changes is at most one sum of each level.
    """

    column: str
    first: int
    stride: int
    last: int
    part: int
    whole: int

    @property
    def points(self) -> int:
        return -((self.first - self.last) // self.stride) + 1

    @property
    def levels(self) -> int:
        """Of the tree; 2^levels is at least the number of points."""
        return (self.points - 1).bit_length()

    @property
    def axis(self) -> Axis:
        """The points as bins: rows at the first, then rows above each up to the next."""
        points = [self.point(index) for index in range(self.points)]
        labels = tuple(str(point) for point in points)
        return Axis(self.column, labels, (self.first, *(point + 1 for point in points)))

    def point(self, index: int) -> int:
        """The point at ``index``, in steps. The last one stands for all that the tree has more."""
        return min(self.first + self.stride * index, self.last)

    def blocks(self) -> tuple[Block, ...]:
        """A block a level. One row adds ``whole - part`` or takes ``part``."""
        value_max = max(self.part, self.whole - self.part)
        return tuple(
            Block(f"level_{level}", power=0, value_max=value_max, signed=True, nodes=1 << level)
            for level in range(self.levels)
        )


@dataclass(frozen=True)
class Layout:
    """All a question shares and noises: blocks × cells × nodes, row-major, blocks outermost.

    Rows count only if every axis has a label for them and, with a ``term`` or ``search``, its
    column is not excluded. Without a search all of it is released. With one, the first block's
    integers are, and of each cell the index of the point that was found.
    """

    axes: tuple[Axis, ...]
    term: Term | None
    blocks: tuple[Block, ...]
    search: Search | None = None

    @property
    def shape(self) -> tuple[int, ...]:
        """Labels of each axis; () for an ungrouped question (one cell)."""
        return tuple(len(axis.labels) for axis in self.axes)

    @property
    def measured(self) -> str | None:
        """The column that is summed or searched; None where rows are only counted."""
        if self.search is not None:
            return self.search.column
        return None if self.term is None else self.term.column

    @property
    def cells(self) -> int:
        return prod(self.shape)

    @property
    def size(self) -> int:
        """Integers shared and noised."""
        return self.cells * sum(block.nodes for block in self.blocks)

    @property
    def released(self) -> int:
        """Integers released of each cell."""
        return len(self.blocks) if self.search is None else 2
