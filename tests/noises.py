"""Every noise of the product as one parameter of the audits, and what a coalition has left of it.

An audit takes a member of :data:`NOISES`; whoever adds a noise adds it there, and it is audited.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cache
from typing import TypeVar

import numpy as np
import pytest
from joint_release import WatchedSource, gaussian_sources, release, residuals
from kernel_parties import NAMES, run_ends
from numpy.typing import NDArray
from seeded_randomness import SeededRandomness

from mpc.accounting.event import Noise, NoiseBlock, NoiseEvent, price
from mpc.accounting.joint import JOINT_VARIANCE_MAX
from mpc.errors import PlanRefusal
from mpc.plan.programs import has_shared_noise
from mpc.ports import Ledger, Randomness
from mpc.privacy.noise import make_shared_noise
from mpc.privacy.sampler import DiscreteGaussian, NoiseSource
from mpc.protocols.opening import Computation
from mpc.secret.sealed import SharedNoise
from mpc.units import sha256_hex

COORDINATES = 20_000
SMALL = Fraction(10**12, 2 * 24_355_970_359)
"""V* of one count at (1, 1e-6): 20.53."""
LARGE = SMALL * 4**16
"""The same for a sum whose values reach 2^16."""

Plant = Mapping[int, NoiseSource]
Made = TypeVar("Made")


@dataclass(frozen=True)
class Trial:
    """One release, its truth, and what each party knows of the noise."""

    event: NoiseEvent
    totals: Sequence[int]
    truth: Sequence[int]
    sources: Sequence[WatchedSource]

    def residuals(self, coalition: Sequence[int]) -> NDArray[np.float64]:
        """What is left to protect the data when ``coalition`` takes away what it drew."""
        drawn = [member for member in coalition if self.sources[member].drawn]
        return residuals(self.totals, self.truth, self.sources, drawn)


class AuditedNoise:
    """One of the product's noises, at the widest scale that it is made for."""

    def __init__(self, kind: Noise) -> None:
        self.kind = kind
        self.wide = Fraction(JOINT_VARIANCE_MAX) if kind is Noise.JOINT else LARGE

    @property
    def name(self) -> str:
        return self.kind.value

    def event(self, blocks: tuple[NoiseBlock, ...], parties: int, coalition: int) -> NoiseEvent:
        """What is priced."""
        own = tuple(replace(block, noise=self.kind) for block in blocks)
        return NoiseEvent(own, parties, coalition)

    def release(
        self,
        event: NoiseEvent,
        sums: Sequence[Sequence[int]],
        seed: str,
        plant: Plant,
        ledgers: Sequence[Ledger] | None = None,
        dealer: NoiseSource | None = None,
        words: Callable[[int], Randomness] | None = None,
    ) -> Trial:
        """A release of the parties' ``sums``.

        ``plant`` replaces sources of some parties, ``dealer`` what the dealer samples from, and
        ``words`` what a party's part of joint bits is. ``ledgers`` are charged for a run named by
        ``seed``; without any it is paid for.
        """
        sources = gaussian_sources(event.parties, SeededRandomness(f"noise {seed}"))
        for party, source in plant.items():
            sources[party] = WatchedSource(source)
        shared = shared_noise(event, seed, dealer or gaussian_source(f"dealer {seed}"), words)
        totals, _ = release(
            event,
            sums,
            sources,
            SeededRandomness(f"keys {seed}"),
            ledgers,
            sha256_hex(seed.encode()),
            shared,
        )
        return Trial(event, totals, [sum(column) for column in zip(*sums, strict=True)], sources)

    def left(self, event: NoiseEvent, block: NoiseBlock, pooled: int) -> tuple[Fraction, ...]:
        """Variances of the independent discrete Gaussians that ``pooled`` parties do not know."""
        return event.remaining(block, pooled)


def shared_noise(
    event: NoiseEvent,
    seed: str,
    dealer: NoiseSource,
    words: Callable[[int], Randomness] | None = None,
) -> list[SharedNoise | None]:
    """Each party's share of the dealt and joint noise of ``event``, made by the kernel."""
    if not has_shared_noise(event):
        return [None] * event.parties

    def uniform(place: int) -> Randomness:
        return SeededRandomness(f"bits {seed} {place}")

    def program(computation: Computation) -> SharedNoise | None:
        return make_shared_noise(event, (words or uniform)(computation.place), computation)

    ends, *_ = run_ends(program, parties=event.parties, seed=seed, sampler=dealer.draw)
    return [ends.all()[name] for name in NAMES[: event.parties]]


NOISES = tuple(AuditedNoise(kind) for kind in Noise)
OWN, DEALT, JOINT = NOISES
COALITIONS = [(n, t) for n in (2, 3, 5) for t in range(1, n)]
"""Parties, and how many of them the noise is made to withstand."""


def audited(
    noise: AuditedNoise,
    parties: int,
    coalition: int,
    variance: Fraction = SMALL,
    *,
    contribution: int = 0,
    plant: Plant | None = None,
    coordinates: int = COORDINATES,
    seed: str = "",
    dealer: NoiseSource | None = None,
    words: Callable[[int], Randomness] | None = None,
) -> Trial:
    """``coordinates`` equal sums, in each of which party 0's person adds ``contribution``."""
    event = noise.event((NoiseBlock(coordinates, 1, variance),), parties, coalition)
    sums = [[1000 * own] * coordinates for own in range(parties)]
    sums[0] = [contribution] * coordinates
    said = f"{noise.name} {parties} {coalition} {variance} {contribution} {seed}"
    return noise.release(event, sums, said, plant or {}, dealer=dealer, words=words)


def made_of_many(
    noise: AuditedNoise, parties: int, coalition: int, make: Callable[[int], Made]
) -> Made | None:
    """What ``make`` gives of ten times the coordinates; None where that is refused, as it must be.

    Noises that are too narrow to add up on so many coordinates have no price and are never made.
    """
    many = 10 * COORDINATES
    try:
        price(noise.event((NoiseBlock(many, 1, SMALL),), parties, coalition))
    except PlanRefusal:
        with pytest.raises(PlanRefusal, match="too narrow"):
            make(many)
        return None
    return make(many)


@cache
def honest_trial(noise: AuditedNoise, parties: int, coalition: int, variance: Fraction) -> Trial:
    """The one that several audits look at."""
    return audited(noise, parties, coalition, variance)


def gaussian_source(seed: str) -> DiscreteGaussian:
    """The product's sampler on seeded bytes."""
    return DiscreteGaussian(SeededRandomness(seed))
