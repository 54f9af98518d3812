"""Noise that is drawn beforehand is given out once, as it was asked for, and never anew."""

from __future__ import annotations

from fractions import Fraction

import pytest
from joint_release import SilentSource, WatchedSource
from seeded_randomness import SeededRandomness

from mpc.accounting.event import NoiseBlock, NoiseEvent
from mpc.errors import SecretMisuseError
from mpc.privacy.drawn import DrawnNoise
from mpc.privacy.noise import draws_of
from mpc.privacy.sampler import DiscreteGaussian

EVENT = NoiseEvent((NoiseBlock(2, 1, Fraction(50)), NoiseBlock(3, 400, Fraction(9000))), 3, 1)


def watched() -> WatchedSource:
    return WatchedSource(DiscreteGaussian(SeededRandomness("drawn")))


def test_all_of_an_event_is_drawn_when_it_is_made_and_given_out_in_its_order() -> None:
    source = watched()
    drawn = DrawnNoise(EVENT, source)
    before = list(source.drawn)
    assert len(before) == EVENT.size
    given = [x for count, variance in draws_of(EVENT) for x in drawn.draw(count, variance)]
    assert given == before == source.drawn


def test_what_was_given_out_is_not_given_out_again() -> None:
    source = watched()
    drawn = DrawnNoise(EVENT, source)
    for count, variance in draws_of(EVENT):
        drawn.draw(count, variance)
    with pytest.raises(SecretMisuseError, match="used up"):
        drawn.draw(2, Fraction(25))
    assert len(source.drawn) == EVENT.size


@pytest.mark.parametrize(("count", "variance"), [(3, 25), (2, 50), (3, 4500), (0, 25)])
def test_noise_of_another_scale_or_size_is_refused_and_nothing_is_lost(
    count: int, variance: int
) -> None:
    source = watched()
    drawn = DrawnNoise(EVENT, source)
    with pytest.raises(SecretMisuseError, match="not drawn"):
        drawn.draw(count, Fraction(variance))
    assert drawn.draw(2, Fraction(25)) == source.drawn[:2]


def test_its_build_is_that_of_the_source() -> None:
    assert DrawnNoise(EVENT, watched()).build == DiscreteGaussian.build
    assert DrawnNoise(EVENT, SilentSource()).build == SilentSource.build


def test_its_text_shows_no_noise() -> None:
    source = watched()
    text = repr(DrawnNoise(EVENT, source))
    assert not any(str(x) in text.split("object at")[0] for x in source.drawn)
