"""The engine of :mod:`mpc.secret.engine` on CrypTen's arithmetic shares.

Shares have scale 1 (precision 0): exact integers of Z_2^64, never truncated. CrypTen's state is
global, so a process holds one engine, for one session.
"""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
import torch

from mpc.backend.hardened import bind, harden
from mpc.dealing.supply import Supply
from mpc.errors import SecretMisuseError
from mpc.ports import Channel
from mpc.protocols.shares import SharedWords
from mpc.secret.engine import Program, RingVector
from mpc.secret.sealed import (
    BoundedStatistic,
    DerivedStatistic,
    NoisedStatistic,
    PaidNoise,
    Releasable,
    SecretStatistic,
)
from mpc.session.session import Session

_Shared: Any = harden().mpc.primitives.ArithmeticSharedTensor


class CryptenEngine:
    """:class:`mpc.secret.engine.Engine` of one party in ``session``, over ``channel``.

    ``supply`` is what products and comparisons of CrypTen's tensors take from the dealer; linear
    studies take nothing. Raises SecretMisuseError if this process has had a session before. Sends
    nothing by itself.
    """

    def __init__(self, session: Session, channel: Channel, supply: Supply | None = None) -> None:
        bind(session, channel, supply)
        self._masks = session.zero_sharing
        self._sums = 0

    def share_sum(self, local: BoundedStatistic) -> SecretStatistic:
        """The own words under a fresh share of zero. Opens: nothing. Cost: 0 rounds, 0 bytes."""
        step = f"parley/share-sum/{self._sums}".encode()
        self._sums += 1
        mask = self._masks.fresh(hashlib.sha256(step).digest()[:16], local.size)
        return SecretStatistic._create(local, _shared(local._words).add(_shared(mask)))

    def add_to_own_share(self, statistic: SecretStatistic, noise: PaidNoise) -> NoisedStatistic:
        """Sum in the ring. Opens: nothing. Cost: 0 rounds, 0 bytes."""
        share = _of_this_engine(statistic._share).add(_shared(noise._words))
        return NoisedStatistic._create(statistic, noise, share)

    def postprocess(self, noised: NoisedStatistic, program: Program) -> DerivedStatistic:
        """The program on the own words. Opens and costs what the program does."""
        words = _of_this_engine(noised._share).share.numpy()
        derived = program(SharedWords(words.astype(np.int64).view(np.uint64)))
        return DerivedStatistic._create(noised, derived, _shared(derived._words.view(np.int64)))

    def masked_share(self, noised: Releasable, opening: bytes) -> RingVector:
        """The noised share under a fresh share of zero. Opens: nothing. Cost: 0 rounds, 0 bytes."""
        mask = self._masks.fresh(opening, noised.size)
        masked = _of_this_engine(noised._share).add(_shared(mask))
        words: RingVector = masked.share.numpy().copy()
        return words


def _shared(words: RingVector) -> Any:
    return _Shared.from_shares(torch.from_numpy(np.array(words, np.int64)), precision=0)


def _of_this_engine(share: object) -> Any:
    if not isinstance(share, _Shared):
        raise SecretMisuseError("the share belongs to another engine")
    return share
