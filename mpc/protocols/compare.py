"""Comparisons of shared numbers: a masked opening and a radix-4 tree on bit planes.

The dealer knows a uniform r, the parties open c = x + r. The sign of x is c_63 ^ r_63 ^ [c < r],
the last over the low 63 bits (Damgard et al., TCC 2006, for bounded-round comparison). Within each
4-bit chunk, "less" and "equal" of c and r are polynomials in the bits of r with public
coefficients: local, given shares of the monomials. Two levels of a tree of fan-in four,

    less  = l3 ^ e3 l2 ^ e3 e2 l1 ^ e3 e2 e1 l0        equal = e3 e2 e1 e0,

join 16 chunks into 4 and then 1; each opens its factors under dealt masks whose products are dealt.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import combinations

import numpy as np

from mpc.dealing.bits import CHUNK_BITS, CHUNKS, MONOMIALS, Gate, GateMasks, MaskBits, SharedBit
from mpc.errors import ContractError
from mpc.protocols.opening import Computation, Correlation
from mpc.protocols.shares import SharedBits, SharedWords, as_ring
from mpc.ring.planes import FULL, Planes, Ring, from_plane, to_plane, to_planes

_ONE = np.uint64(1)
_BLOCK_ELEMENTS = 1 << 20
_BLOCK_WORDS = 512
"""Planes are worked through in blocks that stay in a core's cache."""


def negative(computation: Computation, secret: SharedWords) -> SharedBits:
    """Whether each secret, flattened, is below zero: exact over [-2^63, 2^63).

    Opens: masked values alone, to all parties. Cost: 3 rounds; to each peer 8 bytes an element,
    and 34 bits (28 and 6) of it for the two levels. As many rounds again for every further 2^20
    elements, so that no more than 100 bytes for each of 2^20 are held at once.
    """
    return _in_blocks(computation, secret, _negative)


def zero(computation: Computation, secret: SharedWords) -> SharedBits:
    """Whether each secret, flattened, is zero: c and r agree in every bit.

    Opens: masked values alone, to all parties. Cost: 3 rounds; to each peer 8 bytes an element,
    and 20 bits (16 and 4) of it for the two levels. More than 2^20 elements as in
    :func:`negative`.
    """
    return _in_blocks(computation, secret, _zero)


def _in_blocks(
    computation: Computation,
    secret: SharedWords,
    program: Callable[[Computation, SharedWords], SharedBits],
) -> SharedBits:
    flat = secret.reshape(-1)
    starts = range(0, max(1, flat.size), _BLOCK_ELEMENTS)
    parts = [program(computation, flat[start : start + _BLOCK_ELEMENTS]) for start in starts]
    if len(parts) == 1:
        return parts[0]
    return SharedBits(np.concatenate([part._plane for part in parts]), flat.size)


def _negative(computation: Computation, secret: SharedWords) -> SharedBits:
    dealt = computation.draw(MaskBits(secret.size, sign=True))
    (opened,) = computation.open_masked(dealt.masks[0].hide(secret))
    (below,) = below_each(computation, dealt, opened, [0])
    return below


def below_each(
    computation: Computation, dealt: Correlation, opened: Ring, limits: Sequence[int]
) -> list[SharedBits]:
    """Whether each secret x is below each public limit: exact over [-2^63, 2^63) for x - limit.

    Of x + r, opened once: x - limit + r is as public. ``dealt`` of :class:`MaskBits` with the sign.
    Opens: masked values alone, to all parties. Cost: 2 rounds, 34 bits an element and limit.
    """
    monomials, mask_top = dealt.derived
    tops, parts = [], []
    for limit in limits:
        planes = to_planes(opened - as_ring(limit) if limit else opened)
        tops.append(planes[-1].copy())
        planes[-1] = 0
        parts.append(_chunks(planes, monomials, computation.place))
    shares = _less_each(computation, parts) ^ mask_top
    if computation.place == 0:
        shares ^= np.stack(tops)
    return [SharedBits(share, opened.size) for share in shares]


def uniform_below_each(
    computation: Computation, secret: SharedWords, limits: Sequence[int]
) -> list[SharedBits]:
    """Whether each secret word, read as unsigned, is below each public limit in (0, 2^64).

    With c = u + r opened, modulo 2^64, and as u = c - r: [u < k] = [c < r] ^ [c - k < r] ^ [c < k],
    the first two compared as unsigned, the last one public. Exact over all of Z_2^64.
    Opens: masked values alone, to all parties. Cost: 3 rounds; to each peer 8 bytes an element,
    and 34 bits of it for each limit and once more.
    """
    flat = secret.reshape(-1)
    dealt = computation.draw(MaskBits(flat.size, sign=False))
    (opened,) = computation.open_masked(dealt.masks[0].hide(flat))
    parts = [
        _chunks(to_planes(opened - as_ring(limit)), dealt.derived[0], computation.place)
        for limit in (0, *limits)
    ]
    shares = _less_each(computation, parts)
    found = []
    for share, limit in zip(shares[1:], limits, strict=True):
        plane = share ^ shares[0]
        if computation.place == 0:
            plane ^= to_plane(opened < as_ring(limit))
        found.append(SharedBits(plane, flat.size))
    return found


def _zero(computation: Computation, secret: SharedWords) -> SharedBits:
    dealt = computation.draw(MaskBits(secret.size, sign=False))
    (opened,) = computation.open_masked(dealt.masks[0].hide(secret))
    _, equal = _chunks(to_planes(opened), dealt.derived[0], computation.place, wants_less=False)
    for _ in range(2):
        _, equal = _level(computation, Gate.EQUAL, equal, equal)
    return SharedBits(equal[0], secret.size)


def to_words(computation: Computation, bits: SharedBits) -> SharedWords:
    """Secret bits as the ring words 0 and 1, one dimension.

    With z = bit ^ b opened under a dealt bit b: bit = z + (1 - 2 z) b.
    Opens: the bits under fresh masks, to all parties. Cost: 1 round, 1 bit an element.
    """
    dealt = computation.draw(SharedBit(bits.count))
    (opened,) = computation.open_masked(dealt.masks[0].hide_planes(bits._plane))
    turned = from_plane(opened, bits.count)
    share = dealt.derived[0] * (_ONE - (turned << _ONE))
    if computation.place == 0:
        share += turned
    return SharedWords(share)


def less(computation: Computation, left: SharedWords, right: SharedWords) -> SharedWords:
    """1 where ``left`` < ``right``, else 0, for differences in [-2^63, 2^63); broadcasts.

    Opens: masked values alone, to all parties. Cost: 4 rounds, 12.375 bytes an element to each
    peer (99 bits), whatever the number of parties.
    """
    difference = left - right
    below = to_words(computation, negative(computation, difference))
    return below.reshape(*difference.shape)


def equal(computation: Computation, left: SharedWords, right: SharedWords) -> SharedWords:
    """1 where ``left`` = ``right``, else 0; broadcasts.

    Opens: masked values alone, to all parties. Cost: 4 rounds, 10.625 bytes an element to each
    peer (85 bits).
    """
    difference = left - right
    return to_words(computation, zero(computation, difference)).reshape(*difference.shape)


def both(computation: Computation, left: SharedBits, right: SharedBits) -> SharedBits:
    """The AND of secret bits. Opens: both under fresh masks, to all. Cost: 1 round, 2 bits each."""
    if left.count != right.count:
        raise ContractError(f"{left!r} and {right!r} are not of one size")
    planes = np.stack([left._plane, right._plane])[:, np.newaxis]
    (result,) = gates(computation, Gate.AND, planes)
    return SharedBits(result[0], left.count)


def _chunks(
    opened: Planes, monomials: Planes, place: int, *, wants_less: bool = True
) -> tuple[Planes, Planes]:
    """Shares of "less" and "equal" of every chunk, (16, words), the public value being c. Local."""
    unset = ~opened.reshape(CHUNKS, CHUNK_BITS, -1)
    width = opened.shape[-1]
    lower = np.zeros((CHUNKS, width) if wants_less else (0, width), np.uint64)
    same = np.zeros((CHUNKS, width), np.uint64)
    for start in range(0, width, _BLOCK_WORDS):
        part = slice(start, start + _BLOCK_WORDS)
        _chunk_block(
            unset[..., part], monomials[..., part], place, same[:, part],
            lower[:, part] if wants_less else None,
        )  # fmt: skip
    return lower, same


def _chunk_block(
    unset: Planes, monomials: Planes, place: int, same: Planes, lower: Planes | None
) -> None:
    """XOR the shares of one block into ``same`` and ``lower``.

    The coefficient of monomial m in "equal" multiplies the unset bits of c outside m; in "less" the
    lowest bit of m decides, and those above it, if outside m, must be unset too.
    """
    every = [np.full(unset[:, 0].shape, FULL)]
    for bits in range(1, MONOMIALS + 1):
        bit = bits.bit_length() - 1
        every.append(every[bits ^ (1 << bit)] & unset[:, bit])
    if place == 0:
        same ^= every[MONOMIALS]
    for bits in range(1, MONOMIALS + 1):
        share = monomials[bits - 1]
        outside = MONOMIALS ^ bits
        same ^= every[outside] & share
        if lower is not None:
            lowest = bits & -bits
            above = outside & ~((lowest << 1) - 1)
            lower ^= every[above | lowest] & share


def _less_each(computation: Computation, parts: Sequence[tuple[Planes, Planes]]) -> Planes:
    """Join all 16 chunks of each of ``parts``, as :func:`_chunks` gives them: (parts, words) of
    "less". 2 rounds for all together."""
    less, equal = parts[0]
    if len(parts) > 1:
        less, equal = (np.concatenate(side, axis=1) for side in zip(*parts, strict=True))
    less, equal = _level(computation, Gate.NODE, less, equal)
    less, _ = _level(computation, Gate.LESS, less, equal)
    joined: Planes = less[0].reshape(len(parts), -1)
    return joined


def _level(
    computation: Computation, gate: Gate, lower: Planes, same: Planes
) -> tuple[Planes, Planes]:
    """Join every four neighbours of (parts, words) into one. 1 round."""
    parts = len(same) // 4
    l0, l1, l2, l3 = (lower[at::4] for at in range(4)) if gate is not Gate.EQUAL else (same,) * 4
    e0, e1, e2, e3 = (same[at::4] for at in range(4))
    factors = {
        Gate.NODE: (l0, l1, l2, e0, e1, e2, e3),
        Gate.LESS: (l0, l1, l2, e1, e2, e3),
        Gate.EQUAL: (e0, e1, e2, e3),
    }[gate]
    outputs = gates(computation, gate, np.stack(factors))
    if gate is Gate.EQUAL:
        return lower, outputs[0]
    joined = outputs[0] ^ l3
    return joined, outputs[1] if len(outputs) > 1 else same[:parts]


def gates(computation: Computation, gate: Gate, factors: Planes) -> list[Planes]:
    """Shares of ``gate``'s outputs, (nodes, words) each, from shared (factors, nodes, words).

    With d_v = v ^ a_v opened, a product of factors is the XOR, over each part of them, of the
    masks' product over that part and the opened values' product over the rest.
    Opens: the factors under fresh masks, to all parties. Cost: 1 round, 1 bit a factor and element.
    """
    _, nodes, width = factors.shape
    dealt = computation.draw(GateMasks(gate, nodes, width))
    (mask,) = dealt.masks
    (opened,) = computation.open_masked(mask.hide_planes(factors))
    place_of = {term: at for at, term in enumerate(gate.dealt)}
    outputs = []
    for terms in gate.outputs:
        result = np.zeros((nodes, width), np.uint64)
        for term in terms:
            for size in range(len(term) + 1):
                for part in combinations(sorted(term), size):
                    if size == 0 and computation.place:
                        continue
                    rest = [factor for factor in term if factor not in part]
                    result ^= _product(opened, rest, _masks(mask.share, dealt.derived[0], part,
                                                            place_of))  # fmt: skip
        outputs.append(result)
    return outputs


def _masks(
    single: Planes, products: Planes, part: tuple[int, ...], place_of: dict[tuple[int, ...], int]
) -> Ring | None:
    """This party's share of the masks' product over ``part``; None for the empty product."""
    if not part:
        return None
    share: Ring = single[part[0]] if len(part) == 1 else products[place_of[part]]
    return share


def _product(opened: Planes, rest: list[int], share: Ring | None) -> Ring:
    parts = [opened[factor] for factor in rest] + ([] if share is None else [share])
    total: Ring = np.bitwise_and.reduce(parts)
    return total
