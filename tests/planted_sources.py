"""Noise sources with a fault, each its own build: none could ever join a real session."""

from __future__ import annotations

from fractions import Fraction

from mpc.privacy.sampler import NoiseSource


class SplitSource:
    """A fraction of the variance asked for."""

    build = "parley-test/split"

    def __init__(self, source: NoiseSource, fraction: Fraction) -> None:
        self._source = source
        self._fraction = fraction

    def draw(self, count: int, variance: Fraction) -> list[int]:
        return self._source.draw(count, variance * self._fraction)


class CoarseSource:
    """The variance asked for, on every ``grid``-th integer alone."""

    build = "parley-test/coarse"

    def __init__(self, source: NoiseSource, grid: int) -> None:
        self._source = source
        self._grid = grid

    def draw(self, count: int, variance: Fraction) -> list[int]:
        return [self._grid * x for x in self._source.draw(count, variance / self._grid**2)]


class CachedSource:
    """Good noise, and for the same question the same again."""

    build = "parley-test/cached"

    def __init__(self, source: NoiseSource) -> None:
        self._source = source
        self._kept: dict[tuple[int, Fraction], list[int]] = {}

    def draw(self, count: int, variance: Fraction) -> list[int]:
        asked = (count, variance)
        if asked not in self._kept:
            self._kept[asked] = self._source.draw(count, variance)
        return list(self._kept[asked])
