"""A dealer in the session: what it shares with whom, what it deals, and what it never sees."""

from __future__ import annotations

import tracemalloc
from collections import Counter
from collections.abc import Sequence

import numpy as np
import pytest
from dealt_federation import DEALER, run_dealt
from kernel_parties import SCOPE, Scope, stream_of
from session_federation import SessionFederation

from mpc.dealing import delivery
from mpc.dealing.arithmetic import Grouping, Product, Square
from mpc.dealing.bits import Gate, GateMasks, MaskBits
from mpc.dealing.dealer import Dealer
from mpc.dealing.delivery import WINDOW_BYTES, DeliveredCorrections, deliver, recipes_digest
from mpc.dealing.recipe import Recipe, correction_bytes
from mpc.dealing.supply import PlannedSupply
from mpc.errors import ContractError, IntegrityError, ParleyError, PeerError, SecretMisuseError
from mpc.ports import Channel
from mpc.protocols.compare import less
from mpc.protocols.party import PartyComputation
from mpc.protocols.rehearsal import rehearse
from mpc.ring.products import Bilinear
from mpc.session.dealing import OPERATION, PURPOSE, DealingSession, dealt_supply
from mpc.session.hello import session_id
from mpc.session.session import Session
from mpc.session.witnessing import Witnessing
from mpc.steps import Steps
from mpc.testing.ledger import MemoryLedger
from mpc.testing.network import Fault, FaultKind, Network, together
from mpc.units import PartyId

VALUES = np.array([5, -7, 0, 12, -(2**40)], np.int64)
OTHERS = np.array([6, -7, -1, 12, 2**40], np.int64)


def sessions_of(
    federation: SessionFederation,
) -> tuple[dict[PartyId, Session], DealingSession, Network]:
    """Confirmed sessions of all parties and the dealer."""
    pairings, dealer = federation.meeting().pair_dealt()
    network = federation.network()
    sessions: dict[PartyId, Session] = {}

    def confirm(channel: Channel) -> DealingSession | None:
        if channel.own == DEALER:
            return dealer.confirm(channel)
        sessions[channel.own] = pairings[channel.own].confirm(channel)
        return None

    ends = together({c.own: lambda c=c: confirm(c) for c in network.channels})
    dealing = ends.all()[DEALER]
    assert dealing is not None
    return {party: sessions[party] for party in federation.parties}, dealing, network


# --- the handshake ---------------------------------------------------------------------------


@pytest.mark.parametrize("count", [2, 3, 16])
def test_the_dealer_is_in_the_session_id_and_confirms_with_every_party(count: int) -> None:
    federation = SessionFederation(count, dealer=True)
    sessions, dealing, network = sessions_of(federation)

    assert {session.id for session in sessions.values()} == {dealing.id}
    assert len(network.seen) == 2 * (count + 1) * count  # a Hello and a confirmation, all pairs


def test_t_is_the_hash_of_all_hellos_the_dealers_before_the_coordinators() -> None:
    federation = SessionFederation(3, dealer=True)
    meeting = federation.meeting()
    pairings, dealer = meeting.pair_dealt()
    said = [meeting.hellos[name].data for name in (*federation.parties, DEALER, PartyId("office"))]
    assert {pairing.id for pairing in pairings.values()} == {dealer.id} == {session_id(said)}


def test_each_party_has_a_stream_with_the_dealer_that_nobody_else_can_make() -> None:
    federation = SessionFederation(3, dealer=True)
    sessions, dealing, _ = sessions_of(federation)
    first, second, third = federation.parties

    ends = [
        dealing._keys.stream(PURPOSE, DEALER, party, OPERATION).octets(64)
        for party in federation.parties
    ]

    assert len(set(ends)) == 3
    for party, theirs in zip(federation.parties, ends, strict=True):
        own = sessions[party].keys.stream(PURPOSE, DEALER, party, OPERATION).octets(64)
        assert own == theirs
    with pytest.raises(SecretMisuseError, match="this participant and another one"):
        sessions[first].keys.stream(PURPOSE, DEALER, second, OPERATION)
    coordinator = federation.meeting().coordinate()
    with pytest.raises(SecretMisuseError, match="this participant and another one"):
        coordinator._keys.stream(PURPOSE, DEALER, third, OPERATION)


def test_zero_is_shared_among_the_parties_alone() -> None:
    federation = SessionFederation(4, dealer=True)
    sessions, _, _ = sessions_of(federation)
    masks = [session.zero_sharing.fresh(b"op", 5) for session in sessions.values()]
    assert not np.sum(masks, axis=0).any()
    assert all(mask.any() for mask in masks)


@pytest.mark.parametrize("poser", ["party-1", "office"])
def test_only_the_rosters_dealer_takes_the_dealers_step(poser: str) -> None:
    meeting = SessionFederation(3, dealer=True).meeting()
    confirmations = meeting.coordinate().confirmations
    with pytest.raises(SecretMisuseError, match="only the session's dealer"):
        meeting.hellos[PartyId(poser)].agree_as_dealer(meeting.said, b"")
    with pytest.raises(SecretMisuseError, match="the dealer has no part in the parties' session"):
        meeting.hellos[DEALER].agree(meeting.said, confirmations[DEALER])


def test_a_party_that_signs_the_dealers_hello_is_refused_naming_the_dealer() -> None:
    federation = SessionFederation(3, dealer=True)
    meeting, other = federation.meeting(), federation.meeting()
    said = meeting.said
    said[3] = meeting.hellos[PartyId("party-1")].data
    with pytest.raises(IntegrityError, match="dealer: its Hello is refused"):
        meeting.hellos[PartyId("party-2")].agree(said, b"")
    said[3] = other.hellos[DEALER].data  # another run's
    with pytest.raises(IntegrityError, match="dealer: its Hello is refused"):
        meeting.hellos[PartyId("party-3")].agree(said, b"")


def test_ready_is_the_parties_word_to_each_other_and_not_to_the_dealer() -> None:
    federation = SessionFederation(3, dealer=True)
    sessions, _, network = sessions_of(federation)
    before = len(network.seen)
    channels = [channel for channel in network.channels if channel.own != DEALER]

    with pytest.raises(IntegrityError, match="does not join party-1 to all other parties"):
        sessions[federation.parties[0]].exchange_ready(
            channels[0], b"o" * 16, Witnessing(MemoryLedger())
        )
    together(
        {
            channel.own: lambda channel=channel, session=sessions[channel.own]: (
                session.exchange_ready(
                    session.among_parties(channel), session.opening, Witnessing(MemoryLedger())
                )
            )
            for channel in channels
        }
    ).all()

    assert len(network.seen) - before == 6
    assert all(message.receiver != DEALER for message in network.seen[before:])


def test_without_a_dealer_the_parties_channel_is_the_whole_one() -> None:
    federation = SessionFederation(2)
    (session, _), network = federation.sessions(), federation.network()
    assert session.among_parties(network.channels[0]) is network.channels[0]
    with pytest.raises(IntegrityError, match="the session has no dealer"):
        dealt_supply(session, network.channels[0], [Square((3,))])


# --- dealing ---------------------------------------------------------------------------------


@pytest.mark.parametrize("parties", [2, 3, 5])
def test_parties_compare_on_what_the_dealer_deals_at_the_rehearsed_cost(parties: int) -> None:
    ran = run_dealt(less, VALUES, OTHERS, parties=parties)

    assert (ran.output() == (VALUES < OTHERS)).all()
    rehearsed = rehearse(less, VALUES.shape, OTHERS.shape, parties=parties)
    assert set(ran.costs.values()) == {rehearsed.cost}


def test_the_dealer_sees_hellos_hashes_of_the_recipes_and_one_empty_confirmation() -> None:
    ran = run_dealt(less, VALUES, OTHERS)
    ran.ends.all()

    seen = [message for message in ran.network.seen if message.receiver == DEALER]
    sizes = Counter(len(message.payload) for message in seen if len(message.payload) < 100)
    assert len(seen) == 3 * 3 + 1
    assert sizes == {32: 6, 0: 1}
    sent = [message for message in ran.network.seen if message.sender == DEALER]
    corrections = [message for message in sent if message.receiver == "party-3"][3:]
    assert sum(len(message.payload) for message in corrections) == sum(
        correction_bytes(recipe) for recipe in ran.recipes
    )
    assert len([message for message in sent if message.receiver != "party-3"]) == 2 * 3


def test_a_computation_over_a_channel_with_the_dealer_in_it_is_refused() -> None:
    federation = SessionFederation(3, dealer=True)
    sessions, _, network = sessions_of(federation)
    session, channel = sessions[federation.parties[0]], network.channels[0]
    supply = PlannedSupply(0, stream_of(0), [], SCOPE, None)
    with pytest.raises(ContractError, match="among the parties of its channel"):
        PartyComputation(
            federation.parties, channel, supply, Steps(Scope(), b"kernel"), session.transcript
        )
    with pytest.raises(ContractError, match="dealer is not among the parties"):
        session.among_parties(channel).send(DEALER, b"o" * 16, b"opened")


@pytest.mark.parametrize(
    "dealt",
    [
        lambda recipes: recipes[:-1],
        lambda recipes: (*recipes, recipes[0]),
        lambda recipes: recipes[::-1],
        lambda _recipes: (),
    ],
    ids=["fewer", "more", "another sequence", "nothing"],
)
def test_a_dealer_with_another_list_of_recipes_is_named_before_anything_is_dealt(
    dealt: object,
) -> None:
    ran = run_dealt(less, VALUES, OTHERS, dealt=dealt, wait_s=1.0)  # type: ignore[arg-type]

    errors = ran.ends.errors
    assert set(errors) == {*SessionFederation(3, dealer=True).parties, DEALER}
    assert all("dealer: its plan deals other randomness" in str(error) for error in errors.values())
    assert all(cost.rounds == 0 for cost in ran.costs.values())
    sent = [m for m in ran.network.seen if m.sender == DEALER and m.receiver == "party-3"]
    assert len(sent) == 3  # Hello, confirmation, hash


@pytest.mark.parametrize(
    "kind", [FaultKind.DROP, FaultKind.SWAP, FaultKind.REPEAT, FaultKind.CUT], ids=str
)
@pytest.mark.parametrize("index", [2, 3, 5])
def test_a_fault_on_the_dealers_link_stops_everyone_and_names_the_dealer(
    kind: FaultKind, index: int
) -> None:
    fault = Fault(kind, DEALER, PartyId("party-3"), index)
    ran = run_dealt(less, VALUES, OTHERS, faults=[fault], wait_s=0.5)

    assert all(isinstance(error, ParleyError) for error in ran.ends.errors.values())
    assert not ran.ends.values
    assert "dealer" in str(ran.ends.errors[PartyId("party-3")])
    whole = rehearse(less, VALUES.shape, OTHERS.shape).cost.rounds
    assert all(cost.rounds < whole for cost in ran.costs.values())


# --- parts, window and memory ----------------------------------------------------------------

LARGE: list[Recipe] = [
    MaskBits(100, sign=True),
    Product(Bilinear.ELEMENTWISE, (3_000_000,), (3_000_000,)),  # 24 MB to correct
    Square((0,)),
    GateMasks(Gate.NODE, 4, 20_000),
    *[Square((1000,)) for _ in range(200)],
    Grouping(100_000, 6, weighted=False),  # 51 MB
]
ENDS = (PartyId("last"), DEALER)


def deal_to_one(recipes: Sequence[Recipe]) -> tuple[list[bytes], Network]:
    """Two parties' worth of dealing, of which the last one's corrections travel."""
    network = Network(ENDS, wait_s=10.0)
    to, own = network.channels
    dealer = Dealer([stream_of(0), stream_of(1)])
    corrections = DeliveredCorrections(to, DEALER, recipes)
    taken: list[bytes] = []

    def take() -> None:
        supply = PlannedSupply(1, stream_of(1), recipes, SCOPE, corrections)
        for recipe in recipes:
            dealt = supply.take(recipe)
            taken.append(b"".join(each.tobytes() for each in dealt.derived))

    together(
        {
            ENDS[0]: take,
            ENDS[1]: lambda: deliver(dealer, recipes, own, ENDS[0], SCOPE),
        }
    ).all()
    return taken, network


def test_corrections_of_any_size_arrive_in_parts_as_they_were_made() -> None:
    taken, network = deal_to_one(LARGE)

    dealer = Dealer([stream_of(0), stream_of(1)])
    assert taken == [bytes(dealer.corrections(recipe)) for recipe in LARGE]
    sent = [len(message.payload) for message in network.seen if message.sender == DEALER]
    assert max(sent) == delivery.PART_BYTES
    assert min(sent) > 0
    confirmations = [m for m in network.seen if m.sender != DEALER]
    assert len(confirmations) <= sum(sent) // delivery.CONFIRMED_BYTES + 1


def test_never_more_than_the_window_is_unread(monkeypatch: pytest.MonkeyPatch) -> None:
    """The dealer is ahead by all that the window lets it, and by nothing more."""
    unread: list[int] = []

    class Counted(Network):
        def post(
            self, sender: PartyId, receiver: PartyId, operation: bytes, payload: bytes
        ) -> None:
            super().post(sender, receiver, operation, payload)
            waiting = self.line(DEALER, ENDS[0]).arrived
            unread.append(sum(len(m.payload) + delivery.OVERHEAD_BYTES for m in waiting))

    monkeypatch.setitem(deal_to_one.__globals__, "Network", Counted)
    deal_to_one([Square((150_000,))] * 80)

    assert max(unread) <= WINDOW_BYTES


def test_a_party_that_stops_reading_stops_the_dealer_and_not_its_memory() -> None:
    network = Network(ENDS, wait_s=0.3)
    dealer = Dealer([stream_of(0), stream_of(1)])
    recipes = [Square((300_000,))] * 100

    with pytest.raises(PeerError, match="last: sent nothing for"):
        deliver(dealer, recipes, network.channels[1], ENDS[0], SCOPE)

    assert sum(len(message.payload) for message in network.seen) <= WINDOW_BYTES


@pytest.mark.parametrize(
    "recipe",
    [
        Product(Bilinear.ELEMENTWISE, (1 << 20,), (1 << 20,)),
        Product(Bilinear.MATMUL, (1024, 512), (512, 1024)),
        Square((1 << 21,)),
        GateMasks(Gate.NODE, 4, 1 << 15),
        MaskBits(1 << 18, sign=True),
        Grouping(1 << 15, 6, weighted=True),
    ],
    ids=lambda recipe: type(recipe).__name__,
)
def test_dealing_a_recipe_takes_three_times_its_own_words_at_most(recipe: Recipe) -> None:
    own = 8 * sum(slot.words for slot in (*recipe.free, *recipe.derived))
    dealer = Dealer([stream_of(place) for place in range(3)])
    tracemalloc.start()
    try:
        dealer.corrections(recipe)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak <= 3 * own + (1 << 20)


def test_the_hash_of_recipes_tells_every_list_from_every_other() -> None:
    lists = [[], LARGE[:1], LARGE[:2], LARGE[1::-1], [MaskBits(100, sign=False)]]
    assert len({recipes_digest(recipes) for recipes in lists}) == len(lists)
