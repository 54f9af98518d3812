"""How shares come out of the streams: the same words, in the same sequence, at both ends.

Of each recipe in turn: the order's words (the party that knows it), then each free secret, then,
for all parties but the last, each derived one.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from mpc.dealing.recipe import Order, OrderedRecipe, Recipe, Slot
from mpc.ring.planes import Ring


class WordSource(Protocol):
    """Uniform words, each given once: :class:`mpc.session.streams.Stream`."""

    def words(self, count: int) -> NDArray[np.int64]: ...


def expanded(source: WordSource, slot: Slot) -> Ring:
    """The next share of ``slot``."""
    return source.words(slot.words).view(np.uint64).reshape(slot.shape)


def expanded_order(source: WordSource, order: Order) -> Ring:
    """A uniform permutation of ``order.rows`` rows: what sorts uniform words, all of them distinct.

    Draws again if two words are equal (probability below rows^2 / 2^65), so that it is exact.
    """
    while True:
        keys = source.words(order.rows)
        places = np.argsort(keys, kind="stable")
        ranked = keys[places]
        if not (ranked[1:] == ranked[:-1]).any():
            return places.astype(np.uint64)


def order_of(recipe: Recipe) -> Order | None:
    """The permutation that ``recipe`` has, or None."""
    return recipe.order if isinstance(recipe, OrderedRecipe) else None
