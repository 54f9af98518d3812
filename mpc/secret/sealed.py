"""Sealed values: what a party holds between its own rows and the release.

One type a stage, no flags: only the stage's own function makes the next type, so a result without
noise cannot be opened by accident. A type checker refuses misuse, and so does the running program.

    BoundedStatistic   own sums, by ``of``                 → Engine.share_sum
    SecretStatistic    share of the total, by the engine   → mpc.privacy.noise.add_noise
    SharedNoise        share of noise that all made        → mpc.privacy.noise.add_noise
    PaidNoise          by add_noise, for a spent charge    → Engine.add_to_own_share
    NoisedStatistic    share of the noised total           → mpc.release.open_noised, or
                                                             mpc.privacy.derivation.derive_released
    DerivedStatistic   share of what is computed of that   → mpc.release.open_noised

Private attributes are for ``mpc.secret``, ``mpc.backend``, ``mpc.privacy.noise`` and
``mpc.release`` alone; a test walks the code. Python cannot stop intent, only accidents.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import final

import numpy as np
from numpy.typing import NDArray

from mpc.accounting.event import NoiseEvent
from mpc.errors import SecretMisuseError
from mpc.protocols.shares import SharedWords
from mpc.ring.words import RANGE_MAX, encode
from mpc.secret.seal import Sealed
from mpc.units import RunId


@final
class BoundedStatistic(Sealed):
    """This party's own sums as exact ring words, with the event that will noise their total."""

    __slots__ = ("_words",)
    _words: NDArray[np.int64]

    @classmethod
    def of(cls, values: Sequence[int], event: NoiseEvent) -> BoundedStatistic:
        """Seal ``values``, one integer in (-2^62, 2^62) a coordinate of ``event``.

        Raises SecretMisuseError, with no value in it, on any other type, size or range.
        """
        if len(values) != event.size:
            raise SecretMisuseError(f"{len(values)} sums where the event has {event.size}")
        if not all(type(value) is int for value in values):
            raise SecretMisuseError("sums are exact Python integers")
        if not all(-RANGE_MAX < value < RANGE_MAX for value in values):
            raise SecretMisuseError("a sum leaves (-2^62, 2^62), which the plan rules out")
        return cls._minted(_event=event, _words=encode(values))


@final
class SecretStatistic(Sealed):
    """This party's additive share of the exact total. It can be noised, and never opened."""

    __slots__ = ("_share",)
    _share: object  # the engine's own representation

    @classmethod
    def _create(cls, local: BoundedStatistic, share: object) -> SecretStatistic:
        """For engines: ``share`` of the total of every party's ``local``, under its event."""
        return cls._minted(_event=local.event, _share=share)


@final
class SharedNoise(Sealed):
    """This party's share of the noise that a dealer dealt or all sampled, for one event. Used once.

    Zero for blocks whose noise is every party's own.
    """

    __slots__ = ("_unused", "_words")
    _unused: list[None]
    _words: NDArray[np.int64]

    @classmethod
    def _create(cls, event: NoiseEvent, words: SharedWords) -> SharedNoise:
        """For :mod:`mpc.privacy.noise` alone: ``words`` were made for all coordinates of
        ``event``."""
        if words.shape != (event.size,):
            raise SecretMisuseError("shared noise is a word for each coordinate of its event")
        return cls._minted(_event=event, _unused=[None], _words=words._words.view(np.int64))

    def _spent(self, event: NoiseEvent) -> NDArray[np.int64]:
        """The words, once, for a statistic of the very ``event`` they were made for."""
        if event != self._event:
            raise SecretMisuseError("noise was made for another event")
        try:
            self._unused.pop()  # atomic
        except IndexError:
            raise SecretMisuseError("noise is used once") from None
        return self._words


@final
class PaidNoise(Sealed):
    """This party's noise for one statistic: its own, and its share of what all made. Used once.

    Made for a spent charge.
    """

    __slots__ = ("_run", "_statistic", "_unused", "_words")
    _run: RunId
    _statistic: SecretStatistic
    _unused: list[None]
    _words: NDArray[np.int64]

    @classmethod
    def _create(cls, statistic: SecretStatistic, words: NDArray[np.int64], run: RunId) -> PaidNoise:
        """For :mod:`mpc.privacy.noise` alone, once the charge of ``run`` is spent."""
        if words.shape != (statistic.size,) or words.dtype != np.int64:
            raise SecretMisuseError(f"noise for {statistic!r} is that many ring words")
        return cls._minted(
            _event=statistic.event, _run=run, _statistic=statistic, _unused=[None], _words=words
        )


@final
class NoisedStatistic(Sealed):
    """This party's share of the noised total. :mod:`mpc.release` alone opens it."""

    __slots__ = ("_run", "_share")
    _run: RunId
    _share: object

    @classmethod
    def _create(
        cls, statistic: SecretStatistic, noise: PaidNoise, share: object
    ) -> NoisedStatistic:
        """For engines: ``share`` of ``statistic`` plus ``noise``. Raises on noise not its own."""
        if noise._statistic is not statistic:
            raise SecretMisuseError("noise was drawn for another statistic")
        try:
            noise._unused.pop()  # atomic: noise used twice would cancel in a difference
        except IndexError:
            raise SecretMisuseError("noise is used once") from None
        return cls._minted(_event=statistic.event, _run=noise._run, _share=share)

    @property
    def run(self) -> RunId:
        """The run whose charge paid for the noise; only its outbox may hold the opening."""
        return self._run


@final
class DerivedStatistic(Sealed):
    """This party's share of integers that were computed of a noised total while it was shared.

    Whatever is computed of it, and of nothing else, costs no more privacy than the noised total
    (post-processing: Bun and Steinke 2016, Lemma 2.3). :mod:`mpc.release` alone opens it.
    """

    __slots__ = ("_count", "_run", "_share")
    _count: int
    _run: RunId
    _share: object

    @classmethod
    def _create(
        cls, noised: NoisedStatistic, derived: SharedWords, share: object
    ) -> DerivedStatistic:
        """For engines: ``share`` is the engine's own form of ``derived``, a vector."""
        if len(derived.shape) != 1:
            raise SecretMisuseError("what is derived is a vector")
        return cls._minted(_event=noised.event, _count=derived.size, _run=noised._run, _share=share)

    @property
    def size(self) -> int:
        """Integers held: not as many as the event noised."""
        return self._count

    @property
    def run(self) -> RunId:
        """The run whose charge paid for the noise."""
        return self._run


Releasable = NoisedStatistic | DerivedStatistic
"""What may be opened."""
