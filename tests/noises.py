"""Every noise of the product as one parameter of the audits, and what a coalition has left of it.

An audit takes a member of :data:`NOISES`; whoever adds a noise adds it there, and it is audited.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from typing import Protocol

import numpy as np
from joint_release import WatchedSource, gaussian_sources, release, residuals
from numpy.typing import NDArray
from seeded_randomness import SeededRandomness

from mpc.accounting.event import NoiseBlock, NoiseEvent
from mpc.ports import Ledger
from mpc.privacy.sampler import DiscreteGaussian, NoiseSource
from mpc.units import sha256_hex

COORDINATES = 20_000
SMALL = Fraction(10**12, 2 * 24_355_970_359)
"""V* of one count at (1, 1e-6): 20.53."""
LARGE = SMALL * 4**16
"""The same for a sum whose values reach 2^16."""

Plant = Mapping[int, NoiseSource]


@dataclass(frozen=True)
class Trial:
    """One release, its truth, and what each party knows of the noise."""

    event: NoiseEvent
    totals: Sequence[int]
    truth: Sequence[int]
    sources: Sequence[WatchedSource]

    def residuals(self, coalition: Sequence[int]) -> NDArray[np.float64]:
        """What is left to protect the data when ``coalition`` takes away what it knows."""
        return residuals(self.totals, self.truth, self.sources, coalition)


class Noise(Protocol):
    """One way in which a release gets its noise."""

    @property
    def name(self) -> str: ...

    def event(self, blocks: tuple[NoiseBlock, ...], parties: int, coalition: int) -> NoiseEvent:
        """What is priced."""
        ...

    def release(
        self,
        event: NoiseEvent,
        sums: Sequence[Sequence[int]],
        seed: str,
        plant: Plant,
        ledgers: Sequence[Ledger] | None = None,
    ) -> Trial:
        """A release of the parties' ``sums``; ``plant`` replaces sources of some of them.

        ``ledgers`` are charged for a run named by ``seed``; without any it is paid for.
        """
        ...

    def left(self, event: NoiseEvent, block: NoiseBlock, pooled: int) -> tuple[Fraction, ...]:
        """Variances of the independent discrete Gaussians that ``pooled`` parties do not know."""
        ...


class OwnNoise:
    """Every party adds V*/(n - t) of its own."""

    name = "own"

    def event(self, blocks: tuple[NoiseBlock, ...], parties: int, coalition: int) -> NoiseEvent:
        return NoiseEvent(blocks, parties, coalition)

    def release(
        self,
        event: NoiseEvent,
        sums: Sequence[Sequence[int]],
        seed: str,
        plant: Plant,
        ledgers: Sequence[Ledger] | None = None,
    ) -> Trial:
        sources = gaussian_sources(event.parties, SeededRandomness(f"noise {seed}"))
        for party, source in plant.items():
            sources[party] = WatchedSource(source)
        run = sha256_hex(seed.encode())
        totals, _ = release(event, sums, sources, SeededRandomness(f"keys {seed}"), ledgers, run)
        return Trial(event, totals, [sum(column) for column in zip(*sums, strict=True)], sources)

    def left(self, event: NoiseEvent, block: NoiseBlock, pooled: int) -> tuple[Fraction, ...]:
        return (event.party_variance(block),) * (event.parties - pooled)


NOISES: tuple[Noise, ...] = (OwnNoise(),)
OWN = NOISES[0]
COALITIONS = [(n, t) for n in (2, 3, 5) for t in range(1, n)]
"""Parties, and how many of them the noise is made to withstand."""


def audited(
    noise: Noise,
    parties: int,
    coalition: int,
    variance: Fraction = SMALL,
    *,
    contribution: int = 0,
    plant: Plant | None = None,
    coordinates: int = COORDINATES,
    seed: str = "",
) -> Trial:
    """``coordinates`` equal sums, in each of which party 0's person adds ``contribution``."""
    event = noise.event((NoiseBlock(coordinates, 1, variance),), parties, coalition)
    sums = [[1000 * own] * coordinates for own in range(parties)]
    sums[0] = [contribution] * coordinates
    said = f"{noise.name} {parties} {coalition} {variance} {contribution} {seed}"
    return noise.release(event, sums, said, plant or {})


@cache
def honest_trial(noise: Noise, parties: int, coalition: int, variance: Fraction) -> Trial:
    """The one that several audits look at."""
    return audited(noise, parties, coalition, variance)


def gaussian_source(seed: str) -> DiscreteGaussian:
    """The product's sampler on seeded bytes."""
    return DiscreteGaussian(SeededRandomness(seed))
