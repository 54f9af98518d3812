"""The chain of a ledger's file, and what its owner can do once peers saw it further."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from ledger_contract import CAP, NOW, ROW, asking, run_id

from mpc.errors import BudgetRefusal, IntegrityError, UsageError
from mpc.ports import ChainHead, ChargeState, Witness
from mpc.units import DeltaAtto, PartyId, RhoPico
from parties.ledger.records import PartnerEntry, PartnerLimits
from parties.ledger.sqlite import SqliteLedger

FILE = "ledger.db"


class SetClock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.now = NOW

    def unix_s(self) -> int:
        return self.now

    def monotonic_s(self) -> float:
        return float(self.now)


def opened(path: Path, clock: SetClock | None = None) -> SqliteLedger:
    ledger = SqliteLedger(path, clock or SetClock(), PartnerLimits())
    ledger.create_domain("members", ROW, RhoPico(CAP), DeltaAtto(10), "owner")
    return ledger


def saw(counter: int) -> Witness:
    return Witness(PartyId("north"), ChainHead(counter, b"\1" * 32), b"mark", b"ready")


def test_accepted_loss_forfeits_all_that_was_left_and_leads_beyond_what_peers_saw(
    tmp_path: Path,
) -> None:
    ledger = opened(tmp_path / FILE)
    ledger.reserve(asking(1, 300))
    with pytest.raises(UsageError, match="no loss to accept"):
        ledger.accept_loss("M. Okafor", "disk lost")
    ledger.condemn(saw(50))
    ledger.condemn(saw(40))
    assert [each.head.counter for each in ledger.evidence()] == [50, 40]
    with pytest.raises(UsageError, match="somebody, for a reason"):
        ledger.accept_loss("", "disk lost")
    assert ledger.balance("members").rho_left == CAP - 300

    ledger.accept_loss("M. Okafor", "disk lost")

    left = ledger.balance("members")
    assert (left.rho_left, left.delta_left, left.rho_reserved) == (0, 0, 300)
    assert ledger.evidence() == ()
    assert ledger.head().counter > 1 << 32
    assert ledger.holds(saw(1 << 31).head)
    assert not ledger.holds(saw(ledger.head().counter).head)
    with pytest.raises(BudgetRefusal):
        ledger.reserve(asking(2, 1))
    assert ledger.partners() == (PartnerEntry("University", 1, 0),)
    ledger.set_cap("members", RhoPico(CAP + 10), DeltaAtto(10), "owner", "given on purpose")
    ledger.reserve(asking(2, 10))
    assert ledger.balance("members").rho_left == 0


def test_file_itself_keeps_the_chain_and_what_peers_showed(tmp_path: Path) -> None:
    ledger = opened(tmp_path / FILE)
    ledger.reserve(asking(1))
    ledger.commit(run_id(1), b"message", (saw(5),))
    ledger.condemn(saw(50))
    head, shown = ledger.head(), ledger.witnessed()
    for statement in (
        "DELETE FROM chain",
        "UPDATE chain SET head = x'00'",
        "INSERT INTO chain SELECT 1, head, run, step, unix_s FROM chain LIMIT 1",
        "DELETE FROM witness",
        "UPDATE witness SET counter = 4",
        "UPDATE witness SET party = 'west', counter = 9",
        "DELETE FROM evidence",
        "UPDATE evidence SET counter = 0",
    ):
        with (
            pytest.raises(sqlite3.IntegrityError),
            closing(sqlite3.connect(tmp_path / FILE)) as database,
        ):
            database.execute(statement)
    assert (ledger.head(), ledger.witnessed()) == (head, shown)
    assert ledger.evidence() == (saw(50),)


def test_expired_reservation_is_a_step_of_the_chain(tmp_path: Path) -> None:
    clock = SetClock()
    ledger = opened(tmp_path / FILE, clock)
    ledger.reserve(asking(1))
    before = ledger.head()
    clock.now += 10_000
    ledger.fail(run_id(9))
    assert ledger.state(run_id(1)) is ChargeState.FORFEITED
    assert ledger.head().counter == before.counter + 1


def rewritten(path: Path, *statements: str) -> None:
    """Somebody opens the file, takes its triggers away and changes it."""
    with closing(sqlite3.connect(path)) as database:
        for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'"):
            database.execute(f"DROP TRIGGER {name}")
        for statement in statements:
            database.execute(statement)
        database.commit()


def test_ledger_with_every_kind_of_step_is_as_its_chain_says(tmp_path: Path) -> None:
    ledger = opened(tmp_path / FILE)
    ledger.check_chain()
    for number in (1, 2, 3, 4):
        ledger.reserve(asking(number, 10))
    ledger.mark_computed(run_id(1))
    ledger.mark_shared(run_id(1))
    ledger.commit(run_id(2), b"message")
    ledger.release(run_id(3))
    ledger.condemn(saw(50))
    ledger.accept_loss("M. Okafor", "disk lost")
    ledger.fail(run_id(4))
    ledger.check_chain()


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE charge SET rho = 1",
        "UPDATE charge SET domain = 'others'",
        "UPDATE charge SET event = x'00'",
        "UPDATE charge SET state = 'released' WHERE state = 'committed'",
        "DELETE FROM charge WHERE state = 'committed'",
        "DELETE FROM chain WHERE step = 'committed'",
        "DELETE FROM chain WHERE counter = (SELECT max(counter) FROM chain)",
        "UPDATE chain SET step = 'released' WHERE step = 'committed'",
    ],
)
def test_charge_that_something_else_changed_is_found(tmp_path: Path, statement: str) -> None:
    ledger = opened(tmp_path / FILE)
    ledger.reserve(asking(1, 300))
    ledger.commit(run_id(1), b"message")
    ledger.reserve(asking(2, 100))
    ledger.mark_computed(run_id(2))
    ledger.release(run_id(2))
    ledger.check_chain()
    rewritten(tmp_path / FILE, statement)
    with pytest.raises(IntegrityError, match="changed by something else than Parley"):
        ledger.check_chain()
