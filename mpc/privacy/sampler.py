"""Where a party's own noise comes from."""

from __future__ import annotations

from fractions import Fraction
from typing import Protocol

from mpc.ports import Randomness
from mpc.sampling import discrete_gaussian
from mpc.session.agreement import BUILD


class NoiseSource(Protocol):
    """In the product: :class:`DiscreteGaussian`, no other."""

    @property
    def build(self) -> str:
        """Says the mechanism in every Hello, so that builds that differ never talk."""
        ...

    def draw(self, count: int, variance: Fraction) -> list[int]:
        """``count`` independent integers of mean 0 and ``variance``."""
        ...


class DiscreteGaussian:
    """The exact sampler of :mod:`mpc.sampling`, over the randomness that it is given."""

    build = BUILD

    def __init__(self, randomness: Randomness) -> None:
        self._randomness = randomness

    def draw(self, count: int, variance: Fraction) -> list[int]:
        """As :func:`mpc.sampling.discrete_gaussian`."""
        return discrete_gaussian(self._randomness, count, variance)
