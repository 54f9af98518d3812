"""The recipe of a secret permutation that one party knows (Chase, Ghosh and Poburinnaya 2020)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mpc.dealing.recipe import Order, Sharing, Slot
from mpc.errors import ContractError
from mpc.ring.planes import Ring
from mpc.ring.products import Products


@dataclass(frozen=True)
class Permutation:
    """Free masks a of ``rows`` by ``columns``; derived a in the sequence that only the party at
    ``place`` and the dealer know."""

    place: int
    rows: int
    columns: int

    @property
    def order(self) -> Order:
        return Order(self.place, self.rows)

    @property
    def free(self) -> tuple[Slot, ...]:
        return (Slot(Sharing.ADDITIVE, (self.rows, self.columns)),)

    @property
    def derived(self) -> tuple[Slot, ...]:
        return (Slot(Sharing.ADDITIVE, (self.rows, self.columns)),)

    def derive(self, free: Sequence[Ring], products: Products) -> Sequence[Ring]:
        raise ContractError("a permutation is derived with its order")

    def derive_ordered(self, order: Ring, free: Sequence[Ring]) -> Sequence[Ring]:
        (masks,) = free
        return (masks[order.astype("i8")],)
