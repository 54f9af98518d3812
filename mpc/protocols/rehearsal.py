"""What a program will deal, how many rounds it takes and how many bytes: found by running it.

The program runs once, for one party, on shares that are all zero, with nobody at the other end.
Kernel programs take the same course whatever the secrets are, so what is counted is exact.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mpc.dealing.recipe import Recipe, correction_bytes
from mpc.dealing.streaming import order_of
from mpc.protocols.opening import (
    Computation,
    Correlation,
    Cost,
    Masked,
    Places,
    ShuffledOrder,
    correlation_of,
)
from mpc.protocols.shares import SharedWords
from mpc.ring.planes import Ring

Program = Callable[..., object]
"""Takes a :class:`Computation` and shares."""


@dataclass(frozen=True)
class Rehearsed:
    """A program's needs: its recipes in sequence, and its cost to each party."""

    recipes: tuple[Recipe, ...]
    cost: Cost

    @property
    def correction_bytes(self) -> int:
        """What the dealer sends to the last party."""
        return sum(correction_bytes(recipe) for recipe in self.recipes)


class Rehearsal:
    """:class:`Computation` of the party at place 0, alone, with nothing but zeros."""

    place = 0

    def __init__(self, parties: int) -> None:
        self.parties = parties
        self.recipes: list[Recipe] = []
        self.cost = Cost()

    def draw(self, recipe: Recipe) -> Correlation:
        self.recipes.append(recipe)
        free = [np.zeros(slot.shape, np.uint64) for slot in recipe.free]
        derived = [np.zeros(slot.shape, np.uint64) for slot in recipe.derived]
        order = order_of(recipe)
        knows = order is not None and order.place == self.place
        known = np.arange(order.rows, dtype=np.uint64) if order is not None and knows else None
        return correlation_of(recipe, free, derived, known)

    def open_masked(self, *masked: Masked) -> tuple[Ring, ...]:
        self._count(to_each=sum(each.size_bytes for each in masked))
        return tuple(np.zeros(each.shape, np.uint64) for each in masked)

    def open_shuffled_order(self, order: ShuffledOrder) -> NDArray[np.bool_]:
        """As keys compare that are spread evenly over whatever places are looked at."""
        self._count(to_each=order.size_bytes)
        below: NDArray[np.bool_] = _spread(order.left) < _spread(order.right)
        return below

    def open_masked_to(self, place: int, masked: Masked) -> Ring | None:
        self._count(to_one=0 if place == self.place else masked.size_bytes)
        return np.zeros(masked.shape, np.uint64) if place == self.place else None

    def rehearsed(self) -> Rehearsed:
        """What was drawn and counted so far."""
        return Rehearsed(tuple(self.recipes), self.cost)

    def _count(self, *, to_each: int = 0, to_one: int = 0) -> None:
        self.cost = Cost(
            self.cost.rounds + 1,
            self.cost.bytes_to_each + to_each,
            self.cost.bytes_to_one + to_one,
        )


def _spread(places: Places) -> Ring:
    """Multiples of the golden ratio modulo 1 (Knuth, TAOCP 3, 6.4), as 64-bit fractions."""
    spread: Ring = places.astype(np.uint64) * np.uint64(0x9E37_79B9_7F4A_7C15)
    return spread


def rehearse(program: Program, *shapes: tuple[int, ...], parties: int = 3) -> Rehearsed:
    """Run ``program`` on shared zeros of ``shapes``. Opens: nothing. Sends: nothing."""
    alone = Rehearsal(parties)
    computation: Computation = alone
    program(computation, *(SharedWords(np.zeros(shape, np.uint64)) for shape in shapes))
    return alone.rehearsed()
