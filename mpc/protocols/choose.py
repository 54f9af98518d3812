"""Choices by secret bits: select, minimum, maximum, ReLU, clamp, and which of a few is largest."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mpc.dealing.bits import BitProduct, Gate
from mpc.errors import ContractError
from mpc.protocols.compare import gates, negative, to_words
from mpc.protocols.opening import Computation
from mpc.protocols.shares import SharedBits, SharedWords, plus, stacked
from mpc.ring.planes import FULL, WORD_BITS, Planes, from_plane, to_plane
from mpc.ring.words import RANGE_MAX

_ONE = np.uint64(1)
ENTRIES_MAX = 64
"""Of which the largest is found by comparing all pairs."""


def masked_by(
    computation: Computation, bits: SharedBits, columns: Sequence[SharedWords]
) -> list[SharedWords]:
    """Each column, flat, where its element's bit is set, else 0.

    With z = bit ^ b and X = x + r opened: bit x = z X + (1 - 2 z) X b - z r - (1 - 2 z) b r.
    Opens: bits and columns under fresh masks, to all parties. Cost: 1 round, 1 bit an element and
    8 bytes an element and column.
    """
    table = stacked([column.reshape(1, bits.count) for column in columns])
    dealt = computation.draw(BitProduct(bits.count, len(columns)))
    bit_mask, word_mask = dealt.masks
    opened_bits, opened = computation.open_masked(
        bit_mask.hide_planes(bits._plane), word_mask.hide(table)
    )
    turned = from_plane(opened_bits, bits.count)
    sign = _ONE - (turned << _ONE)
    bit, product = dealt.derived
    share = sign * (opened * bit - product) - turned * word_mask.share
    if computation.place == 0:
        share += turned * opened
    return [SharedWords(column) for column in share]


def choose(
    computation: Computation, bits: SharedBits, one: SharedWords, other: SharedWords
) -> SharedWords:
    """``one`` where the bit is set, else ``other``; flat.

    Opens: bits and differences under fresh masks, to all parties. Cost: 1 round, 65 bits an
    element.
    """
    base = other.reshape(-1)
    (part,) = masked_by(computation, bits, [one.reshape(-1) - base])
    return base + part


def maximum(computation: Computation, left: SharedWords, right: SharedWords) -> SharedWords:
    """The larger of each two of one shape. Opens: masked values alone. Cost: 4 rounds, 163 bits."""
    return _extreme(computation, left, right, left - right)


def minimum(computation: Computation, left: SharedWords, right: SharedWords) -> SharedWords:
    """The smaller of each two of one shape. Opens: masked values alone. Cost as :func:`maximum`."""
    return _extreme(computation, left, right, right - left)


def relu(computation: Computation, secret: SharedWords) -> SharedWords:
    """max(secret, 0). Opens: masked values alone, to all. Cost: 4 rounds, 163 bits an element."""
    kept = negative(computation, secret).inverted(computation.place)
    (result,) = masked_by(computation, kept, [secret.reshape(-1)])
    return result.reshape(*secret.shape)


def clamp(computation: Computation, secret: SharedWords, low: int, high: int) -> SharedWords:
    """The secret, not below ``low`` and not above ``high``.

    For secrets in (-2^62, 2^62), which is no check of what an owner enters: a word half a ring away
    is both below and above and stays out of range (:func:`zeroed_outside` takes any word). Both
    ends are compared in one batch. Opens: masked values alone, to all parties. Cost: 4 rounds, 326
    bits an element.
    """
    _check_range(low, high)
    place, flat = computation.place, secret.reshape(-1)
    over = -plus(flat, -high, place)
    under = plus(flat, -low, place)
    excess = stacked([under, over])
    outside = negative(computation, excess)
    (part,) = masked_by(computation, outside, [excess])
    below, above = part[: flat.size], part[flat.size :]
    return (flat - below + above).reshape(*secret.shape)


def inside(computation: Computation, secret: SharedWords, low: int, high: int) -> SharedBits:
    """Whether each secret, flat, lies in [``low``, ``high``]: exact for every word of the ring.

    What an owner enters is checked by this before it is multiplied with others' data: an entry far
    out of range would else shout down any noise. With ``high`` - ``low`` below 2^63, secret - low
    and high - secret are both below 2^63 within the range alone. Opens: masked values alone, to all
    parties. Cost: 4 rounds, 24.75 bytes an element (198 bits), counting 64 at a time.
    """
    _check_range(low, high)
    place, flat = computation.place, secret.reshape(-1)
    pair = stacked([plus(flat, -low, place), -plus(flat, -high, place)]).reshape(2, flat.size)
    padded = -(-flat.size // WORD_BITS) * WORD_BITS
    table = np.zeros((2, padded), np.uint64)
    table[:, : flat.size] = pair._words
    outside = negative(computation, SharedWords(table))
    planes = outside.inverted(place)._plane.reshape(2, 1, -1)
    (kept,) = gates(computation, Gate.AND, planes)
    return SharedBits(kept[0], flat.size)


def zeroed_outside(
    computation: Computation, secret: SharedWords, low: int, high: int
) -> SharedWords:
    """The secret where it lies in [``low``, ``high``], else 0.

    Opens: masked values alone, to all parties. Cost: 5 rounds, 32.875 bytes an element (263 bits),
    counting 64 at a time.
    """
    kept = inside(computation, secret, low, high)
    (result,) = masked_by(computation, kept, [secret.reshape(-1)])
    return result.reshape(*secret.shape)


def largest(computation: Computation, secret: SharedWords) -> SharedWords:
    """1 at the largest entry of each row of a (rows, entries) secret, else 0; the first of equals.

    Opens: masked values alone, to all parties. Cost: that of :func:`winners`, and 1 round.
    """
    rows, entries = secret.shape
    flags = to_words(computation, winners(computation, secret)).reshape(entries, rows)
    return SharedWords(np.ascontiguousarray(flags._words.T))


def winners(computation: Computation, secret: SharedWords) -> SharedBits:
    """Whether each entry is the largest of its row, column by column; the first of equals.

    All pairs of a row are compared at once; an entry is the largest if it loses to none. Entries
    lie within 2^62 of each other. Opens: masked values alone, to all parties. Cost for e entries:
    3 rounds and 98 bits a pair, then 1 round a factor of 4 of e - 1.
    """
    rows, entries = secret.shape
    if not 2 <= entries <= ENTRIES_MAX:
        raise ContractError(f"the largest of 2 to {ENTRIES_MAX} entries is found")
    left, right = np.triu_indices(entries, 1)
    columns = SharedWords(np.ascontiguousarray(secret._words.T))
    pairs = negative(computation, columns[left] - columns[right])
    below = _repacked(pairs._plane, len(left) * rows, len(left), rows)
    loses = np.zeros((entries, entries - 1, below.shape[1]), np.uint64)
    for pair, (one, other) in enumerate(zip(left, right, strict=True)):
        loses[one, other - 1] = below[pair]
        loses[other, one] = below[pair]
        if computation.place == 0:
            loses[other, one] ^= FULL
    if computation.place == 0:
        loses ^= FULL
    won = from_plane(all_of(computation, loses), rows).reshape(-1)
    return SharedBits(to_plane(won.astype(np.bool_)), entries * rows)


def _repacked(plane: Planes, count: int, parts: int, each: int) -> Planes:
    """Shares of ``count`` bits in a row, as ``parts`` planes of ``each``; local, bit by bit."""
    return to_plane(from_plane(plane, count).reshape(parts, each).astype(np.bool_))


def all_of(computation: Computation, planes: np.ndarray) -> np.ndarray:
    """XOR shares of the AND along the second of three axes, four at a time.

    Opens: the planes under fresh masks, to all parties. Cost: 1 round a factor of four.
    """
    outer, parts, width = planes.shape
    while parts > 1:
        short = -parts % 4
        if short:
            fill = np.zeros((outer, short, width), np.uint64)
            if computation.place == 0:
                fill -= _ONE
            planes = np.concatenate([planes, fill], axis=1)
        four = planes.reshape(outer * (parts + short) // 4, 4, width).transpose(1, 0, 2)
        (joined,) = gates(computation, Gate.EQUAL, np.ascontiguousarray(four))
        parts = (parts + short) // 4
        planes = joined.reshape(outer, parts, width)
    return planes[:, 0]


def _check_range(low: int, high: int) -> None:
    if low > high:
        raise ContractError("a range ends where it begins or above")
    if not -RANGE_MAX <= low <= high < RANGE_MAX:
        raise ContractError("a range lies in [-2^62, 2^62)")


def _extreme(
    computation: Computation, one: SharedWords, other: SharedWords, difference: SharedWords
) -> SharedWords:
    if one.shape != other.shape:
        raise ContractError(f"{one!r} and {other!r} are not of one shape")
    return choose(computation, negative(computation, difference), other, one).reshape(*one.shape)
