"""A statistic is noised once, for a charge of its own, with the noise that was priced."""

from __future__ import annotations

import threading
from contextlib import suppress
from fractions import Fraction

import pytest
from joint_release import SilentSource, WatchedSource, funded_ledger, terms, zero_masks
from seeded_randomness import SeededRandomness

from mpc.accounting.event import NoiseBlock, NoiseEvent, price
from mpc.errors import BudgetRefusal, LedgerError, PlanRefusal, SecretMisuseError
from mpc.ports import ChargeRequest, ChargeState
from mpc.privacy.budget import Budget
from mpc.privacy.noise import add_noise
from mpc.privacy.sampler import DiscreteGaussian
from mpc.secret.reference import ReferenceEngine
from mpc.secret.sealed import BoundedStatistic, SecretStatistic
from mpc.testing.ledger import MemoryLedger
from mpc.units import Adjacency, ProtectedUnit

EVENT = NoiseEvent((NoiseBlock(2, 1, Fraction(50)), NoiseBlock(3, 400, Fraction(9000))), 3, 2)


class WatchedLedger(MemoryLedger):
    """Remembers what was asked of it."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[ChargeRequest] = []

    def reserve(self, request: ChargeRequest) -> None:
        self.asked.append(request)
        super().reserve(request)


def engine() -> ReferenceEngine:
    return ReferenceEngine(zero_masks(3, SeededRandomness(3))[0])


def secret(engine: ReferenceEngine, event: NoiseEvent = EVENT) -> SecretStatistic:
    return engine.share_sum(BoundedStatistic.of(range(event.size), event))


def test_the_ledger_prices_the_event_that_the_noise_is_drawn_from() -> None:
    class RecordedSource(SilentSource):
        asked: list[tuple[int, Fraction]] = []  # noqa: RUF012

        def draw(self, count: int, variance: Fraction) -> list[int]:
            self.asked.append((count, variance))
            return super().draw(count, variance)

    with_engine, ledger, source = engine(), WatchedLedger(), RecordedSource()
    ledger.create_domain("members", terms().unit, 10**15, 0)  # type: ignore[arg-type]
    statistic = secret(with_engine)
    add_noise(statistic, Budget(ledger).charge(statistic, terms()), source, with_engine)
    assert source.asked == [(2, Fraction(50)), (3, Fraction(9000))]
    (asked,) = ledger.asked
    assert (asked.rho, asked.delta) == price(EVENT)
    assert asked.event == EVENT.canonical()


def test_the_charge_is_on_record_before_it_exists() -> None:
    with_engine, ledger = engine(), funded_ledger()
    charge = Budget(ledger).charge(secret(with_engine), terms())
    assert ledger.state(charge.run) is ChargeState.RESERVED
    assert ledger.balance("members").rho_reserved == price(EVENT)[0]


def test_a_charge_is_spent_once() -> None:
    with_engine, ledger = engine(), funded_ledger()
    statistic = secret(with_engine)
    charge = Budget(ledger).charge(statistic, terms())
    source = WatchedSource(DiscreteGaussian(SeededRandomness(4)))
    add_noise(statistic, charge, source, with_engine)
    with pytest.raises(SecretMisuseError, match="spent"):
        add_noise(statistic, charge, source, with_engine)
    assert len(source.drawn) == EVENT.size


def test_a_charge_is_spent_by_one_of_many_threads() -> None:
    with_engine, ledger = engine(), funded_ledger()
    statistic = secret(with_engine)
    charge = Budget(ledger).charge(statistic, terms())
    spent, gate = [], threading.Barrier(8)

    def spend() -> None:
        gate.wait(10)
        with suppress(SecretMisuseError):
            spent.append(charge.spend_on(statistic))

    threads = [threading.Thread(target=spend) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert spent == [EVENT]


def test_a_charge_for_another_statistic_is_refused_and_stays_unspent() -> None:
    with_engine, ledger = engine(), funded_ledger()
    statistic, other = secret(with_engine), secret(with_engine)
    charge = Budget(ledger).charge(statistic, terms())
    source = WatchedSource(SilentSource())
    with pytest.raises(SecretMisuseError, match="another statistic"):
        add_noise(other, charge, source, with_engine)
    assert source.drawn == []
    add_noise(statistic, charge, source, with_engine)


def test_a_run_is_charged_once() -> None:
    with_engine, ledger = engine(), funded_ledger()
    Budget(ledger).charge(secret(with_engine), terms())
    before = ledger.balance("members")
    with pytest.raises(LedgerError, match="before"):
        Budget(ledger).charge(secret(with_engine), terms())
    assert ledger.balance("members") == before


def test_an_exhausted_budget_mints_no_charge_and_a_cheaper_one_follows() -> None:
    with_engine, ledger = engine(), funded_ledger(rho_cap=price(EVENT)[0] - 1)
    with pytest.raises(BudgetRefusal):
        Budget(ledger).charge(secret(with_engine), terms())
    assert ledger.state(terms().run) is None
    cheap = NoiseEvent((NoiseBlock(2, 1, Fraction(1000)),), 3, 2)
    Budget(ledger).charge(secret(with_engine, cheap), terms())
    assert ledger.balance("members").rho_reserved == price(cheap)[0]


def test_a_stronger_unit_of_the_domain_is_charged_for() -> None:
    with_engine, ledger = engine(), MemoryLedger()
    person = ProtectedUnit(4, Adjacency.REPLACE_ONE)
    ledger.create_domain("members", person, 10**15, 0)  # type: ignore[arg-type]
    Budget(ledger).charge(secret(with_engine), terms())
    assert ledger.balance("members").rho_reserved == 64 * price(EVENT)[0]


def test_an_event_without_a_price_is_refused_before_anything_is_written() -> None:
    with_engine, ledger = engine(), WatchedLedger()
    narrow = NoiseEvent((NoiseBlock(1, 1, Fraction(2)),), 3, 1)
    with pytest.raises(PlanRefusal):
        Budget(ledger).charge(secret(with_engine, narrow), terms())
    assert ledger.asked == []


def test_a_source_that_draws_too_few_is_refused() -> None:
    class ShortSource(SilentSource):
        def draw(self, count: int, variance: Fraction) -> list[int]:
            return super().draw(count - 1, variance)

    with_engine, ledger = engine(), funded_ledger()
    statistic = secret(with_engine)
    charge = Budget(ledger).charge(statistic, terms())
    with pytest.raises(SecretMisuseError, match="number of samples"):
        add_noise(statistic, charge, ShortSource(), with_engine)
