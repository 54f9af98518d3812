"""Noise, on this party's share, in the ring, before anything of the statistic is sent.

Own noise is in the result whatever the others do; t parties that pool what they know leave n - t
such noises, together the variance that the event promises. Dealt and joint noise is made first, by
all together, when no row has been read (:func:`make_shared_noise`); it rests on a dealer too.
"""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from mpc.accounting.event import NoiseEvent
from mpc.errors import ContractError, SecretMisuseError
from mpc.plan.programs import has_shared_noise, make_noise
from mpc.ports import Randomness
from mpc.privacy.charge import BudgetCharge
from mpc.privacy.sampler import NoiseSource
from mpc.protocols.opening import Computation
from mpc.protocols.shares import SharedWords
from mpc.ring.words import WORD_BYTES, add, encode
from mpc.secret.engine import Engine
from mpc.secret.sealed import NoisedStatistic, PaidNoise, SecretStatistic, SharedNoise


def make_shared_noise(
    event: NoiseEvent, randomness: Randomness, computation: Computation | None
) -> SharedNoise | None:
    """This party's share of all dealt and joint noise of ``event``; None if it has none.

    ``randomness`` makes this party's part of the bits of joint noise. Opens: masked values alone,
    to all parties. Cost: that of :func:`mpc.plan.programs.make_noise`. Raises ContractError without
    a computation to make it in, and what the channel raises.
    """
    if not has_shared_noise(event):
        return None
    if computation is None:
        raise ContractError(
            "the plan's noise is made by all together, and nothing was dealt for it"
        )

    def uniform(count: int) -> SharedWords:
        words = np.frombuffer(randomness.random_bytes(count * WORD_BYTES), "<u8")
        return SharedWords(words.astype(np.uint64))

    return SharedNoise._create(event, make_noise(computation, event, uniform))


def draws_of(event: NoiseEvent) -> list[tuple[int, Fraction]]:
    """What each party draws for ``event``: how many samples of which variance, block by block but
    for those of joint noise."""
    each = [(block.size, event.party_variance(block)) for block in event.blocks]
    return [(count, variance) for count, variance in each if variance]


def add_noise(
    statistic: SecretStatistic,
    charge: BudgetCharge,
    source: NoiseSource,
    engine: Engine,
    shared: SharedNoise | None = None,
) -> NoisedStatistic:
    """Spend ``charge`` and add one fresh sample a coordinate, of the variance that was priced.

    ``shared``: what :func:`make_shared_noise` gave for the same event. Shape: ``statistic.size``
    ring words in, as many out. Opens: nothing. Cost: 0 rounds, 0 bytes, about 20 microseconds a
    coordinate. Raises SecretMisuseError if the charge was spent or is for another statistic, or if
    the event has shared noise and there is none, or another. Source: Kairouz, Liu and Steinke 2021,
    section 4: V*/(n - t) a party.
    """
    event = charge.spend_on(statistic)
    drawn: list[int] = []
    for block in event.blocks:
        variance = event.party_variance(block)
        samples = source.draw(block.size, variance) if variance else [0] * block.size
        if len(samples) != block.size:
            raise SecretMisuseError("a noise source drew another number of samples than asked")
        drawn.extend(samples)
    words = encode(drawn)
    if has_shared_noise(event):
        if shared is None:
            raise SecretMisuseError("noise that all make together is missing")
        words = add([words, shared._spent(event)])
    noise = PaidNoise._create(statistic, words, charge.run)
    return engine.add_to_own_share(statistic, noise)
