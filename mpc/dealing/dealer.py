"""The dealer: expands what every party expands, and works out what the last one lacks."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mpc.dealing.recipe import (
    DerivedRecipe,
    OrderedRecipe,
    Recipe,
    SampledRecipe,
    Sampler,
    Sharing,
    Slot,
    correction_bytes,
)
from mpc.dealing.streaming import WordSource, expanded, expanded_order
from mpc.errors import ContractError
from mpc.guarded import Guarded
from mpc.ring.planes import Ring
from mpc.ring.products import NumpyProducts, Products
from mpc.ring.words import WORD_BYTES


class Dealer(Guarded):
    """Deals to the parties whose streams it shares. It sees no input, no opening and no output.

    ``sources`` in roster order, one a party; the dealer and that party draw from each in the same
    sequence. Semi-honest, and colluding with no party: dealer and any party together read
    everything that the dealt masks hide.
    """

    __slots__ = ("_products", "_sampler", "_sources")

    def __init__(
        self, sources: Sequence[WordSource], products: Products | None = None,
        sampler: Sampler | None = None,
    ) -> None:  # fmt: skip
        """``sampler``: what noise is dealt of; without it a recipe of noise is refused."""
        if len(sources) < 2:
            raise ContractError("a dealer deals to two or more parties")
        self._sources = tuple(sources)
        self._products = products or NumpyProducts()
        self._sampler = sampler

    def corrections(self, recipe: Recipe) -> memoryview:
        """What the last party is sent for ``recipe``: its shares of the derived secrets.

        Little-endian words, one slot behind the other. Uniform to whoever lacks the streams.
        Opens: nothing. Cost: 8 bytes a derived word. Memory: at most three times the recipe's own
        words, free and derived.
        """
        derived = self._derived(recipe)
        said = np.empty(correction_bytes(recipe) // WORD_BYTES, "<u8")
        start = 0
        for slot, secret in zip(recipe.derived, derived, strict=True):
            last = said[start : start + slot.words].reshape(slot.shape)
            last[...] = secret
            for source in self._sources[:-1]:
                _take_away(last, expanded(source, slot), slot)
            start += slot.words
        return said.view(np.uint8).data

    def _derived(self, recipe: Recipe) -> Sequence[Ring]:
        if isinstance(recipe, SampledRecipe):
            if self._sampler is None:
                raise ContractError(f"a dealer without randomness of its own deals no {recipe}")
            return recipe.derive_sampled(self._sampler)
        if isinstance(recipe, OrderedRecipe):
            order = expanded_order(self._sources[recipe.order.place], recipe.order)
            return recipe.derive_ordered(order, [self._combined(slot) for slot in recipe.free])
        if not isinstance(recipe, DerivedRecipe):
            raise ContractError(f"nobody knows how to deal {recipe}")
        return recipe.derive([self._combined(slot) for slot in recipe.free], self._products)

    def _combined(self, slot: Slot) -> Ring:
        total = expanded(self._sources[0], slot).copy()
        for source in self._sources[1:]:
            if slot.sharing is Sharing.ADDITIVE:
                total += expanded(source, slot)
            else:
                total ^= expanded(source, slot)
        return total


def _take_away(last: Ring, share: Ring, slot: Slot) -> None:
    if slot.sharing is Sharing.ADDITIVE:
        last -= share
    else:
        last ^= share
