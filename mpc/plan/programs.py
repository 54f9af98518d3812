"""What a study computes on shares between the noise and the release, and what is dealt for it.

A linear question releases its noised integers as they are. A search keeps them shared, walks over
them, and releases where it ended. All of it is post-processing of what was noised.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from functools import partial

import numpy as np

from mpc.accounting.event import Noise, NoiseEvent
from mpc.dealing.noise import GaussianNoise
from mpc.dealing.recipe import Recipe
from mpc.layout import Layout, Search
from mpc.plan.model import Plan
from mpc.protocols.noise import gaussian
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
    released = []
    for layout, place in _placed(layouts):
        own = noised[place]
        if layout.search is None:
            released.append(own)
        else:
            released += [own[: layout.cells], search(computation, _trees(own, layout))]
    return stacked(released)


def released_plainly(integers: Sequence[int], layouts: Sequence[Layout]) -> list[int]:
    """What :func:`release` computes, on integers that are no secret: for tests and simulations."""
    released: list[int] = []
    for layout, place in _placed(layouts):
        own = integers[place]
        if layout.search is None:
            released += own
        else:
            released += own[: layout.cells]
            released += [_walked(own, layout, layout.search, cell) for cell in range(layout.cells)]
    return released


def make_noise(
    computation: Computation, event: NoiseEvent, uniform: Callable[[int], SharedWords]
) -> SharedWords:
    """Shares of the dealt and joint noise of ``event``, a word a coordinate; 0 where it is own.

    ``uniform`` gives this party's random words: together with all others' they are secret words
    that are uniform if one party's are. Opens: masked values alone, to all parties. Cost: nothing
    for dealt noise; :func:`mpc.protocols.noise.gaussian` once for all blocks of one variance.
    """
    parts: dict[int, SharedWords] = {}
    joint: dict[Fraction, list[int]] = {}
    for place, block in enumerate(event.blocks):
        if block.noise is Noise.JOINT:
            joint.setdefault(block.variance, []).append(place)
        elif variance := event.dealer_variance(block):
            dealt = computation.draw(GaussianNoise(block.size, variance))
            parts[place] = SharedWords(dealt.derived[0])
        else:
            parts[place] = SharedWords(np.zeros(block.size, np.uint64))
    for variance, places in joint.items():
        sizes = [event.blocks[place].size for place in places]
        samples, start = gaussian(computation, uniform(sum(sizes)), variance), 0
        for place, size in zip(places, sizes, strict=True):
            parts[place] = samples[start : start + size]
            start += size
    return stacked([parts[place] for place in range(len(event.blocks))])


def rehearsed(event: NoiseEvent, layouts: Sequence[Layout]) -> Rehearsed | None:
    """What :func:`make_noise` and then :func:`release` have dealt, their rounds and bytes; None if
    nothing is computed on shares."""
    if not needs_search(layouts) and not has_shared_noise(event):
        return None
    return rehearse(partial(_all, event, layouts), (event.size,), parties=event.parties)


def has_shared_noise(event: NoiseEvent) -> bool:
    """Whether any of it is dealt or joint, so that all make it together."""
    return any(block.noise is not Noise.OWN for block in event.blocks)


def needs_search(layouts: Sequence[Layout]) -> bool:
    """Whether anything is computed between the noise and the release."""
    return any(layout.search is not None for layout in layouts)


def recipes_of(plan: Plan) -> tuple[Recipe, ...]:
    """What ``plan`` has dealt, in sequence; () if it needs no dealer."""
    found = rehearsed(plan.event, [question.layout for question in plan.questions])
    return () if found is None else found.recipes


def _all(
    event: NoiseEvent, layouts: Sequence[Layout], alone: Computation, noised: SharedWords
) -> None:
    if has_shared_noise(event):
        make_noise(alone, event, lambda count: SharedWords(np.zeros(count, np.uint64)))
    if needs_search(layouts):
        release(alone, layouts, noised)


def _placed(layouts: Sequence[Layout]) -> Iterator[tuple[Layout, slice]]:
    """Each layout, and where its integers stand among all that are noised."""
    start = 0
    for layout in layouts:
        yield layout, slice(start, start + layout.size)
        start += layout.size


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
