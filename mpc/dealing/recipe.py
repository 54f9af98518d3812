"""What a dealer can be asked for: uniform secrets, and functions of them, dealt in shares.

A recipe names *free* secrets, whose shares every party and the dealer expand from the one stream
that they share, and *derived* ones, which the dealer computes from the free ones. Of a derived
secret all parties but the last expand their share as well; the last one is sent what is missing
(Ishai et al., TCC 2013; Riazi et al., Chameleon, 2018). So dealing costs one message to one party.

To add security against parties that deviate, a :class:`Slot` takes a further ``Sharing`` whose
shares carry a MAC (SPDZ, Damgard et al. 2012): recipes, dealer and supply only move slots.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from math import prod
from typing import Protocol, runtime_checkable

from mpc.ring.planes import Ring
from mpc.ring.products import Products
from mpc.ring.words import WORD_BYTES

Shape = tuple[int, ...]
Sampler = Callable[[int, Fraction], Sequence[int]]
"""``count`` fresh samples of a variance: :func:`mpc.sampling.discrete_gaussian` at the dealer."""


class Sharing(StrEnum):
    """How shares make up a secret."""

    ADDITIVE = "additive"  # sum modulo 2^64
    XOR = "xor"  # exclusive or, bit by bit


@dataclass(frozen=True)
class Slot:
    """One secret of a recipe: ``shape`` ring words under ``sharing``."""

    sharing: Sharing
    shape: Shape

    @property
    def words(self) -> int:
        """Ring words held, padding included."""
        return prod(self.shape)


class Recipe(Protocol):
    """One kind of correlated randomness at one shape. Frozen and printable: its text names it.

    How the dealer derives secrets is one of the three protocols below.
    """

    @property
    def free(self) -> tuple[Slot, ...]:
        """Uniform secrets, no party knows one."""
        ...

    @property
    def derived(self) -> tuple[Slot, ...]:
        """Secrets that the dealer derives."""
        ...


@runtime_checkable
class DerivedRecipe(Recipe, Protocol):
    """A recipe whose derived secrets are functions of its free ones."""

    def derive(self, free: Sequence[Ring], products: Products) -> Sequence[Ring]:
        """The derived secrets. At the dealer alone."""
        ...


@runtime_checkable
class SampledRecipe(Recipe, Protocol):
    """A recipe without free secrets, whose derived ones the dealer samples."""

    def derive_sampled(self, sampler: Sampler) -> Sequence[Ring]:
        """The derived secrets, fresh. At the dealer alone."""
        ...


@dataclass(frozen=True)
class Order:
    """A permutation that the dealer and the party at ``place`` (roster order) both expand.

    Drawn as ``rows`` uniform words; what sorts them is a uniform permutation.
    """

    place: int
    rows: int


@runtime_checkable
class OrderedRecipe(Recipe, Protocol):
    """A recipe with a permutation that one party knows."""

    @property
    def order(self) -> Order: ...

    def derive_ordered(self, order: Ring, free: Sequence[Ring]) -> Sequence[Ring]:
        """As :meth:`DerivedRecipe.derive`, given the permutation's indices."""
        ...


@dataclass(frozen=True, repr=False)
class Dealt:
    """One party's shares of a recipe's secrets, and the permutation if it is the one to know it."""

    free: tuple[Ring, ...]
    derived: tuple[Ring, ...]
    order: Ring | None = None


def correction_bytes(recipe: Recipe) -> int:
    """What dealing ``recipe`` sends to the last party, and to nobody else."""
    return WORD_BYTES * sum(slot.words for slot in recipe.derived)


def recipe_name(recipe: Recipe) -> bytes:
    """What dealer and parties must agree on: kind and shape."""
    return repr(recipe).encode()
