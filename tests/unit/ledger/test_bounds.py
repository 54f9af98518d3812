"""Caps beside the one for ever: of any 30 days, and of one partner's studies."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from ledger_contract import CAP, NOW, ROW, asking, run_id

from mpc.errors import BudgetRefusal, LedgerError
from mpc.ports import ChargeState
from mpc.units import DeltaAtto, ProtectedUnit, RhoPico, rho_text
from parties.ledger.records import MONTH_S, DomainBounds, PartnerLimits
from parties.ledger.sqlite import SqliteLedger

FILE = "ledger.db"
WIDE = PartnerLimits(reserved_max=100, aborts_max=100)


class SetClock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.now = NOW

    def unix_s(self) -> int:
        return self.now

    def monotonic_s(self) -> float:
        return float(self.now)


@pytest.fixture
def clock() -> SetClock:
    return SetClock()


@pytest.fixture
def ledger(tmp_path: Path, clock: SetClock) -> SqliteLedger:
    return opened(tmp_path / FILE, clock)


def opened(path: Path, clock: SetClock, unit: ProtectedUnit = ROW) -> SqliteLedger:
    made = SqliteLedger(path, clock, WIDE)
    made.create_domain("members", unit, RhoPico(CAP), DeltaAtto(10), "owner")
    return made


def bounded(monthly: int | None = None, **partners: int) -> DomainBounds:
    named = {name: RhoPico(rho) for name, rho in partners.items()}
    return DomainBounds(None if monthly is None else RhoPico(monthly), named)


def refused(ledger: SqliteLedger, number: int, rho: int, why: str, **fields: object) -> None:
    """Run ``number`` is refused, and that changes nothing."""
    before = (ledger.balance("members"), ledger.usage("members"), ledger.head())
    with pytest.raises(BudgetRefusal, match=why):
        ledger.reserve(asking(number, rho, **fields))
    assert (ledger.balance("members"), ledger.usage("members"), ledger.head()) == before
    assert ledger.state(run_id(number)) is None


def test_a_domain_without_bounds_has_its_cap_alone(ledger: SqliteLedger) -> None:
    assert ledger.bounds("members") == DomainBounds()
    ledger.reserve(asking(1, CAP))


def test_more_than_a_months_cap_is_refused_and_consumes_nothing(ledger: SqliteLedger) -> None:
    ledger.set_bounds("members", bounded(300), "owner")
    ledger.reserve(asking(1, 200))
    refused(ledger, 2, 101, "within 30 days")
    ledger.reserve(asking(2, 100))
    refused(ledger, 3, 1, "within 30 days")
    ledger.release(run_id(2))
    ledger.reserve(asking(3, 100))


def test_a_month_is_any_30_days_and_what_was_asked_before_counts_no_more(
    ledger: SqliteLedger, clock: SetClock
) -> None:
    ledger.set_bounds("members", bounded(300), "owner")
    ledger.reserve(asking(1, 300))
    ledger.commit(run_id(1), b"message")
    clock.now += MONTH_S - 1
    refused(ledger, 2, 1, "within 30 days", expires_unix_s=clock.now + 600)
    clock.now += 1
    ledger.reserve(asking(2, 300, expires_unix_s=clock.now + 600))
    refused(ledger, 3, 1, "within 30 days", expires_unix_s=clock.now + 600)
    assert ledger.balance("members").rho_left == CAP - 600


def test_a_month_counts_what_was_forfeited_and_a_clock_set_back_frees_nothing(
    ledger: SqliteLedger, clock: SetClock
) -> None:
    ledger.set_bounds("members", bounded(300), "owner")
    ledger.reserve(asking(1, 300))
    ledger.fail(run_id(1))
    clock.now -= 10 * MONTH_S
    refused(ledger, 2, 1, "within 30 days", expires_unix_s=clock.now + 600)


def test_a_partners_cap_counts_what_it_asks_and_what_its_people_lead(ledger: SqliteLedger) -> None:
    ledger.set_bounds("members", bounded(University=300, Institute=250), "owner")
    ledger.reserve(asking(1, 200))  # asked by University, led by Institute
    refused(ledger, 2, 60, "for Institute")
    refused(ledger, 2, 110, "for University", lead_organization="Clinic")
    refused(ledger, 2, 60, "for Institute", partner="Clinic")
    ledger.reserve(asking(2, 60, lead_organization="Clinic"))
    ledger.reserve(asking(3, 50, partner="Clinic"))
    usage = ledger.usage("members")
    assert dict(usage.partners) == {"Clinic": 110, "Institute": 250, "University": 260}
    ledger.reserve(asking(4, 500, partner="Clinic", lead_organization="Clinic"))
    assert ledger.usage("members").partner_rho("Clinic") == 610


def test_what_a_refusal_says_does_not_tell_what_is_left(ledger: SqliteLedger) -> None:
    ledger.set_bounds("members", bounded(123), "owner")
    with pytest.raises(BudgetRefusal) as told:
        ledger.reserve(asking(1, 200))
    assert rho_text(RhoPico(123)) not in str(told.value)
    assert "a refused request consumes nothing" in told.value.hint


def test_bounds_count_in_the_domains_own_unit(tmp_path: Path, clock: SetClock) -> None:
    strong = opened(tmp_path / "strong.db", clock, ProtectedUnit(3, ROW.adjacency))
    strong.set_bounds("members", bounded(899), "owner")
    refused(strong, 1, 100, "within 30 days")
    strong.reserve(asking(1, 99))
    assert strong.usage("members").monthly_rho == 891


def test_bounds_change_from_now_on_and_what_they_were_stays(
    ledger: SqliteLedger, tmp_path: Path
) -> None:
    for bounds in (bounded(300), bounded(300), bounded(None, University=9), bounded()):
        ledger.set_bounds("members", bounds, "owner")
        assert ledger.bounds("members") == bounds
    with pytest.raises(BudgetRefusal, match="no privacy domain"):
        ledger.set_bounds("strangers", bounded(1), "owner")
    with pytest.raises(LedgerError, match="cap lies between"):
        ledger.set_bounds("members", bounded(-1), "owner")
    with closing(sqlite3.connect(tmp_path / FILE)) as database:
        assert database.execute("SELECT monthly_rho, partners FROM bounds").fetchall() == [
            (300, "{}"), (None, '{"University":9}'), (None, "{}"),
        ]  # fmt: skip
        for statement in ("DELETE FROM bounds", "UPDATE bounds SET monthly_rho = 1"):
            with pytest.raises(sqlite3.IntegrityError, match="never"):
                database.execute(statement)


def test_a_charge_keeps_who_asked_for_it_and_who_leads(
    ledger: SqliteLedger, tmp_path: Path
) -> None:
    ledger.reserve(asking(1))
    (kept,) = ledger.history("members").charges
    assert (kept.partner, kept.coordinator) == ("University", "office")
    assert (kept.lead, kept.lead_organization) == ("Joan Example", "Institute")
    assert (kept.purpose, kept.approved_by, kept.event) == ("research", "policy", b"{}")
    assert kept.state is ChargeState.RESERVED
    with closing(sqlite3.connect(tmp_path / FILE)) as database:
        for column in ("coordinator", "lead", "lead_organization"):
            with pytest.raises(sqlite3.IntegrityError, match="terms of a charge never change"):
                database.execute(f"UPDATE charge SET {column} = 'other'")
