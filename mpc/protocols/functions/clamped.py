"""A function that is evaluated between two ends and constant beyond them, in 4 rounds.

The secret is compared with both ends (one opening for both, then two levels of a tree) while the
function is evaluated; the choice and the truncation then share the last round.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from mpc.dealing.bits import MaskBits
from mpc.dealing.functions import ChosenTruncation
from mpc.protocols.compare import below_each
from mpc.protocols.opening import Computation, Masked
from mpc.protocols.shares import SharedBits, SharedWords, plus
from mpc.ring.planes import Ring, from_plane

_OFFSET = 1 << 62
_ONE = np.uint64(1)


class Evaluation(Protocol):
    """A function of a secret between an opening and its use."""

    masked: Masked

    def given(self, opened: Ring) -> SharedWords: ...


@dataclass(frozen=True)
class Ends:
    """The secret's words from ``low`` to ``high`` (None: no end), both included; the result is
    ``below`` and ``above`` beyond."""

    low: int
    high: int | None
    below: int = 0
    above: int = 0


def clamped(
    computation: Computation, secret: SharedWords, ends: Ends, inner: Evaluation, bits: int
) -> SharedWords:
    """``inner`` / 2^``bits`` where the flat secret lies between the ends, their constant beyond.

    ``inner`` lies in (-2^62, 2^62) between the ends and may be anything beyond: it is multiplied
    by zero there, in the ring. Opens: masked values alone, to all parties. Cost: 4 rounds; 16 bytes
    and what ``inner`` opens an element, 34 bits an end, 1 bit and 1 more a constant that is not 0.
    """
    dealt = computation.draw(MaskBits(secret.size, sign=True))
    opened, point = computation.open_masked(dealt.masks[0].hide(secret), inner.masked)
    value = inner.given(point)
    place = computation.place
    if ends.high is None:
        (low,) = below_each(computation, dealt, opened, [ends.low])
        inside, high = low.inverted(place), None
    else:
        low, high = below_each(computation, dealt, opened, [ends.low, ends.high + 1])
        inside = low ^ high
    sides = [(low, ends.below)] if ends.below else []
    if high is not None and ends.above:
        sides.append((high.inverted(place), ends.above))
    return _chosen(computation, inside, value, bits, sides)


def _chosen(
    computation: Computation,
    inside: SharedBits,
    value: SharedWords,
    bits: int,
    sides: list[tuple[SharedBits, int]],
) -> SharedWords:
    """inside (value / 2^bits) + the sum of each side's bit times its constant; 1 round.

    A bit is z + (1 - 2 z) b with z opened; value / 2^bits is linear in r >> bits and the top bit of
    r as in :func:`mpc.protocols.truncate.truncate`, hence their product in what is dealt.
    """
    count = inside.count
    planes = np.stack([inside._plane, *(side._plane for side, _ in sides)])
    dealt = computation.draw(ChosenTruncation(count, bits, len(planes)))
    bit_mask, word_mask = dealt.masks
    opened_bits, opened = computation.open_masked(
        bit_mask.hide_planes(planes),
        word_mask.hide(plus(value, _OFFSET, computation.place)),
    )
    turned = from_plane(opened_bits, count)
    sign = _ONE - (turned << _ONE)
    dealt_bits, (high, top, bit_high, bit_top) = dealt.derived
    first = computation.place == 0
    wrapped = (_ONE - (opened >> np.uint64(63))) * np.uint64(1 << (64 - bits))
    public = (opened >> np.uint64(bits)) - np.uint64(_OFFSET >> bits)
    whole = top * wrapped - high
    if first:
        whole += public
    share = turned[0] * whole
    share += sign[0] * (dealt_bits[0] * public - bit_high + bit_top * wrapped)
    for at, (_, constant) in enumerate(sides, start=1):
        side = sign[at] * dealt_bits[at]
        if first:
            side += turned[at]
        share += side * np.uint64(constant % (1 << 64))
    return SharedWords(share)
