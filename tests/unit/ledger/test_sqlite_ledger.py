"""The durable ledger: the ledger's contract, expiry, bounds on partners, caps, history, file."""

from __future__ import annotations

import sqlite3
import stat
import tempfile
from contextlib import closing
from itertools import count
from pathlib import Path

import pytest
from hypothesis import given, settings
from ledger_contract import (
    CAP,
    NOW,
    ROW,
    STEPS,
    LedgerContract,
    LedgerFactory,
    asking,
    check_steps,
    run_id,
)

from mpc.errors import BudgetRefusal, LedgerError, StorageError
from mpc.ports import ChargeState
from mpc.units import Adjacency, DeltaAtto, ProtectedUnit, RhoPico
from parties.ledger.records import PartnerLimits
from parties.ledger.sqlite import SqliteLedger


class SetClock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.now = NOW

    def unix_s(self) -> int:
        return self.now

    def monotonic_s(self) -> float:
        return float(self.now)


LIMITS = PartnerLimits(reserved_max=3, aborts_max=2, aborts_window_s=1000, reserve_s=900)
WIDE = PartnerLimits(reserved_max=100, aborts_max=100)


@pytest.fixture
def clock() -> SetClock:
    return SetClock()


def opened(path: Path, clock: SetClock, limits: PartnerLimits = WIDE) -> SqliteLedger:
    ledger = SqliteLedger(path, clock, limits)
    ledger.create_domain("members", ROW, RhoPico(CAP), DeltaAtto(10), "owner")
    return ledger


class TestSqliteLedger(LedgerContract):
    @pytest.fixture
    def fresh(self, tmp_path: Path, clock: SetClock) -> LedgerFactory:
        numbers = count()

        def make(unit: ProtectedUnit = ROW) -> SqliteLedger:
            ledger = SqliteLedger(tmp_path / f"{next(numbers)}.db", clock, WIDE)
            ledger.create_domain("members", unit, RhoPico(CAP), DeltaAtto(10), "owner")
            return ledger

        return make


@given(steps=STEPS)
@settings(max_examples=15, deadline=None)
def test_no_order_of_steps_exceeds_the_cap(steps: list[tuple[str, int, int]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        check_steps(opened(Path(folder) / "ledger.db", SetClock()), steps)


def test_everything_is_there_after_it_is_opened_again(tmp_path: Path, clock: SetClock) -> None:
    first = opened(tmp_path / "ledger.db", clock)
    first.reserve(asking(1, 200))
    first.reserve(asking(2, 300))
    first.commit(run_id(1), b"message")
    again = opened(tmp_path / "ledger.db", clock)
    assert again.balance("members") == first.balance("members")
    assert again.outbox(run_id(1)) == b"message"
    assert again.state(run_id(2)) is ChargeState.RESERVED


def test_an_expired_reservation_is_not_committed_and_no_longer_held(
    tmp_path: Path, clock: SetClock
) -> None:
    ledger = opened(tmp_path / "ledger.db", clock)
    ledger.reserve(asking(1, CAP))
    ledger.mark_computed(run_id(1))
    clock.now += 600
    with pytest.raises(LedgerError, match="expired"):
        ledger.commit(run_id(1), b"message")
    assert ledger.outbox(run_id(1)) is None
    assert ledger.balance("members").rho_left == CAP
    ledger.reserve(asking(2, CAP, expires_unix_s=clock.now + 5))
    assert ledger.state(run_id(1)) is ChargeState.RELEASED


def test_a_reservation_commits_in_its_last_second(tmp_path: Path, clock: SetClock) -> None:
    ledger = opened(tmp_path / "ledger.db", clock)
    ledger.reserve(asking(1))
    clock.now += 599
    ledger.commit(run_id(1), b"message")
    assert ledger.state(run_id(1)) is ChargeState.COMMITTED


def test_a_clock_set_back_does_not_revive_what_was_released(
    tmp_path: Path, clock: SetClock
) -> None:
    ledger = opened(tmp_path / "ledger.db", clock)
    ledger.reserve(asking(1))
    ledger.mark_computed(run_id(1))
    clock.now += 600
    ledger.reserve(asking(2, expires_unix_s=clock.now + 5))
    clock.now -= 600
    with pytest.raises(LedgerError, match="released"):
        ledger.commit(run_id(1), b"message")


def test_rows_that_take_longer_than_their_reservation_are_paid_for(
    tmp_path: Path, clock: SetClock
) -> None:
    ledger = opened(tmp_path / "ledger.db", clock)
    ledger.reserve(asking(1, 10))
    clock.now += 600
    with pytest.raises(LedgerError, match="while its reservation lasted"):
        ledger.mark_computed(run_id(1))
    assert ledger.balance("members").rho_spent == 10
    ledger.reserve(asking(2, 10, expires_unix_s=clock.now + 5))
    assert ledger.state(run_id(1)) is ChargeState.FORFEITED
    assert ledger.balance("members").rho_spent == 10


def test_a_run_called_off_after_its_reservation_ended_stays_as_its_end_left_it(
    tmp_path: Path, clock: SetClock
) -> None:
    """What its balance says is spent comes back to nobody, and is no abort before it is settled."""
    ledger = opened(tmp_path / "ledger.db", clock)
    ledger.reserve(asking(1, 10))
    ledger.reserve(asking(2, 20))
    ledger.mark_computed(run_id(2))
    clock.now += 600
    balance, partners = ledger.balance("members"), ledger.partners()
    assert (balance.rho_spent, balance.rho_reserved) == (10, 0)
    assert [(each.reserved, each.aborts) for each in partners] == [(0, 1)]
    for run in (run_id(1), run_id(2)):
        assert not ledger.release(run)
    assert ledger.state(run_id(1)) is ChargeState.FORFEITED
    assert ledger.state(run_id(2)) is ChargeState.RELEASED
    assert (ledger.balance("members"), ledger.partners()) == (balance, partners)


@pytest.mark.parametrize(
    ("held", "named"), [(True, "SQLITE_BUSY"), (False, "SQLITE_NOTADB")], ids=["locked", "broken"]
)
def test_a_file_that_cannot_be_opened_is_named_and_stays_as_it_is(
    tmp_path: Path, clock: SetClock, monkeypatch: pytest.MonkeyPatch, held: bool, named: str
) -> None:
    monkeypatch.setattr("parties.database.BUSY_S", 0.1)
    path = tmp_path / "ledger.db"
    if held:
        opened(path, clock)
    else:
        path.write_bytes(b"no database" * 100)
    before = path.read_bytes()
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        if held:
            other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StorageError, match=rf"ledger\.db: the database failed \({named}\)"):
            SqliteLedger(path, clock, WIDE)
    assert path.read_bytes() == before


def test_tables_of_another_version_are_refused_and_stay_as_they_are(
    tmp_path: Path, clock: SetClock
) -> None:
    path = tmp_path / "ledger.db"
    opened(path, clock)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA user_version = 0")
    with pytest.raises(StorageError, match=r"ledger\.db was written by a version"):
        opened(path, clock)
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (0,)


def test_the_next_reservation_releases_stale_ones_and_leaves_fresh_ones(
    tmp_path: Path, clock: SetClock
) -> None:
    ledger = opened(tmp_path / "ledger.db", clock)
    ledger.reserve(asking(1, 10))
    ledger.mark_computed(run_id(1))
    ledger.reserve(asking(2, 10, expires_unix_s=NOW + 700))
    ledger.reserve(asking(3, 10))
    ledger.commit(run_id(3), b"message")
    clock.now += 650
    ledger.reserve(asking(4, 10, expires_unix_s=clock.now + 5))
    assert [ledger.state(run_id(n)) for n in (1, 2, 3)] == ["released", "reserved", "committed"]


def test_a_reservation_that_expired_after_its_shares_left_is_spent(
    tmp_path: Path, clock: SetClock
) -> None:
    ledger = opened(tmp_path / "ledger.db", clock)
    ledger.reserve(asking(1, 300))
    ledger.mark_computed(run_id(1))
    ledger.mark_shared(run_id(1))
    clock.now += 10_000
    assert ledger.balance("members").rho_spent == 300
    ledger.reserve(asking(2, 10, expires_unix_s=clock.now + 5))
    assert ledger.state(run_id(1)) is ChargeState.FORFEITED
    assert ledger.partners()[0].aborts == 0


def test_the_database_itself_gives_nothing_back_once_shares_left(
    tmp_path: Path, clock: SetClock
) -> None:
    ledger = opened(tmp_path / "ledger.db", clock)
    ledger.reserve(asking(1, 300))
    ledger.mark_computed(run_id(1))
    ledger.mark_shared(run_id(1))
    with sqlite3.connect(tmp_path / "ledger.db") as connection:
        for change in ("state = 'released'", "shared_unix_s = NULL", "computed_unix_s = NULL"):
            with pytest.raises(sqlite3.IntegrityError, match="moves, once"):
                connection.execute(f"UPDATE charge SET {change}")
    assert ledger.state(run_id(1)) is ChargeState.RESERVED


@pytest.mark.parametrize("expires", [NOW - 1, NOW, NOW + 901, 2**62])
def test_a_reservation_has_a_bounded_life(tmp_path: Path, clock: SetClock, expires: int) -> None:
    ledger = opened(tmp_path / "ledger.db", clock, LIMITS)
    with pytest.raises(LedgerError, match="lasts at most 900 s"):
        ledger.reserve(asking(1, expires_unix_s=expires))
    assert ledger.state(run_id(1)) is None


def test_a_partner_holds_so_many_reservations_at_once(tmp_path: Path, clock: SetClock) -> None:
    ledger = opened(tmp_path / "ledger.db", clock, LIMITS)
    for number in range(3):
        ledger.reserve(asking(number, 1))
    with pytest.raises(BudgetRefusal, match="under way"):
        ledger.reserve(asking(3, 1))
    ledger.reserve(asking(4, 1, partner="Institute"))
    ledger.commit(run_id(0), b"message")
    ledger.reserve(asking(3, 1))


def test_a_partner_aborts_so_often_in_a_while(tmp_path: Path, clock: SetClock) -> None:
    ledger = opened(tmp_path / "ledger.db", clock, LIMITS)
    for number in range(2):
        ledger.reserve(asking(number, 1))
        ledger.release(run_id(number))
    with pytest.raises(BudgetRefusal, match="aborted"):
        ledger.reserve(asking(2, 1))
    ledger.reserve(asking(3, 1, partner="Institute"))
    clock.now += 1001
    ledger.reserve(asking(2, 1, expires_unix_s=clock.now + 5))


def test_a_forfeit_is_paid_for_and_no_abort(tmp_path: Path, clock: SetClock) -> None:
    ledger = opened(tmp_path / "ledger.db", clock, LIMITS)
    for number in range(3):
        ledger.reserve(asking(number, 1))
        ledger.fail(run_id(number))
    assert ledger.balance("members").rho_spent == 3
    again = opened(tmp_path / "ledger.db", clock, LIMITS)
    assert [again.state(run_id(number)) for number in range(3)] == [ChargeState.FORFEITED] * 3
    assert [again.outbox(run_id(number)) for number in range(3)] == [None] * 3


def test_expired_reservations_count_as_aborts(tmp_path: Path, clock: SetClock) -> None:
    ledger = opened(tmp_path / "ledger.db", clock, LIMITS)
    for number in range(2):
        ledger.reserve(asking(number, 1, expires_unix_s=NOW + 1))
        ledger.mark_computed(run_id(number))
    clock.now += 1
    with pytest.raises(BudgetRefusal, match="aborted"):
        ledger.reserve(asking(2, 1))


def test_a_domain_is_created_once_on_its_terms(tmp_path: Path, clock: SetClock) -> None:
    ledger = opened(tmp_path / "ledger.db", clock)
    opened(tmp_path / "ledger.db", clock)
    replaced = ProtectedUnit(1, Adjacency.REPLACE_ONE)
    for unit, rho, delta in ((replaced, CAP, 10), (ROW, CAP + 1, 10), (ROW, CAP, 11)):
        with pytest.raises(LedgerError, match="other terms"):
            ledger.create_domain("members", unit, RhoPico(rho), DeltaAtto(delta), "owner")
    assert len(ledger.history("members").caps) == 1


@pytest.mark.parametrize(("rho", "delta"), [(-1, 0), (10**18 + 1, 0), (1, -1), (1, 10**18)])
def test_absurd_caps_are_refused(tmp_path: Path, clock: SetClock, rho: int, delta: int) -> None:
    ledger = opened(tmp_path / "ledger.db", clock)
    with pytest.raises(LedgerError, match="cap lies"):
        ledger.create_domain("others", ROW, RhoPico(rho), DeltaAtto(delta), "owner")
    with pytest.raises(LedgerError, match="cap lies"):
        ledger.set_cap("members", RhoPico(rho), DeltaAtto(delta), "owner", "more")


def test_a_cap_is_set_by_somebody_for_a_reason_and_history_says_so(
    tmp_path: Path, clock: SetClock
) -> None:
    ledger = opened(tmp_path / "ledger.db", clock)
    clock.now += 5
    ledger.set_cap("members", RhoPico(2 * CAP), DeltaAtto(10), "B. Officer", "board of May")
    assert ledger.balance("members").rho_left == 2 * CAP
    first, second = ledger.history("members").caps
    assert (first.rho_cap, first.set_by, first.reason) == (CAP, "owner", "created")
    assert (second.rho_cap, second.set_by, second.unix_s) == (2 * CAP, "B. Officer", NOW + 5)
    with pytest.raises(LedgerError, match="for a reason"):
        ledger.set_cap("members", RhoPico(3 * CAP), DeltaAtto(10), "B. Officer", "")
    assert len(ledger.history("members").caps) == 2


def test_a_lowered_cap_holds_for_the_next_charge_and_takes_nothing_back(
    tmp_path: Path, clock: SetClock
) -> None:
    ledger = opened(tmp_path / "ledger.db", clock)
    ledger.reserve(asking(0, CAP // 2))
    ledger.commit(run_id(0), b"message")
    ledger.set_cap("members", RhoPico(CAP // 4), DeltaAtto(10), "B. Officer", "board of June")
    with pytest.raises(BudgetRefusal):
        ledger.reserve(asking(1, 1))
    balance = ledger.balance("members")
    assert (balance.rho_spent, balance.rho_left, balance.rho_cap) == (CAP // 2, 0, CAP // 4)
    assert ledger.outbox(run_id(0)) == b"message"


def test_the_unit_of_a_domain_is_what_it_was_created_with(tmp_path: Path, clock: SetClock) -> None:
    ledger = opened(tmp_path / "ledger.db", clock)
    assert ledger.unit("members") == ROW
    assert ledger.unit("others") is None


def test_history_tells_every_charge_and_its_end(tmp_path: Path, clock: SetClock) -> None:
    ledger = opened(tmp_path / "ledger.db", clock)
    for number in range(3):
        ledger.reserve(asking(number, 10 + number))
    clock.now += 7
    ledger.commit(run_id(0), b"message")
    ledger.release(run_id(1))
    entries = ledger.history("members").charges
    assert [(e.run, e.rho, e.state, e.settled_unix_s) for e in entries] == [
        (run_id(0), 10, ChargeState.COMMITTED, NOW + 7),
        (run_id(1), 11, ChargeState.RELEASED, NOW + 7),
        (run_id(2), 12, ChargeState.RESERVED, None),
    ]
    assert entries[0].event == b"{}"
    assert (entries[0].partner, entries[0].purpose) == ("University", "research")
    assert ledger.history("strangers").charges == ()


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE outbox SET message = x'00'",
        "DELETE FROM outbox",
        "UPDATE charge SET rho = 0",
        "UPDATE charge SET state = 'reserved' WHERE state = 'committed'",
        "UPDATE charge SET state = 'released' WHERE state = 'committed'",
        "UPDATE charge SET expires_unix_s = expires_unix_s + 1",
        "DELETE FROM charge",
        "INSERT INTO outbox SELECT run, x'00' FROM charge WHERE state = 'reserved'",
        "UPDATE domain SET currency = 'pure'",
        "UPDATE domain SET unit_rows_max = 9",
        "DELETE FROM domain",
        "UPDATE cap SET rho_cap = 0",
        "DELETE FROM cap",
    ],
)
def test_the_file_itself_refuses_to_rewrite_history(
    tmp_path: Path, clock: SetClock, statement: str
) -> None:
    ledger = opened(tmp_path / "ledger.db", clock)
    ledger.reserve(asking(1))
    ledger.commit(run_id(1), b"message")
    ledger.reserve(asking(2))
    before = ledger.history("members"), ledger.outbox(run_id(1)), ledger.balance("members")
    with sqlite3.connect(tmp_path / "ledger.db") as connection, pytest.raises(sqlite3.Error):
        connection.execute(statement)
    after = ledger.history("members"), ledger.outbox(run_id(1)), ledger.balance("members")
    assert after == before


def test_only_its_owner_reads_the_file(tmp_path: Path, clock: SetClock) -> None:
    ledger = opened(tmp_path / "ledger.db", clock)
    ledger.reserve(asking(1))
    files = list(tmp_path.glob("ledger.db*"))
    assert files
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}


def test_writes_are_synchronous_and_logged_ahead(tmp_path: Path, clock: SetClock) -> None:
    ledger = opened(tmp_path / "ledger.db", clock)
    with ledger._database.transaction() as connection:
        assert connection.execute("PRAGMA synchronous").fetchone() == (2,)
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert connection.execute("PRAGMA foreign_keys").fetchone() == (1,)


@pytest.mark.parametrize("message", [b"", bytes((64 << 20) + 1)], ids=["empty", "huge"])
def test_a_message_has_a_bounded_size(tmp_path: Path, clock: SetClock, message: bytes) -> None:
    ledger = opened(tmp_path / "ledger.db", clock)
    ledger.reserve(asking(1))
    with pytest.raises(LedgerError, match="message"):
        ledger.commit(run_id(1), message)
    assert ledger.state(run_id(1)) is ChargeState.RESERVED


def test_a_broken_file_is_our_error_and_tells_no_content(tmp_path: Path, clock: SetClock) -> None:
    ledger = opened(tmp_path / "ledger.db", clock)
    with sqlite3.connect(tmp_path / "ledger.db") as connection:
        connection.execute("DROP TABLE outbox")
    ledger.reserve(asking(1))
    with pytest.raises(StorageError, match="SQLITE_ERROR"):
        ledger.commit(run_id(1), b"message")
    assert ledger.state(run_id(1)) is ChargeState.RESERVED


@pytest.mark.parametrize("field", ["reserved_max", "aborts_max", "reserve_s"])
def test_absurd_limits_are_refused(field: str) -> None:
    with pytest.raises(ValueError, match="at least 1"):
        PartnerLimits(**{field: 0})
