"""A party's end of the dealing: its shares, recipe by recipe, as the plan lists them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from typing import Protocol

import numpy as np

from mpc.dealing.recipe import Dealt, Recipe, correction_bytes, recipe_name
from mpc.dealing.streaming import WordSource, expanded, expanded_order, order_of
from mpc.errors import ContractError, IntegrityError
from mpc.guarded import Guarded
from mpc.naming import OPERATION_SIZE, joined
from mpc.ring.planes import Ring
from mpc.ring.words import WORD_BYTES

Corrections = Callable[[bytes, int], bytes | bytearray | memoryview]
"""The dealer's next message, given its operation id and its size."""


class Supply(Protocol):
    """Where correlated randomness comes from."""

    def take(self, recipe: Recipe) -> Dealt:
        """This party's shares of ``recipe``, never given out before."""
        ...


class Sequenced:
    """The ids of a dealing's steps: a running hash over every recipe so far, scope first."""

    def __init__(self, scope: bytes) -> None:
        self._state = hashlib.sha256(joined(b"parley/dealing/v1", scope)).digest()

    def next(self, recipe: Recipe) -> bytes:
        """The 16-byte id of ``recipe``, the next one."""
        self._state = hashlib.sha256(joined(self._state, recipe_name(recipe))).digest()
        return self._state[:OPERATION_SIZE]


class PlannedSupply(Guarded):
    """Shares expanded from the stream shared with the dealer, and for the last party, corrections.

    ``planned`` lists the recipes of the whole program: taking anything else raises ContractError
    before a word is drawn, so no party asks the dealer for what the plan does not name.
    """

    __slots__ = ("_corrections", "_own", "_planned", "_sequence", "_source")

    def __init__(
        self, own: int, source: WordSource, planned: Sequence[Recipe], scope: bytes,
        corrections: Corrections | None,
    ) -> None:  # fmt: skip
        """``own``: place in roster order. ``corrections`` for the last party, None for others."""
        self._own = own
        self._source = source
        self._planned: Iterator[Recipe] = iter(planned)
        self._sequence = Sequenced(scope)
        self._corrections = corrections

    def take(self, recipe: Recipe) -> Dealt:
        """The next planned recipe's shares. Raises IntegrityError on material of a wrong size.

        Opens: nothing. Cost: 0 rounds; to the last party, 8 bytes a derived word from the dealer.
        """
        if next(self._planned, None) != recipe:
            raise ContractError(f"the plan deals no {recipe} at this step")
        operation = self._sequence.next(recipe)
        wanted = order_of(recipe)
        knows = wanted is not None and wanted.place == self._own
        order = expanded_order(self._source, wanted) if wanted is not None and knows else None
        free = tuple(expanded(self._source, slot) for slot in recipe.free)
        if self._corrections is None:
            derived = tuple(expanded(self._source, slot) for slot in recipe.derived)
        else:
            derived = _split(self._corrections(operation, correction_bytes(recipe)), recipe)
        return Dealt(free, derived, order)


def _split(data: bytes | bytearray | memoryview, recipe: Recipe) -> tuple[Ring, ...]:
    if len(data) != correction_bytes(recipe):
        raise IntegrityError(f"the dealer sent {len(data)} bytes of {recipe}")
    parts, start = [], 0
    for slot in recipe.derived:
        words = np.frombuffer(data, "<u8", slot.words, start).astype(np.uint64, copy=False)
        parts.append(words.reshape(slot.shape))
        start += slot.words * WORD_BYTES
    return tuple(parts)
