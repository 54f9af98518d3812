"""A secret shuffle: every party in turn permutes the shared rows by a sequence that only it knows.

No party knows the whole, as long as one keeps its own part; the dealer knows it, and sees none of
the rows. Each move is one message to the mover (Chase, Ghosh, Poburinnaya, ASIACRYPT 2020, with
the permutation dealt).
"""

from __future__ import annotations

import numpy as np

from mpc.dealing.permutation import Permutation
from mpc.protocols.opening import Computation
from mpc.protocols.shares import SharedWords
from mpc.ring.planes import Ring


def shuffle(computation: Computation, table: SharedWords) -> SharedWords:
    """The rows of a (rows, columns) secret in a uniform sequence that nobody knows.

    Opens: the rows under fresh masks, to one party at a time. Cost: 1 round a party; each sends
    8 bytes an entry to every other one.
    """
    for place in range(computation.parties):
        table = _moved(computation, table, place)
    return table


def _moved(computation: Computation, table: SharedWords, place: int) -> SharedWords:
    """One party's move: it sees table + a, permutes that, and takes off its share of permuted a."""
    rows, columns = table.shape
    dealt = computation.draw(Permutation(place, rows, columns))
    (mask,) = dealt.masks
    opened = computation.open_masked_to(place, mask.hide(table))
    share: Ring = np.uint64(0) - dealt.derived[0]
    if opened is not None and dealt.order is not None:
        share += opened[dealt.order.astype(np.intp)]
    return SharedWords(share)
