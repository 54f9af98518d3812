"""What a study computes on shares between the noise and the release, and what is dealt for it.

A linear question releases its noised integers as they are. A search keeps them shared, walks over
them, and releases where it ended. All of it is post-processing of what was noised.
"""

from __future__ import annotations

from collections.abc import Sequence

from mpc.dealing.recipe import Recipe
from mpc.layout import Layout, Search
from mpc.plan.model import Plan
from mpc.protocols.opening import Computation
from mpc.protocols.rehearsal import Rehearsed, rehearse
from mpc.protocols.search import search
from mpc.protocols.shares import SharedWords, stacked


def release(
    computation: Computation, layouts: Sequence[Layout], noised: SharedWords
) -> SharedWords:
    """All noised integers of ``layouts`` -> all that they release, question by question.

    Opens: masked values alone, to all parties. Cost: that of :func:`mpc.protocols.search.search`
    for each layout with a search, one after another.
    """
    released, start = [], 0
    for layout in layouts:
        own = noised[start : start + layout.size]
        start += layout.size
        if layout.search is None:
            released.append(own)
        else:
            released += [own[: layout.cells], search(computation, _trees(own, layout))]
    return stacked(released)


def released_plainly(integers: Sequence[int], layouts: Sequence[Layout]) -> list[int]:
    """What :func:`release` computes, on integers that are no secret: for tests and simulations."""
    released: list[int] = []
    start = 0
    for layout in layouts:
        own = integers[start : start + layout.size]
        start += layout.size
        if layout.search is None:
            released += own
        else:
            released += own[: layout.cells]
            released += [_walked(own, layout, layout.search, cell) for cell in range(layout.cells)]
    return released


def rehearsed(layouts: Sequence[Layout], parties: int) -> Rehearsed | None:
    """What :func:`release` has dealt, its rounds and bytes; None if it computes nothing."""
    if not needs_computation(layouts):
        return None
    size = sum(layout.size for layout in layouts)
    return rehearse(lambda alone, noised: release(alone, layouts, noised), (size,), parties=parties)


def needs_computation(layouts: Sequence[Layout]) -> bool:
    """Whether anything is computed between the noise and the release, and dealt for it."""
    return any(layout.search is not None for layout in layouts)


def recipes_of(plan: Plan) -> tuple[Recipe, ...]:
    """What ``plan`` has dealt, in sequence; () if it needs no dealer."""
    found = rehearsed([question.layout for question in plan.questions], plan.parties)
    return () if found is None else found.recipes


def _trees(own: SharedWords, layout: Layout) -> SharedWords:
    """The levels of every cell's tree side by side: (cells, nodes)."""
    levels, start = [], layout.cells
    for block in layout.blocks[1:]:
        end = start + layout.cells * block.nodes
        levels.append(own[start:end].reshape(layout.cells, block.nodes))
        start = end
    return stacked(levels, axis=1)


def _walked(own: Sequence[int], layout: Layout, tree: Search, cell: int) -> int:
    start, node = layout.cells, 0
    for level in range(tree.levels):
        turns_up = own[start + (cell << level) + node] < 0
        start += layout.cells << level
        node = 2 * node + turns_up
    return node
