"""READY and sealing: nobody seals before everyone is ready for the same thing."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from session_federation import COMMITMENT, SessionFederation

from mpc.errors import IntegrityError, SecretMisuseError
from mpc.plan.cost import READY_BYTES_MAX
from mpc.ports import Witness
from mpc.session.ready import Ready, Transcript
from mpc.session.session import Session
from mpc.session.share import ReleasedShare, opening_id
from mpc.session.witnessing import Witnessing
from mpc.testing.ledger import MemoryLedger
from mpc.testing.network import Ends, Network, together
from mpc.units import SessionId

WORDS = np.arange(4, dtype=np.int64)
FEDERATION = SessionFederation(3, "ready")


@pytest.fixture
def sessions() -> list[Session]:
    return FEDERATION.sessions()


def ready_all(sessions: list[Session], network: Network) -> Ends[tuple[Witness, ...]]:
    tasks = {
        session.own: lambda session=session, channel=channel: session.exchange_ready(
            channel, session.opening, empty()
        )
        for session, channel in zip(sessions, network.channels, strict=True)
    }
    return together(tasks)


def empty() -> Witnessing:
    """Of a party that was never charged and saw nobody."""
    return Witnessing(MemoryLedger())


def test_all_ready_then_each_seals_its_share(sessions: list[Session]) -> None:
    ready_all(sessions, FEDERATION.network()).all()
    for session in sessions:
        share = ReleasedShare.from_bytes(session.seal(session.opening, WORDS, COMMITMENT, "p/0"))
        share.verify(FEDERATION.plan.roster)
        assert share.words.tolist() == [0, 1, 2, 3]
        assert (share.run, share.session, share.opening) == (
            session.run,
            session.id,
            opening_id(session.id),
        )
        assert (share.party, share.plan_digest) == (session.own, FEDERATION.plan.digest)
        assert (share.commitment, share.software) == (COMMITMENT, "p/0")


def test_nothing_is_sealed_before_ready(sessions: list[Session]) -> None:
    with pytest.raises(SecretMisuseError, match="before every party said READY"):
        sessions[0].seal(sessions[0].opening, WORDS, COMMITMENT, "p/0")


def test_ready_for_one_opening_seals_no_other(sessions: list[Session]) -> None:
    ready_all(sessions, FEDERATION.network()).all()
    with pytest.raises(SecretMisuseError, match="READY"):
        sessions[0].seal(opening_id(sessions[0].id, b"other"), WORDS, COMMITMENT, "p/0")


def test_opening_is_sealed_once(sessions: list[Session]) -> None:
    ready_all(sessions, FEDERATION.network()).all()
    sessions[0].seal(sessions[0].opening, WORDS, COMMITMENT, "p/0")
    with pytest.raises(SecretMisuseError, match="sealed once"):
        sessions[0].seal(sessions[0].opening, WORDS, COMMITMENT, "p/0")


def test_party_that_saw_another_value_opened_is_named_and_nobody_else_is_ready_with_it(
    sessions: list[Session],
) -> None:
    for session in sessions:
        last = session.own == "party-3"
        session.transcript.record(b"step", b"seen by the third" if last else b"seen")

    ends = ready_all(sessions, FEDERATION.network(wait_s=1))

    assert not ends.values
    assert "party-3: it saw other values opened" in str(ends.errors[sessions[0].own])
    for session in sessions:
        with pytest.raises(SecretMisuseError):
            session.seal(session.opening, WORDS, COMMITMENT, "p/0")


def test_party_that_computed_with_other_material_is_named_and_nobody_is_ready_with_it(
    sessions: list[Session],
) -> None:
    for session in sessions:
        session.use_material((b"n" if session.own == "party-2" else b"m") * 32)

    ends = ready_all(sessions, FEDERATION.network(wait_s=1))

    assert not ends.values
    assert "party-2: it computed with other prepared material" in str(ends.errors[sessions[0].own])
    with pytest.raises(SecretMisuseError, match="one material"):
        sessions[0].use_material(b"m" * 32)


def test_transcript_depends_on_session_order_operation_and_content() -> None:
    def digest(session: bytes, *opened: tuple[bytes, bytes]) -> str:
        transcript = Transcript(SessionId(session))
        for operation, content in opened:
            transcript.record(operation, content)
        return transcript.digest

    base = (b"a", b"1"), (b"b", b"2")
    digests = {
        digest(bytes(32), *base),
        digest(bytes(32), *reversed(base)),
        digest(bytes(32), (b"a", b"1"), (b"b", b"3")),
        digest(bytes(32), (b"a", b"1"), (b"c", b"2")),
        digest(bytes(32), (b"a1", b""), (b"b", b"2")),
        digest(bytes(32)),
        digest(b"\1" * 32),
    }
    assert len(digests) == 7
    assert digest(bytes(32), *base) == digest(bytes(32), *base)


def ready_of(session: Session) -> Ready:
    signer = FEDERATION.participant(session.own).sign
    mark = empty().mark(session.own, signer)
    return session._ready_of(session.own, session.opening, mark, mark).signed(signer)


def test_ready_goes_round_within_its_size(sessions: list[Session]) -> None:
    sessions[0].use_material(b"m" * 32)
    ready = ready_of(sessions[0])
    assert ready.material == b"m" * 32
    assert Ready.from_bytes(ready.to_bytes()) == ready
    assert len(ready.to_bytes()) < READY_BYTES_MAX - 40


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"session": bytes(32)}, "another session, opening or plan"),
        ({"opening": bytes(16)}, "another session, opening or plan"),
        ({"party": "party-2"}, "another session, opening or plan"),
        ({"plan_digest": "ab" * 32}, "another session, opening or plan"),
        ({"material": b"m" * 32}, "other prepared material"),
        ({"opened": "ab" * 32}, "other values"),
    ],
)
def test_signed_ready_that_differs_in_one_field_is_refused(
    sessions: list[Session], changes: dict[str, object], why: str
) -> None:
    due = ready_of(sessions[0])
    changed = replace(due, **changes).signed(FEDERATION.participant("party-1").sign)  # type: ignore[arg-type]
    with pytest.raises(IntegrityError, match=f"party-1: .*{why}"):
        changed.check(due, FEDERATION.plan.roster)


@pytest.mark.parametrize("signer", ["party-2", "office"])
def test_ready_signed_by_another_is_refused(sessions: list[Session], signer: str) -> None:
    due = ready_of(sessions[0])
    forged = due.signed(FEDERATION.participant(signer).sign)
    with pytest.raises(IntegrityError, match="party-1: its signature on parley/ready/v1"):
        forged.check(due, FEDERATION.plan.roster)


def test_channel_to_other_parties_than_the_roster_is_refused(sessions: list[Session]) -> None:
    names = FEDERATION.parties
    for parties in (names[:2], (*names, "party-4")):
        network = Network(parties)  # type: ignore[arg-type]
        with pytest.raises(IntegrityError, match="the channel does not join party-1 to all other"):
            sessions[0].exchange_ready(network.channels[0], sessions[0].opening, empty())
        assert not network.seen
    with pytest.raises(IntegrityError, match="does not join party-1"):
        sessions[0].exchange_ready(FEDERATION.network().channels[1], sessions[0].opening, empty())


def test_closed_session_masks_nothing(sessions: list[Session]) -> None:
    sessions[0].close()
    with pytest.raises(SecretMisuseError, match="closed"):
        sessions[0].zero_sharing.fresh(b"operation", 4)
