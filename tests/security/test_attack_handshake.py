"""A coordinator, a network or a party that deviates in the handshake: refused, naming whom."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest
from session_federation import AgreedPlan, SessionFederation, agree_at, own_hello

from mpc.errors import IntegrityError, ParleyError, SecretMisuseError
from mpc.naming import operation_id
from mpc.roster import Roster
from mpc.session.agreement import BUILD, Agreement
from mpc.session.establish import make_hello
from mpc.session.hello import Hello
from mpc.session.session import Session
from mpc.testing.network import Ends, MemoryChannel, Network, together
from mpc.testing.sessions import NOW_UNIX_S, Meeting, approvals_of
from mpc.units import PartyId

A, B, C = (PartyId(f"party-{number}") for number in (1, 2, 3))
OFFICE = PartyId("office")
PLACE = {A: 0, B: 1, C: 2, OFFICE: 3}


@pytest.fixture
def federation() -> SessionFederation:
    return SessionFederation(3, "attack")


def put(said: Sequence[bytes], participant: PartyId, hello: bytes) -> list[bytes]:
    """``said`` with another Hello in one place."""
    changed = list(said)
    changed[PLACE[participant]] = hello
    return changed


def signed_as(federation: SessionFederation, signer: PartyId, hello: Hello) -> bytes:
    signature = federation.participant(signer).sign("parley/hello/v1", hello._message())
    return replace(hello, signature=signature).to_bytes()


def refused_and_spent(meeting: Meeting, party: PartyId, said: Sequence[bytes], why: str) -> None:
    """``party`` refuses ``said`` as ``why`` says, and does not try again with the same key."""
    with pytest.raises(IntegrityError, match=why):
        agree_at(meeting, party, said)
    with pytest.raises(SecretMisuseError, match="one handshake"):
        own_hello(meeting, party).agree(meeting.said, bytes(32))


# --- what the coordinator hands over -----------------------------------------------------------


def test_hello_replayed_from_another_run_is_refused(federation: SessionFederation) -> None:
    old, meeting = federation.meeting(), federation.meeting()
    said = put(meeting.said, B, own_hello(old, B).data)
    refused_and_spent(meeting, A, said, "party-2: its Hello is refused: it has other approvals")


def test_own_hello_replaced_by_an_older_one_is_refused(federation: SessionFederation) -> None:
    meeting = federation.meeting()
    older = make_hello(meeting.agreement, A, federation.participant(A).sign, federation.randomness)
    said = put(meeting.said, A, older.data)
    refused_and_spent(meeting, A, said, "party-1: the Hello given as this participant's is not")


def test_hellos_of_two_parties_swapped_are_refused(federation: SessionFederation) -> None:
    meeting = federation.meeting()
    said = put(put(meeting.said, B, meeting.said[2]), C, meeting.said[1])
    refused_and_spent(meeting, A, said, "party-2: .* another participant's Hello")


def test_keys_of_two_parties_swapped_inside_their_hellos_are_refused(
    federation: SessionFederation,
) -> None:
    meeting = federation.meeting()
    b, c = (Hello.from_bytes(hello) for hello in meeting.said[1:3])
    said = put(meeting.said, B, replace(b, key=c.key).to_bytes())
    said = put(said, C, replace(c, key=b.key).to_bytes())
    refused_and_spent(meeting, A, said, "party-2: its signature on parley/hello/v1")


def test_coordinator_that_puts_its_own_key_into_a_partys_hello_is_refused(
    federation: SessionFederation,
) -> None:
    """The man in the middle: his key, his signature, her name."""
    meeting = federation.meeting()
    key = Hello.from_bytes(meeting.said[3]).key
    forged = replace(Hello.from_bytes(meeting.said[1]), key=key)
    for hello in (forged.to_bytes(), signed_as(federation, OFFICE, forged)):
        fresh = Meeting(
            meeting.agreement, meeting.approvals,
            {**meeting.hellos, A: make_hello(meeting.agreement, A, federation.participant(A).sign,
                                             federation.randomness)},
        )  # fmt: skip
        with pytest.raises(IntegrityError, match="party-2: its signature"):
            own_hello(fresh, A).agree(put(fresh.said, B, hello), bytes(32))


@pytest.mark.parametrize("signature", [bytes(64), b"\xff" * 64])
def test_unsigned_hello_is_refused(federation: SessionFederation, signature: bytes) -> None:
    meeting = federation.meeting()
    unsigned = replace(Hello.from_bytes(meeting.said[1]), signature=signature).to_bytes()
    refused_and_spent(meeting, A, put(meeting.said, B, unsigned), "party-2: its signature")


def test_signature_of_an_approval_is_none_on_a_hello(federation: SessionFederation) -> None:
    meeting = federation.meeting()
    hello = Hello.from_bytes(meeting.said[1])
    signature = federation.participant(B).sign("parley/approval/v1", hello._message())
    said = put(meeting.said, B, replace(hello, signature=signature).to_bytes())
    refused_and_spent(meeting, A, said, "party-2: its signature")


def test_parties_that_were_shown_different_plans_refuse_each_other(
    federation: SessionFederation,
) -> None:
    meeting, other = federation.meeting(), federation.meeting(federation.planned("another plan"))
    said = put(meeting.said, B, other.said[1])
    refused_and_spent(meeting, A, said, "party-2: its Hello is refused: it has another plan")


def test_approval_of_another_plan_starts_nothing(federation: SessionFederation) -> None:
    good = approvals_of(federation.plan, federation.participants, federation.randomness)
    other = federation.planned("another plan")
    with pytest.raises(IntegrityError, match="party-1: its approval is of another plan"):
        Agreement.of(other, good, NOW_UNIX_S)


def test_parties_that_were_shown_different_rosters_refuse_each_other(
    federation: SessionFederation,
) -> None:
    meeting = federation.meeting()
    first, second, third, office = federation.plan.roster.members
    renamed = Roster((first, second, replace(third, organization="Another"), office))
    other = federation.meeting(AgreedPlan(federation.plan.digest, renamed))
    said = put(meeting.said, B, other.said[1])
    refused_and_spent(meeting, A, said, "party-2: its Hello is refused: it has another roster")


def test_roster_with_two_parties_signing_keys_swapped_refuses_both(
    federation: SessionFederation,
) -> None:
    first, second, third, office = federation.plan.roster.members
    swapped = Roster(
        (
            first,
            replace(second, signing_certificate=third.signing_certificate),
            replace(third, signing_certificate=second.signing_certificate),
            office,
        )
    )
    plan = AgreedPlan(federation.plan.digest, swapped)
    approvals = approvals_of(plan, federation.participants, federation.randomness)
    with pytest.raises(IntegrityError, match="party-2: its signature on parley/approval/v1"):
        Agreement.of(plan, approvals, NOW_UNIX_S)
    agreement = Agreement(plan.digest, swapped, federation.meeting().agreement.run)
    with pytest.raises(IntegrityError, match="party-2: its signature on parley/hello/v1"):
        make_hello(agreement, B, federation.participant(B).sign, federation.randomness)


def test_one_replayed_approval_among_fresh_ones_makes_another_run(
    federation: SessionFederation,
) -> None:
    """Its own party's node refuses its nonce; and the others' Hellos of the old run do not fit."""
    old = federation.meeting()
    fresh = approvals_of(federation.plan, federation.participants, federation.randomness)
    mixed = Agreement.of(federation.plan, (fresh[0], old.approvals[1], fresh[2]), NOW_UNIX_S)
    hello = make_hello(mixed, A, federation.participant(A).sign, federation.randomness)
    assert mixed.run != old.agreement.run
    with pytest.raises(IntegrityError, match=r"party-2: .* other approvals"):
        hello.agree([hello.data, *old.said[1:]], bytes(32))


@pytest.mark.parametrize("member", [B, OFFICE])
def test_key_of_low_order_signed_by_its_owner_is_refused_naming_him(
    federation: SessionFederation, member: PartyId
) -> None:
    meeting = federation.meeting()
    zero = replace(Hello.from_bytes(meeting.said[PLACE[member]]), key=bytes(32))
    said = put(meeting.said, member, signed_as(federation, member, zero))
    refused_and_spent(meeting, A, said, f"{member}: its X25519 key gives an all-zero secret")


@pytest.mark.parametrize("field", ["key", "nonce"])
def test_party_that_mirrors_anothers_key_or_nonce_is_refused(
    federation: SessionFederation, field: str
) -> None:
    meeting = federation.meeting()
    taken = getattr(Hello.from_bytes(meeting.said[0]), field)
    mirror = replace(Hello.from_bytes(meeting.said[1]), **{field: taken})
    said = put(meeting.said, B, signed_as(federation, B, mirror))
    refused_and_spent(meeting, A, said, "party-2: its Hello repeats .* of party-1")


def test_build_without_noise_cannot_meet_a_real_one(federation: SessionFederation) -> None:
    real = federation.meeting()
    agreement = replace(real.agreement, build="no-noise-for-tests/1")  # the very same run
    hello = make_hello(agreement, B, federation.participant(B).sign, federation.randomness)
    claimed = replace(Hello.from_bytes(hello.data), build=BUILD).to_bytes()

    with pytest.raises(IntegrityError, match=r"party-1: .* another mechanism"):
        hello.agree(put(real.said, B, hello.data), bytes(32))
    refused_and_spent(real, A, put(real.said, B, claimed), "party-2: its signature")
    with pytest.raises(IntegrityError, match=r"party-2: .* another mechanism"):
        own_hello(real, C).agree(put(real.said, B, hello.data), bytes(32))


@pytest.mark.parametrize(
    "change",
    [
        lambda macs: bytes(32),
        lambda macs: b"",
        lambda macs: macs[B],
        lambda macs: macs[A][::-1],
    ],
)
def test_coordinator_without_the_right_confirmation_is_refused(
    federation: SessionFederation, change: Callable[[dict[PartyId, bytes]], bytes]
) -> None:
    meeting = federation.meeting()
    confirmations = dict(meeting.coordinate().confirmations)
    with pytest.raises(IntegrityError, match="office: its confirmation of the session"):
        own_hello(meeting, A).agree(meeting.said, change(confirmations))


def test_coordinator_refuses_a_confirmation_that_is_mirrored_or_anothers(
    federation: SessionFederation,
) -> None:
    meeting = federation.meeting()
    coordinator = meeting.coordinate()
    pairings = {
        party: own_hello(meeting, party).agree(meeting.said, coordinator.confirmations[party])
        for party in (A, B)
    }
    for wrong in (coordinator.confirmations[A], pairings[B].for_coordinator, bytes(32)):
        with pytest.raises(IntegrityError, match="party-1: its confirmation"):
            coordinator.check(A, wrong)
    coordinator.check(A, pairings[A].for_coordinator)


def test_each_side_takes_its_own_step_only(federation: SessionFederation) -> None:
    meeting = federation.meeting()
    with pytest.raises(SecretMisuseError, match="no part in the parties' session"):
        own_hello(meeting, OFFICE).agree(meeting.said, bytes(32))
    with pytest.raises(SecretMisuseError, match="only the roster's coordinator"):
        own_hello(meeting, A).agree_as_coordinator(meeting.said)


def test_member_cannot_make_a_hello_for_another(federation: SessionFederation) -> None:
    agreement = federation.meeting().agreement
    with pytest.raises(IntegrityError, match="party-1: its signature"):
        make_hello(agreement, A, federation.participant(B).sign, federation.randomness)
    with pytest.raises(IntegrityError, match="not in the plan's roster"):
        make_hello(
            agreement, PartyId("stranger"), federation.participant(B).sign, federation.randomness
        )


# --- what happens between the parties ----------------------------------------------------------


def confirm_with(
    federation: SessionFederation, meeting: Meeting, said_to: dict[PartyId, Sequence[bytes]]
) -> Ends[Session]:
    """Every party takes the Hellos meant for it, then meets the others."""
    network = federation.network(wait_s=1)
    confirmations = meeting.coordinate().confirmations
    pairings = {
        party: own_hello(meeting, party).agree(said_to[party], confirmations[party])
        for party in federation.parties
    }
    return together(
        {
            channel.own: lambda channel=channel: pairings[channel.own].confirm(channel)
            for channel in network.channels
        }
    )


def two_hellos_of_office(
    federation: SessionFederation, meeting: Meeting
) -> tuple[Meeting, Meeting]:
    """One run, one set of parties' Hellos, two Hellos of the coordinator."""
    sign = federation.participant(OFFICE).sign
    second = make_hello(meeting.agreement, OFFICE, sign, federation.randomness)
    return meeting, replace(meeting, hellos={**meeting.hellos, OFFICE: second})


def test_coordinator_that_tells_two_parties_different_hellos_of_its_own_is_found_out(
    federation: SessionFederation,
) -> None:
    first, second = two_hellos_of_office(federation, federation.meeting())
    views = {A: first, B: first, C: second}
    macs = {id(view): view.coordinate().confirmations for view in (first, second)}
    network = federation.network(wait_s=1)
    pairings = {
        party: own_hello(view, party).agree(view.said, macs[id(view)][party])
        for party, view in views.items()
    }

    ends = together(
        {
            channel.own: lambda channel=channel: pairings[channel.own].confirm(channel)
            for channel in network.channels
        }
    )

    assert not ends.values
    assert pairings[A].id != pairings[C].id
    refusals = [error for error in ends.errors.values() if isinstance(error, IntegrityError)]
    assert any("its confirmation of the session does not hold" in str(each) for each in refusals)


def test_hello_replayed_within_the_run_is_found_out_by_its_owner_saying_another(
    federation: SessionFederation,
) -> None:
    """Same approvals, properly signed, but B's key of an earlier attempt: B says another one."""
    meeting = federation.meeting()
    earlier = make_hello(
        meeting.agreement, B, federation.participant(B).sign, federation.randomness
    )
    fooled = replace(meeting, hellos={**meeting.hellos, B: earlier})
    confirmations = fooled.coordinate().confirmations
    pairing = own_hello(meeting, A).agree(fooled.said, confirmations[A])
    network = federation.network(wait_s=1)
    say(network.channels[1], meeting, A, own_hello(meeting, B).data, bytes(32))

    with pytest.raises(IntegrityError, match="party-2: it says another Hello than the coordinator"):
        pairing.confirm(network.channels[0])


def say(
    channel: MemoryChannel, meeting: Meeting, to: PartyId, hello: bytes, confirmation: bytes
) -> None:
    """What a deviating party sends in the handshake."""
    run = meeting.agreement.run.encode()
    for name, payload in ((b"hello", hello), (b"confirm", confirmation)):
        channel.send(to, operation_id(run, b"parley/handshake/v1", name), payload)


def sent_to(network: Network, sender: PartyId, receiver: PartyId) -> list[bytes]:
    return [
        message.payload
        for message in network.seen
        if (message.sender, message.receiver) == (sender, receiver)
    ]


@pytest.mark.parametrize("which", ["mirrored", "of the pair A and C", "zero", "replayed"])
def test_replayed_hello_without_its_key_gives_no_confirmation(
    federation: SessionFederation, which: str
) -> None:
    """Whoever replays B's Hello to A, over B's own channel even, lacks the key in it."""
    meeting = federation.meeting()
    pairings = meeting.pair()
    tapped = federation.network(wait_s=0.3)
    with pytest.raises(ParleyError):
        pairings[A].confirm(tapped.channels[0])  # what A says, for the attacker to use
    old = federation.meeting()
    old_network = federation.network()
    old.establish(old_network)
    confirmation = {
        "mirrored": sent_to(tapped, A, B)[1],
        "of the pair A and C": sent_to(tapped, A, C)[1],
        "zero": bytes(32),
        "replayed": sent_to(old_network, B, A)[1],
    }[which]

    again = make_hello(meeting.agreement, A, federation.participant(A).sign, federation.randomness)
    fresh = replace(meeting, hellos={**meeting.hellos, A: again})
    coordinator = make_hello(
        meeting.agreement, OFFICE, federation.participant(OFFICE).sign, federation.randomness
    )
    fresh = replace(fresh, hellos={**fresh.hellos, OFFICE: coordinator})
    pairing = agree_at(fresh, A, fresh.said)
    network = federation.network(wait_s=1)
    say(network.channels[1], meeting, A, fresh.said[1], confirmation)

    with pytest.raises(IntegrityError, match="party-2: its confirmation of the session"):
        pairing.confirm(network.channels[0])


def test_honest_parties_meet_after_all_that(federation: SessionFederation) -> None:
    meeting = federation.meeting()
    ends = confirm_with(federation, meeting, dict.fromkeys(federation.parties, meeting.said))
    assert len(ends.all()) == 3
