"""The one door: what leaves is masked, committed first, and the same bytes for ever."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

import numpy as np
import pytest
from joint_release import (
    OPENING,
    SilentSource,
    funded_ledger,
    gaussian_sources,
    release,
    residuals,
    terms,
    zero_masks,
)
from seeded_randomness import SeededRandomness

from mpc.accounting.event import NoiseBlock, NoiseEvent
from mpc.errors import LedgerError, SecretMisuseError
from mpc.ports import ChargeState
from mpc.privacy.budget import Budget
from mpc.privacy.noise import add_noise
from mpc.release import open_noised
from mpc.ring.words import from_bytes
from mpc.secret.engine import RingVector
from mpc.secret.reference import ReferenceEngine
from mpc.secret.sealed import BoundedStatistic, NoisedStatistic
from mpc.testing.ledger import MemoryLedger
from mpc.units import RunId

EVENT = NoiseEvent((NoiseBlock(3, 1, Fraction(50)),), 3, 2)
RUN = terms().run


def noised(engine: ReferenceEngine, ledger: MemoryLedger) -> NoisedStatistic:
    statistic = engine.share_sum(BoundedStatistic.of([4, 5, 6], EVENT))
    charge = Budget(ledger).charge(statistic, terms())
    return add_noise(statistic, charge, SilentSource(), engine)


def engine() -> ReferenceEngine:
    return ReferenceEngine(zero_masks(3, SeededRandomness(5))[0])


def test_the_message_is_in_the_outbox_when_it_is_returned() -> None:
    with_engine, ledger = engine(), funded_ledger()
    message = open_noised(
        noised(with_engine, ledger), with_engine, ledger, OPENING, lambda m: b"signed" + m
    )
    assert ledger.state(RUN) is ChargeState.COMMITTED
    assert ledger.outbox(RUN) == message
    assert message.startswith(b"signed")
    assert len(message) == 6 + 8 * EVENT.size


def test_a_second_opening_is_refused_and_the_outbox_is_unchanged() -> None:
    with_engine, ledger = engine(), funded_ledger()
    statistic = noised(with_engine, ledger)
    message = open_noised(statistic, with_engine, ledger, OPENING, bytes)
    with pytest.raises(LedgerError, match="not reserved"):
        open_noised(statistic, with_engine, ledger, b"another opening.", bytes)
    assert ledger.outbox(RUN) == message


def test_a_released_reservation_opens_nothing() -> None:
    with_engine, ledger = engine(), funded_ledger()
    statistic = noised(with_engine, ledger)
    assert ledger.release(RUN)
    with pytest.raises(LedgerError):
        open_noised(statistic, with_engine, ledger, OPENING, bytes)
    assert ledger.outbox(RUN) is None
    assert ledger.state(RUN) is ChargeState.RELEASED


def test_a_failed_signature_leaves_the_charge_reserved_and_no_message() -> None:
    def fail(_masked: bytes) -> bytes:
        raise ValueError("no key")

    with_engine, ledger = engine(), funded_ledger()
    statistic = noised(with_engine, ledger)
    with pytest.raises(ValueError, match="no key"):
        open_noised(statistic, with_engine, ledger, OPENING, fail)
    assert ledger.state(RUN) is ChargeState.RESERVED
    assert ledger.outbox(RUN) is None


@pytest.mark.parametrize("opening", [b"", b"short", bytes(17)])
def test_an_opening_has_its_name(opening: bytes) -> None:
    with_engine, ledger = engine(), funded_ledger()
    statistic = noised(with_engine, ledger)
    with pytest.raises(SecretMisuseError, match="opening"):
        open_noised(statistic, with_engine, ledger, opening, bytes)
    assert ledger.state(RUN) is ChargeState.RESERVED


@pytest.mark.parametrize(
    "change", [lambda words: words[:2], lambda words: words.astype(float)], ids=["short", "float"]
)
def test_an_engine_that_masks_something_else_is_refused(
    change: Callable[[RingVector], RingVector],
) -> None:
    class WrongEngine(ReferenceEngine):
        def masked_share(self, noised: NoisedStatistic, opening: bytes) -> RingVector:
            return change(super().masked_share(noised, opening))

    with_engine = WrongEngine(zero_masks(3, SeededRandomness(5))[0])
    ledger = funded_ledger()
    statistic = noised(with_engine, ledger)
    with pytest.raises(SecretMisuseError, match="another vector"):
        open_noised(statistic, with_engine, ledger, OPENING, bytes)
    assert ledger.outbox(RUN) is None


@pytest.mark.parametrize("parties", [2, 3, 5, 16])
def test_totals_without_noise_are_exact(parties: int) -> None:
    event = NoiseEvent((NoiseBlock(4, 1, Fraction(50)),), parties, parties - 1)
    sums = [[own, -own, 2**58 // (own + 1), 0] for own in range(parties)]
    totals, _ = release(event, sums, [SilentSource()] * parties, SeededRandomness(6))
    assert totals == [sum(column) for column in zip(*sums, strict=True)]


def test_the_noise_of_every_party_is_in_the_total_exactly() -> None:
    event = NoiseEvent((NoiseBlock(50, 1, Fraction(2) ** 70),), 3, 2)
    sources = gaussian_sources(3, SeededRandomness(7))
    totals, _ = release(event, [[9] * 50] * 3, sources, SeededRandomness(8))
    left = residuals(totals, [27] * 50, sources, (0, 1, 2))
    assert not left.any()
    assert len({source.drawn[0] for source in sources}) == 3


def test_each_message_is_uniform_by_itself() -> None:
    """Opened shares of zeros: the mean of 60,000 top bits; false alarm 6e-9 (5.8 sd)."""
    event = NoiseEvent((NoiseBlock(60_000, 1, Fraction(50)),), 2, 1)
    zeros = [0] * event.size
    _, messages = release(event, [zeros, zeros], [SilentSource()] * 2, SeededRandomness(9))
    for message in messages:
        words = from_bytes(message).view(np.uint64)
        for bit in (0, 31, 63):
            ones = int(((words >> np.uint64(bit)) & np.uint64(1)).sum())
            assert abs(ones - 30_000) < 5.8 * (60_000 / 4) ** 0.5


def test_the_run_of_the_charge_is_the_run_that_is_committed() -> None:
    with_engine, ledger = engine(), funded_ledger()
    statistic = noised(with_engine, ledger)
    assert statistic.run == RUN
    open_noised(statistic, with_engine, ledger, OPENING, bytes)
    assert ledger.state(RunId("f" * 64)) is None
