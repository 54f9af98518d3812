"""This party's own noise, on its own share, in the ring, before anything is sent.

Whatever the others do, this noise is in the result; t parties that pool what they know leave n - t
such noises, together the variance that the event promises.
"""

from __future__ import annotations

from fractions import Fraction

from mpc.accounting.event import NoiseEvent
from mpc.errors import SecretMisuseError
from mpc.privacy.charge import BudgetCharge
from mpc.privacy.sampler import NoiseSource
from mpc.ring.words import encode
from mpc.secret.engine import Engine
from mpc.secret.sealed import NoisedStatistic, OwnNoise, SecretStatistic


def draws_of(event: NoiseEvent) -> list[tuple[int, Fraction]]:
    """What each party draws for ``event``: how many samples of which variance, block by block."""
    return [(block.size, event.party_variance(block)) for block in event.blocks]


def add_noise(
    statistic: SecretStatistic, charge: BudgetCharge, source: NoiseSource, engine: Engine
) -> NoisedStatistic:
    """Spend ``charge`` and add one fresh sample a coordinate, of the variance that was priced.

    Shape: ``statistic.size`` ring words in, as many out. Opens: nothing. Cost: 0 rounds, 0 bytes,
    about 20 microseconds a coordinate. Raises SecretMisuseError if the charge was spent or is for
    another statistic. Source: Kairouz, Liu and Steinke 2021, section 4: V*/(n - t) a party.
    """
    event = charge.spend_on(statistic)
    drawn: list[int] = []
    for count, variance in draws_of(event):
        samples = source.draw(count, variance)
        if len(samples) != count:
            raise SecretMisuseError("a noise source drew another number of samples than asked")
        drawn.extend(samples)
    noise = OwnNoise._create(statistic, encode(drawn), charge.run)
    return engine.add_to_own_share(statistic, noise)
