"""One party's shares of secret ring words and secret bits. Nothing here sends or opens.

Shares show their shape and nothing else. Sums, differences and public factors are local, as is
every rearrangement that does not depend on a secret. A share that carries a MAC, for parties that
deviate, would be a further type beside these two, with the same local operations.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, final

import numpy as np

from mpc.errors import ContractError
from mpc.guarded import Guarded
from mpc.ring.planes import FULL, Planes, Ring, plane_words

Public = int | Ring
"""What everybody knows: an integer of any size or unsigned ring words."""


def as_ring(value: Public) -> Ring:
    """A public integer, taken modulo 2^64, or words as they are."""
    if isinstance(value, np.ndarray):
        if value.dtype != np.uint64:
            raise ContractError("public words are uint64")
        return value
    return np.array(value % (1 << 64), np.uint64)


@final
class SharedWords(Guarded):
    """Additive shares over Z_2^64, of any shape."""

    __slots__ = ("_words",)

    def __init__(self, words: Ring) -> None:
        """``words``: this party's share. The sum over all parties is the secret."""
        if not isinstance(words, np.ndarray) or words.dtype != np.uint64:
            raise ContractError("a share is an array of uint64 ring words")
        self._words = words

    @property
    def shape(self) -> tuple[int, ...]:
        return self._words.shape

    @property
    def size(self) -> int:
        return int(self._words.size)

    def __repr__(self) -> str:
        return f"<SharedWords of shape {self.shape}>"

    def __add__(self, other: SharedWords) -> SharedWords:
        return SharedWords(np.asarray(self._words + _other(other)))

    def __sub__(self, other: SharedWords) -> SharedWords:
        return SharedWords(np.asarray(self._words - _other(other)))

    def __neg__(self) -> SharedWords:
        return SharedWords(np.asarray(np.uint64(0) - self._words))

    def times(self, factor: Public) -> SharedWords:
        """The secret times a public factor, by element, wrapping."""
        return SharedWords(np.asarray(self._words * as_ring(factor)))

    def __getitem__(self, index: Any) -> SharedWords:
        """Public places, as numpy indexes."""
        return SharedWords(np.asarray(self._words[index]))

    def reshape(self, *shape: int) -> SharedWords:
        return SharedWords(self._words.reshape(shape))

    def sum(self, axis: int | None = None) -> SharedWords:
        """The secret sum along ``axis``, wrapping."""
        return SharedWords(np.asarray(self._words.sum(axis=axis, dtype=np.uint64)))


@final
class SharedBits(Guarded):
    """XOR shares of ``count`` secret bits, packed 64 a word (:mod:`mpc.ring.planes`)."""

    __slots__ = ("_plane", "count")

    def __init__(self, plane: Planes, count: int) -> None:
        if plane.shape != (plane_words(count),) or plane.dtype != np.uint64:
            raise ContractError(f"{count} bits take {plane_words(count)} words")
        self._plane = plane
        self.count = count

    def __repr__(self) -> str:
        return f"<SharedBits of {self.count}>"

    def __xor__(self, other: SharedBits) -> SharedBits:
        if other.count != self.count:
            raise ContractError(f"{self!r} and {other!r} are not of one size")
        return SharedBits(self._plane ^ other._plane, self.count)

    def inverted(self, place: int) -> SharedBits:
        """Every bit turned: by the party at ``place`` 0 of the roster alone."""
        return self if place else SharedBits(self._plane ^ FULL, self.count)


def stacked(parts: Sequence[SharedWords], axis: int = 0) -> SharedWords:
    """The secrets of ``parts`` one behind the other."""
    return SharedWords(np.concatenate([part._words for part in parts], axis=axis))


def shared_public(value: Ring, place: int) -> SharedWords:
    """Shares of a public value: the party at ``place`` 0 holds it, all others zero."""
    return SharedWords(value.copy() if place == 0 else np.zeros_like(value))


def plus(secret: SharedWords, public: Public, place: int) -> SharedWords:
    """The secret plus a public value, which the party at ``place`` 0 alone adds.

    The public value broadcasts to the secret's shape. Raises ContractError where the secret would
    have to broadcast: only one party would see its shape change.
    """
    value = as_ring(public)
    if np.broadcast_shapes(secret.shape, value.shape) != secret.shape:
        raise ContractError(f"words of shape {value.shape} are not added to {secret!r}")
    if place:
        return secret
    return SharedWords(np.asarray(secret._words + value))


def _other(other: object) -> Ring:
    if not isinstance(other, SharedWords):
        raise ContractError("shares are added to shares; plus() adds what is public")
    return other._words
