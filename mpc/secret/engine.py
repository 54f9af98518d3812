"""What a backend must do for the linear protocol: share, add noise to the own share, mask.

Implemented by :mod:`mpc.backend.crypten_engine` and by the small numpy
:mod:`mpc.secret.reference`; one contract test runs both.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from mpc.protocols.shares import SharedWords
from mpc.secret.sealed import (
    BoundedStatistic,
    DerivedStatistic,
    NoisedStatistic,
    PaidNoise,
    Releasable,
    SecretStatistic,
)

RingVector = NDArray[np.int64]
"""Elements of Z_2^64 as int64, one dimension, C order."""

Program = Callable[[SharedWords], SharedWords]
"""Computes on shares, with every party of the session at once, and opens masked values alone."""


class Engine(Protocol):
    """Additive sharing over Z_2^64 among the parties of one session. There is no ``reveal``."""

    def share_sum(self, local: BoundedStatistic) -> SecretStatistic:
        """This party's share of the sum of every party's ``local``.

        The own vector plus a zero-sharing over all pairs is already an additive share of the
        total. Opens: nothing. Cost: 0 rounds, 0 bytes.
        """
        ...

    def add_to_own_share(self, statistic: SecretStatistic, noise: PaidNoise) -> NoisedStatistic:
        """Add ``noise`` to the own share, in the ring. Called by :mod:`mpc.privacy.noise` alone,
        which alone makes noise: words drawn for ``statistic`` after its charge was spent.

        Opens: nothing. Cost: 0 rounds, 0 bytes.
        """
        ...

    def postprocess(self, noised: NoisedStatistic, program: Program) -> DerivedStatistic:
        """What ``program`` makes of the own share of ``noised``, a vector of ``noised.size`` words.

        Called by :mod:`mpc.privacy.derivation` alone. Opens and costs what the program does.
        """
        ...

    def masked_share(self, noised: Releasable, opening: bytes) -> RingVector:
        """The own share under a zero-sharing fresh for ``opening`` (16 bytes).

        Uniform by itself; only the sum over all parties means anything, and that is the noised
        result. Called by :mod:`mpc.release` alone. Opens: nothing yet. Cost: 0 rounds, 0 bytes.
        """
        ...
