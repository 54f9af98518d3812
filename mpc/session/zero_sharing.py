"""Masks that add up to nothing: every pair of parties shares a stream, one adds, one subtracts.

CrypTen's own uses the two ring neighbours only, so with four parties two of them know the mask of
the one between (SECURITY.md, H4). Over all pairs, a mask stays uniform to any n - 1 parties that
know everything of theirs, up to the sum that the others' masks make together.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mpc.errors import SecretMisuseError
from mpc.guarded import Guarded
from mpc.session.keys import KeySchedule
from mpc.units import PartyId

_PURPOSE = b"parley/zero/v1"
COUNT_MAX = 1 << 32


class ZeroSharing(Guarded):
    """This party's masks of one session. The coordinator is no party and knows no stream."""

    __slots__ = ("_keys", "_own", "_parties")

    def __init__(self, own: PartyId, parties: tuple[PartyId, ...], keys: KeySchedule) -> None:
        """``parties`` in roster order, this one among them, at least two."""
        if len(parties) < 2 or len(set(parties)) != len(parties) or own not in parties:
            raise SecretMisuseError("zero is shared among two or more parties, this one included")
        self._own = own
        self._parties = parties
        self._keys = keys

    def fresh(self, operation: bytes, count: int) -> NDArray[np.int64]:
        """This party's mask for ``operation``: ``count`` words that sum to 0 over all parties.

        Sum of streams with later parties minus sum of streams with earlier ones, modulo 2^64.
        A second mask for one operation raises SecretMisuseError: it would uncover a difference.
        Opens: nothing. Cost: 0 rounds, 0 bytes; n - 1 streams of 8 ``count`` bytes.
        """
        if not operation or not 0 < count <= COUNT_MAX:
            raise SecretMisuseError("a zero-sharing has an operation and 1 to 2^32 words")
        mask = np.zeros(count, dtype=np.uint64)
        before = True
        for party in self._parties:
            if party == self._own:
                before = False
            elif before:
                mask -= self._words(party, self._own, operation, count)
            else:
                mask += self._words(self._own, party, operation, count)
        return mask.view(np.int64)

    def _words(
        self, first: PartyId, second: PartyId, operation: bytes, count: int
    ) -> NDArray[np.uint64]:
        stream = self._keys.stream(_PURPOSE, first, second, operation)
        return stream.words(count).view(np.uint64)
