"""Additive sharing in numpy alone: short enough to be checked by eye, the other engine's oracle."""

from __future__ import annotations

import hashlib
from typing import Protocol

import numpy as np

from mpc.errors import SecretMisuseError
from mpc.protocols.shares import SharedWords
from mpc.ring.words import add
from mpc.secret.engine import Program, RingVector
from mpc.secret.sealed import (
    BoundedStatistic,
    DerivedStatistic,
    NoisedStatistic,
    PaidNoise,
    Releasable,
    SecretStatistic,
)


class ZeroMasks(Protocol):
    """Shares of zero among all parties: :class:`mpc.session.zero_sharing.ZeroSharing`."""

    def fresh(self, operation: bytes, count: int) -> RingVector:
        """``count`` words, uniform alone, that sum to zero over the parties of ``operation``."""
        ...


class ReferenceEngine:
    """:class:`mpc.secret.engine.Engine` over int64 vectors. Shares are plain ring words."""

    def __init__(self, masks: ZeroMasks) -> None:
        self._masks = masks
        self._sums = 0

    def share_sum(self, local: BoundedStatistic) -> SecretStatistic:
        """The own words under a fresh share of zero. Opens: nothing. Cost: 0 rounds, 0 bytes."""
        step = f"parley/share-sum/{self._sums}".encode()
        self._sums += 1
        mask = self._masks.fresh(hashlib.sha256(step).digest()[:16], local.size)
        return SecretStatistic._create(local, add([local._words, mask]))

    def add_to_own_share(self, statistic: SecretStatistic, noise: PaidNoise) -> NoisedStatistic:
        """Sum in the ring. Opens: nothing. Cost: 0 rounds, 0 bytes."""
        share = add([_words(statistic._share), noise._words])
        return NoisedStatistic._create(statistic, noise, share)

    def postprocess(self, noised: NoisedStatistic, program: Program) -> DerivedStatistic:
        """The program on the own words. Opens and costs what the program does."""
        derived = program(SharedWords(_words(noised._share).view(np.uint64)))
        return DerivedStatistic._create(noised, derived, derived._words.view(np.int64))

    def masked_share(self, noised: Releasable, opening: bytes) -> RingVector:
        """The noised share under a fresh share of zero. Opens: nothing. Cost: 0 rounds, 0 bytes."""
        return add([_words(noised._share), self._masks.fresh(opening, noised.size)])


def _words(share: object) -> RingVector:
    if not isinstance(share, np.ndarray) or share.dtype != np.int64:
        raise SecretMisuseError("the share belongs to another engine")
    return share
