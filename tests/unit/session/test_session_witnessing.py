"""A ledger that is an older copy: its peers name it, and its own party stops by itself."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import replace

import pytest
from ledger_contract import CAP, ROW, asking, run_id
from session_federation import SessionFederation

from mpc.errors import IntegrityError, LedgerOutdated
from mpc.ports import Witness
from mpc.session.session import Session
from mpc.session.witnessing import LedgerMark, Witnessing
from mpc.testing.ledger import MemoryLedger
from mpc.testing.network import Ends, together
from mpc.units import DeltaAtto, PartyId, RhoPico

FEDERATION = SessionFederation(3, "witnessing")
FIRST, SECOND, THIRD = FEDERATION.parties
Ledgers = dict[PartyId, MemoryLedger]


@pytest.fixture
def ledgers() -> Ledgers:
    made = {party: MemoryLedger() for party in FEDERATION.parties}
    for ledger in made.values():
        ledger.create_domain("members", ROW, RhoPico(CAP), DeltaAtto(0))
    return made


def ready_all(
    ledgers: Ledgers, sessions: list[Session], witnessing: dict[PartyId, Witnessing] | None = None
) -> Ends[tuple[Witness, ...]]:
    """Every party's READY for the one opening."""
    ends = witnessing or {party: Witnessing(ledger) for party, ledger in ledgers.items()}
    network = FEDERATION.network(wait_s=1)
    return together(
        {
            session.own: lambda session=session, channel=channel: session.exchange_ready(
                channel, session.opening, ends[session.own]
            )
            for session, channel in zip(sessions, network.channels, strict=True)
        }
    )


def study(ledgers: Ledgers, number: int) -> None:
    """One whole study: everybody is charged, and keeps what the others showed."""
    for ledger in ledgers.values():
        ledger.reserve(asking(number, 10))
    shown = ready_all(ledgers, FEDERATION.sessions()).all()
    for party, ledger in ledgers.items():
        ledger.commit(run_id(number), b"message", shown[party])


def reserve_at(ledgers: Ledgers, number: int) -> None:
    for ledger in ledgers.values():
        ledger.reserve(asking(number, 10))


def test_every_party_keeps_what_each_peer_showed_signed_by_it(ledgers: Ledgers) -> None:
    study(ledgers, 1)
    study(ledgers, 2)
    for party, ledger in ledgers.items():
        kept = ledger.witnessed()
        assert set(kept) == set(FEDERATION.parties) - {party}
        for peer, witness in kept.items():
            mark = LedgerMark.from_bytes(witness.mark)
            mark.verify(FEDERATION.plan.roster)
            assert (mark.party, mark.counter) == (peer, 3)
            assert ledgers[peer].holds(witness.head)


def test_older_copy_of_a_ledger_is_named_by_its_peers_and_reserves_nothing_more(
    ledgers: Ledgers,
) -> None:
    study(ledgers, 1)
    copy = deepcopy(ledgers[SECOND])
    study(ledgers, 2)
    ledgers[SECOND] = copy
    before = {party: ledger.balance("members") for party, ledger in ledgers.items()}

    ends = ready_all(ledgers, FEDERATION.sessions())

    for party in (FIRST, THIRD):
        assert f"{SECOND}: its ledger is older than what it showed" in str(ends.errors[party])
    own = ends.errors[SECOND]
    assert isinstance(own, LedgerOutdated)
    assert own.party == SECOND
    assert "has seen step 3 of it" in str(own)
    assert "accept-loss" in own.hint
    assert {party: each.balance("members") for party, each in ledgers.items()} == before
    with pytest.raises(LedgerOutdated):
        copy.reserve(asking(9))
    assert copy.balance("members") == before[SECOND]
    ledgers[FIRST].reserve(asking(9))


def test_older_copy_that_went_on_by_itself_is_found_by_its_other_head(ledgers: Ledgers) -> None:
    study(ledgers, 1)
    copy = deepcopy(ledgers[SECOND])
    study(ledgers, 2)
    ledgers[SECOND] = copy
    for number in range(10, 20):
        copy.reserve(asking(number, 1))

    ends = ready_all(ledgers, FEDERATION.sessions())

    assert isinstance(ends.errors[SECOND], LedgerOutdated)
    with pytest.raises(LedgerOutdated):
        copy.reserve(asking(30))


def test_older_copy_that_stands_at_the_step_it_showed_is_another_ledger_to_its_peers(
    ledgers: Ledgers,
) -> None:
    study(ledgers, 1)
    mark = LedgerMark(SECOND, 1, "ab" * 32).signed(FEDERATION.participant(SECOND).sign)
    with pytest.raises(LedgerOutdated, match=f"{SECOND}: its ledger is another one"):
        Witnessing(ledgers[FIRST]).check_peer(mark, FEDERATION.plan.roster, b"")


def test_party_whose_peers_never_saw_it_goes_on_with_an_empty_ledger(ledgers: Ledgers) -> None:
    reserve_at({FIRST: ledgers[FIRST], THIRD: ledgers[THIRD]}, 1)
    assert set(ready_all(ledgers, FEDERATION.sessions()).all()) == set(FEDERATION.parties)


def test_what_another_study_saw_meanwhile_refuses_nobody(ledgers: Ledgers) -> None:
    study(ledgers, 1)
    early = {party: Witnessing(ledger) for party, ledger in ledgers.items()}
    sessions = FEDERATION.sessions()
    marks = {
        session.own: early[session.own].mark(session.own, FEDERATION.participant(session.own).sign)
        for session in sessions
    }
    study(ledgers, 2)
    for party, witnessing in early.items():
        for peer in set(FEDERATION.parties) - {party}:
            witnessing.check_peer(marks[peer], FEDERATION.plan.roster, b"")
    assert ready_all(ledgers, sessions, early).all()


@pytest.mark.parametrize(("signatory", "party"), [(FIRST, SECOND), (SECOND, FIRST), (FIRST, FIRST)])
def test_peer_that_makes_up_a_mark_is_named_and_the_ledger_goes_on(
    ledgers: Ledgers, signatory: PartyId, party: PartyId
) -> None:
    ledger = ledgers[SECOND]
    made_up = LedgerMark(party, 99, "ab" * 32)
    forged = replace(
        made_up, signature=FEDERATION.participant(signatory).sign(made_up.context, b"mark")
    )
    with pytest.raises(IntegrityError, match=f"{FIRST}: it shows a mark that is neither"):
        Witnessing(ledger).check_own(forged, FIRST, SECOND, FEDERATION.plan.roster, b"")
    ledger.reserve(asking(1))


def test_peer_that_shows_the_ledger_of_a_third_is_refused(ledgers: Ledgers) -> None:
    sessions = FEDERATION.sessions()
    mark = Witnessing(ledgers[FIRST]).mark(FIRST, FEDERATION.participant(FIRST).sign)
    due = sessions[1]._ready_of(SECOND, sessions[1].opening, mark, None)
    signed = due.signed(FEDERATION.participant(SECOND).sign)
    with pytest.raises(IntegrityError, match=f"{SECOND}: its READY has another party's ledger"):
        signed.check(due, FEDERATION.plan.roster)
