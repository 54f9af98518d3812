"""How a computation opens anything: under a fresh dealt mask, or in a secret sequence.

A :class:`Mask` is this party's share of a uniform secret that nobody knows. It hides one value,
once; what then is opened, value plus mask, is uniform and independent of the value. Openings that
do not depend on each other share a round. The other opening is how secretly shuffled, distinct keys
compare, which is as random as the shuffle. A released result goes a third way: :mod:`mpc.release`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, final

import numpy as np
from numpy.typing import DTypeLike, NDArray

from mpc.dealing.recipe import Recipe, Sharing
from mpc.errors import ContractError, SecretMisuseError
from mpc.guarded import Guarded
from mpc.protocols.shares import SharedBits, SharedWords
from mpc.ring.planes import Planes, Ring, from_plane

Places = NDArray[np.intp]
"""Public places of a vector."""

_WIDTHS: tuple[tuple[int, DTypeLike], ...] = ((8, "<u1"), (16, "<u2"), (32, "<u4"), (64, "<u8"))


@final
class Masked(Guarded):
    """This party's share of a value under a mask: what one opening sends."""

    __slots__ = ("_bits", "_sharing", "_words")

    def __init__(self, words: Ring, sharing: Sharing, bits: int) -> None:
        self._words = words
        self._sharing = sharing
        self._bits = bits

    def __repr__(self) -> str:
        return f"<Masked of shape {self.shape}>"

    @property
    def shape(self) -> tuple[int, ...]:
        return self._words.shape

    @property
    def size_bytes(self) -> int:
        """What travels to each peer."""
        return int(self._words.size) * np.dtype(self._wire).itemsize

    def to_bytes(self) -> bytes:
        """Little-endian in C order, each word in 1, 2, 4 or 8 bytes as its modulus allows."""
        return self._words.astype(self._wire).tobytes()

    def read(self, data: bytes) -> Ring:
        """What a peer's :meth:`to_bytes` wrote for the same opening."""
        return np.frombuffer(data, self._wire).astype(np.uint64, copy=False).reshape(self.shape)

    def opened(self, others: Sequence[Ring]) -> Ring:
        """The masked value: this share and all ``others`` together."""
        total = self._words.copy()
        for share in others:
            if self._sharing is Sharing.ADDITIVE:
                total += share
            else:
                total ^= share
        if self._bits < 64:
            total &= np.uint64((1 << self._bits) - 1)
        return total

    @property
    def _wire(self) -> DTypeLike:
        return next(kind for width, kind in _WIDTHS if self._bits <= width)


@final
class Mask(Guarded):
    """This party's share of a dealt uniform secret. Hides once; ``share`` stays for the algebra."""

    __slots__ = ("_sharing", "_unused", "share")

    def __init__(self, share: Ring, sharing: Sharing) -> None:
        self.share = share
        self._sharing = sharing
        self._unused = [None]

    def hide(self, secret: SharedWords, bits: int = 64) -> Masked:
        """``secret`` plus this mask, modulo 2^``bits``. Raises SecretMisuseError the second time.

        Opens: nothing yet.
        """
        return self._hide(secret._words, Sharing.ADDITIVE, bits)

    def hide_planes(self, planes: Planes) -> Masked:
        """XOR-shared ``planes`` under this mask. Raises SecretMisuseError the second time."""
        return self._hide(planes, Sharing.XOR, 64)

    def _hide(self, words: Ring, sharing: Sharing, bits: int) -> Masked:
        if words.shape != self.share.shape or sharing is not self._sharing:
            raise ContractError(f"a mask of shape {self.share.shape} hides what is of its kind")
        try:
            self._unused.pop()  # atomic: a mask used twice uncovers a difference
        except IndexError:
            raise SecretMisuseError("a mask hides one value, once") from None
        if sharing is Sharing.XOR:
            return Masked(words ^ self.share, sharing, 64)
        hidden = words + self.share
        if bits < 64:
            hidden &= np.uint64((1 << bits) - 1)
        return Masked(hidden, sharing, bits)


@final
class ShuffledOrder(Guarded):
    """Shares of how keys at ``left`` compare with those at ``right``, both of one secret shuffle.

    :mod:`mpc.protocols.order` alone makes one, of keys that it shuffled and made distinct.
    """

    __slots__ = ("_bits", "left", "right")

    def __init__(self, bits: SharedBits, left: Places, right: Places) -> None:
        self._bits = bits
        self.left = left
        self.right = right

    @property
    def size_bytes(self) -> int:
        """What travels to each peer."""
        return int(self._bits._plane.nbytes)

    def pairs(self) -> str:
        """A digest of which places are compared, for parties to agree on. 128 bits."""
        places = np.concatenate([self.left, self.right]).astype("<u4")
        return hashlib.sha256(places.data).hexdigest()[:32]

    def to_bytes(self) -> bytes:
        return self._bits._plane.astype("<u8").tobytes()

    def opened(self, others: Sequence[bytes]) -> NDArray[np.bool_]:
        """Whether each left key is below its right one."""
        plane = self._bits._plane.copy()
        for data in others:
            plane ^= np.frombuffer(data, "<u8")
        return from_plane(plane, self._bits.count).astype(np.bool_)


@dataclass(frozen=True, repr=False)
class Correlation:
    """This party's shares of one recipe: its free secrets as masks, the derived ones as words."""

    masks: tuple[Mask, ...]
    derived: tuple[Ring, ...]
    order: Ring | None = None


@dataclass(frozen=True)
class Cost:
    """What a computation took so far: rounds, and bytes that this party sent to each peer.

    ``bytes_to_one`` went to one peer alone (permutations).
    """

    rounds: int = 0
    bytes_to_each: int = 0
    bytes_to_one: int = 0


class Computation(Protocol):
    """One party's end of a computation on shares."""

    @property
    def place(self) -> int:
        """This party's place in roster order. Place 0 adds public values."""
        ...

    @property
    def parties(self) -> int: ...

    def draw(self, recipe: Recipe) -> Correlation:
        """Correlated randomness, never given out before. Opens: nothing. Cost: 0 rounds."""
        ...

    def open_masked(self, *masked: Masked) -> tuple[Ring, ...]:
        """Every masked value in full. Opens: values under fresh masks, to all parties.

        Cost: 1 round, the masked words to each peer.
        """
        ...

    def open_shuffled_order(self, order: ShuffledOrder) -> NDArray[np.bool_]:
        """How secretly shuffled, distinct keys compare. Opens: that, to all parties.

        Of distinct keys in a uniform sequence that nobody knows, the comparisons are those of a
        uniform permutation, whatever the keys are: they tell nothing of them.
        Cost: 1 round, 1 bit a comparison to each peer.
        """
        ...

    def open_masked_to(self, place: int, masked: Masked) -> Ring | None:
        """The masked value at the party at ``place``; None elsewhere. Opens: it, to that party.

        Cost: 1 round, the masked words to that party.
        """
        ...


def correlation_of(recipe: Recipe, free: Sequence[Ring], derived: Sequence[Ring],
                   order: Ring | None) -> Correlation:  # fmt: skip
    """What a :class:`Computation` hands out of dealt shares."""
    masks = tuple(Mask(share, slot.sharing) for share, slot in zip(free, recipe.free, strict=True))
    return Correlation(masks, tuple(derived), order)
