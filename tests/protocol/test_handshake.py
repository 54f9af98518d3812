"""The whole handshake, every participant in its own thread, over the in-memory network."""

from __future__ import annotations

import numpy as np
import pytest
from session_federation import COMMITMENT, SessionFederation

from mpc.errors import IntegrityError, ParleyError, SecretMisuseError
from mpc.ring.words import add
from mpc.session.hello import session_id
from mpc.session.session import Session
from mpc.session.share import ReleasedShare, check_shares
from mpc.session.witnessing import Witnessing
from mpc.testing.ledger import MemoryLedger
from mpc.testing.network import Ends, Fault, FaultKind, Network, seeded_fault, together
from mpc.testing.sessions import Meeting
from mpc.units import PartyId

COUNTS = [2, 3, 5, 16]
SOFTWARE = "parley/test"


def to_ready(federation: SessionFederation, meeting: Meeting, network: Network) -> Ends[Session]:
    """Every party from its own Hello to everyone's READY."""
    pairings = meeting.pair()

    def run(party: PartyId) -> Session:
        channel = next(channel for channel in network.channels if channel.own == party)
        session = pairings[party].confirm(channel)
        session.exchange_ready(channel, session.opening, Witnessing(MemoryLedger()))
        channel.close()
        return session

    return together({party: lambda party=party: run(party) for party in federation.parties})


@pytest.mark.parametrize("count", COUNTS)
def test_all_parties_agree_and_their_shares_add_up(count: int) -> None:
    federation = SessionFederation(count)
    meeting = federation.meeting()
    sessions = to_ready(federation, meeting, federation.network()).all()
    own = {party: np.full(3, 10**index % 97, np.int64) for index, party in enumerate(sessions)}

    shares = []
    for party, session in sessions.items():
        mask = session.zero_sharing.fresh(session.opening, 3)
        sealed = session.seal(session.opening, add([own[party], mask]), COMMITMENT, SOFTWARE)
        shares.append(ReleasedShare.from_bytes(sealed))

    first = next(iter(sessions.values()))
    assert {session.id for session in sessions.values()} == {session_id(meeting.said)}
    check_shares(
        federation.plan.roster, federation.plan.digest, meeting.agreement.run, first.id,
        first.opening, shares,
    )  # fmt: skip
    total = add([share.words for share in shares])
    assert np.array_equal(total, add(list(own.values())))
    for party, share in zip(sessions, shares, strict=True):
        assert not np.array_equal(share.words, own[party])


@pytest.mark.parametrize("count", COUNTS)
def test_each_party_sends_each_peer_a_hello_a_confirmation_and_a_ready(count: int) -> None:
    federation = SessionFederation(count)
    network = federation.network()
    to_ready(federation, federation.meeting(), network).all()

    assert len(network.seen) == 3 * count * (count - 1)
    sizes = [len(message.payload) for message in network.seen]
    assert max(sizes) < 1024


def test_messages_are_public_or_keyed_hashes_and_never_repeat_across_runs() -> None:
    """Nothing that crosses the wire in one run is of use in another: only that names are public."""
    federation = SessionFederation(3)
    wires = []
    for _ in range(2):
        network = federation.network()
        to_ready(federation, federation.meeting(), network).all()
        wires.append({message.payload for message in network.seen})
    assert not wires[0] & wires[1]


def test_two_runs_of_one_plan_share_no_key() -> None:
    federation = SessionFederation(3)
    runs = []
    for _ in range(2):
        sessions = federation.sessions()
        a, b = federation.parties[:2]
        runs.append(
            {
                sessions[0].id,
                sessions[0].agreement.run.encode(),
                sessions[0].keys.confirmation(b),
                sessions[0].keys.stream(b"p", a, b, b"op").octets(32),
                sessions[0].zero_sharing.fresh(b"op", 4).tobytes(),
            }
        )
    assert not runs[0] & runs[1]


def test_coordinator_has_no_stream_of_the_parties_zero_sharing() -> None:
    federation = SessionFederation(3)
    coordinator = federation.meeting().coordinate()
    first, second = federation.parties[:2]
    with pytest.raises(SecretMisuseError, match="this participant and another one"):
        coordinator._keys.stream(b"parley/zero/v1", first, second, b"op")


KINDS = [FaultKind.DROP, FaultKind.SWAP, FaultKind.REPEAT, FaultKind.TAMPER, FaultKind.CUT]


@pytest.mark.parametrize("seed", range(40))
def test_any_single_fault_of_the_network_is_survived_or_stops_with_an_error(seed: int) -> None:
    """40 seeded faults; each seed is one place, one kind. Whoever ends with a session has the true
    one, nobody hangs, and a changed, lost or cut message never passes for a good one."""
    federation = SessionFederation(3, seed)
    fault = seeded_fault(seed, KINDS, federation.parties, 3)
    meeting = federation.meeting()

    ends = to_ready(federation, meeting, federation.network(wait_s=0.3, faults=[fault]))

    assert all(isinstance(error, ParleyError) for error in ends.errors.values())
    assert {session.id for session in ends.values.values()} <= {session_id(meeting.said)}
    harmless = fault.kind is FaultKind.REPEAT and fault.index == 2  # nobody reads what follows
    if harmless:
        assert not ends.errors
    else:
        assert fault.receiver in ends.errors
        assert fault.sender in str(ends.errors[fault.receiver])


def test_delay_within_the_deadline_changes_nothing() -> None:
    federation = SessionFederation(3)
    first, second, _ = federation.parties
    delays = [Fault(FaultKind.DELAY, first, second, index, delay_s=0.1) for index in range(3)]
    assert (
        len(to_ready(federation, federation.meeting(), federation.network(faults=delays)).all())
        == 3
    )


def test_silent_peer_is_named_at_the_deadline_and_no_session_is_made() -> None:
    federation = SessionFederation(3)
    pairings = federation.meeting().pair()
    network = federation.network(wait_s=0.2)
    first, second, third = federation.parties
    tasks = {
        party: lambda party=party, channel=channel: pairings[party].confirm(channel)
        for party, channel in zip((first, second), network.channels, strict=False)
    }

    ends = together(tasks)

    assert not ends.values
    assert all(third in str(error) for error in ends.errors.values())


def test_a_session_is_confirmed_once() -> None:
    federation = SessionFederation(2)
    pairing = federation.meeting().pair()[federation.parties[0]]
    network = federation.network(wait_s=0.05)
    with pytest.raises(ParleyError):
        pairing.confirm(network.channels[0])
    with pytest.raises(SecretMisuseError, match="confirmed once"):
        pairing.confirm(federation.network().channels[0])


@pytest.mark.parametrize("parties", [("party-1", "party-2"), ("party-1", "party-2", "party-4")])
def test_channel_that_does_not_lead_to_the_rosters_parties_carries_nothing(
    parties: tuple[PartyId, ...],
) -> None:
    federation = SessionFederation(3)
    network = Network(parties)
    with pytest.raises(IntegrityError, match="the channel does not join party-1 to all other"):
        federation.meeting().pair()[federation.parties[0]].confirm(network.channels[0])
    assert not network.seen


def test_channel_of_another_party_carries_nothing() -> None:
    federation = SessionFederation(3)
    network = federation.network()
    with pytest.raises(IntegrityError, match="the channel does not join party-1 to all other"):
        federation.meeting().pair()[federation.parties[0]].confirm(network.channels[1])
    assert not network.seen
