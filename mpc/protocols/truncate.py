"""Division by a public integer, exact to one unit in the last place, for any number of parties.

CrypTen divides shares one by one, which is wrong by 2^64 / 2^f with probability |x| / 2^62; here
the wrap of the masked value is a linear function of one dealt bit (SECURITY.md, H8).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mpc.dealing.arithmetic import Quotient, Truncation
from mpc.protocols.opening import Computation
from mpc.protocols.shares import SharedWords, plus

_OFFSET = 1 << 62
_TOP = np.uint64(63)


@np.errstate(over="ignore")  # numpy warns of scalars alone
def truncate(computation: Computation, secret: SharedWords, bits: int) -> SharedWords:
    """``secret`` / 2^``bits``, rounded down or up, for a secret in (-2^62, 2^62).

    With x' = x + 2^62 below 2^63 and c = x' + r opened, the sum wrapped exactly when r has its top
    bit and c has not: (c >> f) - (r >> f) + w 2^(64-f) - 2^(62-f), where w = r_63 (1 - c_63).
    Opens: the secret under a fresh mask, to all parties. Cost: 1 round, 8 bytes an element.
    """
    dealt = computation.draw(Truncation(secret.shape, bits))
    (mask,) = dealt.masks
    shifted = plus(secret, _OFFSET, computation.place)
    (opened,) = computation.open_masked(mask.hide(shifted))
    high, top = dealt.derived
    wrapped = np.uint64(1) - (opened >> _TOP)
    share = top * wrapped * np.uint64(1 << (64 - bits)) - high
    if computation.place == 0:
        share += (opened >> np.uint64(bits)) - np.uint64(_OFFSET >> bits)
    return SharedWords(np.asarray(share))


def divide(computation: Computation, secret: SharedWords, divisor: int) -> SharedWords:
    """``secret`` / ``divisor``, rounded down or up, as :func:`divide_each`."""
    (quotient,) = divide_each(computation, [(secret, divisor)])
    return quotient


@np.errstate(over="ignore")
def divide_each(
    computation: Computation, divisions: Sequence[tuple[SharedWords, int]]
) -> list[SharedWords]:
    """Each secret divided by its public divisor d, rounded down or up, all in one round.

    For divisors of 2 to 2^61 and secrets in (-2^62 + d, 2^62 - d). With m = 2^62 / d rounded down,
    x' = x + m d and c = x' + r opened, x' is c - r, or c + 2^64 - r where the sum wrapped, which is
    linear in the top bit of r as in :func:`truncate`; both quotients of what is public are exact.
    Opens: the secrets under fresh masks, to all parties. Cost: 1 round, 8 bytes an element.
    """
    place = computation.place
    dealt = [computation.draw(Quotient(secret.shape, by)) for secret, by in divisions]
    masked = [
        each.masks[0].hide(plus(secret, (_OFFSET // by) * by, place))
        for each, (secret, by) in zip(dealt, divisions, strict=True)
    ]
    quotients = []
    for each, opened, (_, by) in zip(dealt, computation.open_masked(*masked), divisions,
                                     strict=True):  # fmt: skip
        divisor = np.uint64(by)
        whole, rest = divmod(1 << 64, by)
        high, top = each.derived
        plain = opened // divisor
        more = np.uint64(whole) + (opened + np.uint64(rest)) // divisor - plain
        share = top * (np.uint64(1) - (opened >> _TOP)) * more - high
        if place == 0:
            share += plain - np.uint64(_OFFSET // by)
        quotients.append(SharedWords(np.asarray(share)))
    return quotients
