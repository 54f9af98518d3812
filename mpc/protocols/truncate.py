"""Division by a power of two, exact to one unit in the last place, for any number of parties.

CrypTen divides shares one by one, which is wrong by 2^64 / 2^f with probability |x| / 2^62; here
the wrap of the masked value is a linear function of one dealt bit (SECURITY.md, H8).
"""

from __future__ import annotations

import numpy as np

from mpc.dealing.arithmetic import Truncation
from mpc.protocols.opening import Computation
from mpc.protocols.shares import SharedWords, plus

_OFFSET = 1 << 62
_TOP = np.uint64(63)


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
