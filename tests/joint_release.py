"""All parties of one linear release in this process: real keys, ledger, noise and door.

The parties differ from the product's only in where they run, and in a noise source that a test may
watch or replace.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import numpy as np

from mpc.accounting.event import NoiseEvent
from mpc.ports import ChargeTerms, Ledger, Randomness
from mpc.privacy.budget import Budget
from mpc.privacy.noise import add_noise
from mpc.privacy.sampler import DiscreteGaussian, NoiseSource
from mpc.release import open_noised
from mpc.ring.words import add, decode, from_bytes
from mpc.secret.reference import ReferenceEngine
from mpc.secret.sealed import BoundedStatistic, SharedNoise
from mpc.session.keys import EphemeralKey, KeySchedule
from mpc.session.zero_sharing import ZeroSharing
from mpc.testing.ledger import MemoryLedger
from mpc.units import (
    Adjacency,
    DeltaAtto,
    PartyId,
    PlanDigest,
    ProtectedUnit,
    RhoPico,
    RunId,
    SessionId,
)

ROW = ProtectedUnit(1, Adjacency.ADD_OR_REMOVE_ONE)
OPENING = b"one opening only"


def party_names(count: int) -> tuple[PartyId, ...]:
    return tuple(PartyId(f"party-{number}") for number in range(count))


def zero_masks(count: int, randomness: Randomness, session: bytes = bytes(32)) -> list[ZeroSharing]:
    """One party's masks each, under real key agreement."""
    names = party_names(count)
    keys = {name: EphemeralKey(randomness) for name in names}
    publics = {name: key.public for name, key in keys.items()}
    return [
        ZeroSharing(
            name,
            names,
            KeySchedule(
                name,
                SessionId(session),
                keys[name],
                {peer: public for peer, public in publics.items() if peer != name},
            ),
        )
        for name in names
    ]


def terms(run: str = "0" * 64, *, unit: ProtectedUnit = ROW, expires: int = 2**40) -> ChargeTerms:
    return ChargeTerms(
        run=RunId(run),
        domain="members",
        plan_digest=PlanDigest("1" * 64),
        study="visits",
        partner="University",
        coordinator=PartyId("office"),
        lead="Joan Example",
        lead_organization="Institute",
        purpose="research",
        approved_by="policy",
        unit=unit,
        expires_unix_s=expires,
    )


def funded_ledger(rho_cap: int = 10**15) -> MemoryLedger:
    ledger = MemoryLedger()
    ledger.create_domain("members", ROW, RhoPico(rho_cap), DeltaAtto(10**12))
    return ledger


class WatchedSource:
    """A noise source that remembers what it drew: a party that joins a coalition tells it."""

    def __init__(self, source: NoiseSource) -> None:
        self.source = source
        self.drawn: list[int] = []

    @property
    def build(self) -> str:
        return self.source.build

    def draw(self, count: int, variance: Fraction) -> list[int]:
        samples = self.source.draw(count, variance)
        self.drawn.extend(samples)
        return samples


class SilentSource:
    """No noise at all. Its own build name, so that it could never join a real session."""

    build = "parley-test/no-noise"

    def draw(self, count: int, variance: Fraction) -> list[int]:
        return [0] * count


class FaintSource:
    """A planted fault: a fraction of the standard deviation asked for."""

    build = "parley-test/faint"

    def __init__(self, source: NoiseSource, factor: Fraction) -> None:
        self._source = source
        self._factor = factor

    def draw(self, count: int, variance: Fraction) -> list[int]:
        return self._source.draw(count, variance * self._factor**2)


def release(
    event: NoiseEvent,
    sums: Sequence[Sequence[int]],
    sources: Sequence[NoiseSource],
    randomness: Randomness,
    ledgers: Sequence[Ledger] | None = None,
    run: str = "0" * 64,
    shared: Sequence[SharedNoise | None] | None = None,
) -> tuple[list[int], list[bytes]]:
    """The opened totals of all parties' ``sums``, and each party's message.

    ``run`` is charged in ``ledgers``, or in fresh ones. Raises BudgetRefusal if one refuses.
    ``shared``: each party's share of the noise that all made together.
    """
    messages = []
    masks = zero_masks(event.parties, randomness)
    ledgers = ledgers or [funded_ledger() for _ in sums]
    shared = shared or [None] * len(sums)
    for own, source, mask, ledger, made in zip(sums, sources, masks, ledgers, shared, strict=True):
        engine = ReferenceEngine(mask)
        secret = engine.share_sum(BoundedStatistic.of(own, event))
        charge = Budget(ledger).charge(secret, terms(run))
        noised = add_noise(secret, charge, source, engine, made)
        messages.append(open_noised(noised, engine, ledger, OPENING, bytes))
    totals = decode(add([from_bytes(message) for message in messages]))
    return totals, messages


def gaussian_sources(count: int, randomness: Randomness) -> list[WatchedSource]:
    return [WatchedSource(DiscreteGaussian(randomness)) for _ in range(count)]


def residuals(
    totals: Sequence[int],
    truth: Sequence[int],
    sources: Sequence[WatchedSource],
    coalition: Sequence[int],
) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """What is left to protect the data when ``coalition`` takes its own noise away."""
    left = [total - true for total, true in zip(totals, truth, strict=True)]
    for member in coalition:
        left = [rest - own for rest, own in zip(left, sources[member].drawn, strict=True)]
    return np.array([float(rest) for rest in left])
