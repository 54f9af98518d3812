"""Dealing within a session: the dealer's end of it, and a party's.

The dealer and each party share one stream, keyed by their X25519 secret under T, which neither
another party nor the coordinator can derive. All of them first compare the SHA-256 of the recipes
that their plans name; then the dealer deals these, in that sequence, and nothing else.
"""

from __future__ import annotations

from collections.abc import Sequence

from mpc.dealing.dealer import Dealer
from mpc.dealing.delivery import (
    DeliveredCorrections,
    KeptCorrections,
    deliver,
    delivered_parts,
    recipes_digest,
)
from mpc.dealing.recipe import Recipe, Sampler, correction_bytes
from mpc.dealing.supply import Corrections, PlannedSupply, Supply
from mpc.errors import IntegrityError
from mpc.guarded import Guarded
from mpc.naming import operation_id
from mpc.ports import Channel
from mpc.protocols.party import PartyComputation
from mpc.session.agreement import Agreement
from mpc.session.keys import KeySchedule
from mpc.session.session import Session
from mpc.session.streams import Stream
from mpc.steps import Steps
from mpc.units import PartyId, SessionId

PURPOSE = b"parley/dealing/v1"
OPERATION = b"kernel"
DIGEST_SIZE = 32
AHEAD_BYTES_MAX = 64 << 20
"""Corrections that the last party takes before it computes; of more, those that are due."""


class DealtSession(Guarded):
    """One end of a session in which randomness is dealt, and this end computes nothing."""

    __slots__ = ("_agreement", "_keys", "id", "own")

    def __init__(
        self, agreement: Agreement, own: PartyId, session: SessionId, keys: KeySchedule
    ) -> None:
        self._agreement = agreement
        self._keys = keys
        self.own = own
        self.id = session

    def close(self) -> None:
        """Forget every key of the session."""
        self._keys.close()


class DealingSession(DealtSession):
    """The dealer's end of a session. Made by :meth:`mpc.session.establish.DealerPairing.confirm`.

    It has a stream with each party and nothing else: no input, no opening, no output comes here.
    """

    __slots__ = ()

    def deal(
        self, channel: Channel, recipes: Sequence[Recipe], sampler: Sampler | None = None
    ) -> None:
        """Deal ``recipes`` to the parties; return when the last one has read what it lacked. Once.

        Opens: nothing. Cost: 1 round of 32 bytes to everyone, then that of
        :func:`mpc.dealing.delivery.deliver`. Raises IntegrityError naming a party whose plan deals
        something else, before any key is used; and what ``channel`` raises.
        """
        self._agreement.check_links(channel, self.own)
        digest = recipes_digest(recipes)
        agree_recipes(self.id, channel, digest)
        streams = [_stream(self._keys, self.own, party) for party in self._agreement.parties]
        dealer = Dealer(streams, sampler=sampler)
        deliver(dealer, recipes, channel, self._agreement.last, dealing_scope(self.id, digest))


def dealt_supply(session: Session, channel: Channel, recipes: Sequence[Recipe]) -> PlannedSupply:
    """A party's shares of ``recipes``, to be taken in that sequence. Once a session.

    ``channel`` leads to every other party and the dealer. The last party has all corrections when
    this returns, up to :data:`AHEAD_BYTES_MAX`: then the dealer is not needed any more. Opens:
    nothing. Cost: 1 round of 32 bytes to everyone. Raises IntegrityError if nobody deals in this
    session, or naming who deals, or is dealt, something else than ``recipes``; and what ``channel``
    raises.
    """
    agreement = session.agreement
    agreement.check_links(channel, session.own)
    member = agreement.dealer
    if member is None:
        raise IntegrityError("the session has no dealer, and its recipes need one")
    digest = recipes_digest(recipes)
    agree_recipes(session.id, channel, digest)
    place, scope = agreement.parties.index(session.own), dealing_scope(session.id, digest)
    corrections: Corrections | None = None
    if session.own == agreement.last:
        corrections = DeliveredCorrections(channel, member.id, recipes)
        if sum(map(correction_bytes, recipes)) <= AHEAD_BYTES_MAX:
            parts = list(delivered_parts(channel, member.id, recipes, scope))
            corrections = KeptCorrections(iter(parts))
    stream = _stream(session.keys, member.id, session.own)
    return PlannedSupply(place, stream, recipes, scope, corrections)


def computation_with(
    session: Session, channel: Channel, recipes: Sequence[Recipe], supply: Supply
) -> PartyComputation:
    """What a party computes with among the parties, given its ``supply`` of ``recipes``.

    Opens: nothing yet. Cost: none.
    """
    steps = Steps(session, recipes_digest(recipes))
    among = session.among_parties(channel)
    return PartyComputation(session.agreement.parties, among, supply, steps, session.transcript)


def agree_recipes(session: SessionId, channel: Channel, digest: bytes) -> None:
    """Everyone says what will be dealt; who says something else is named, and the session ends."""
    step = operation_id(session, b"parley/dealing/recipes")
    odd = odd_one_out(channel, step, digest)
    if odd is not None:
        raise IntegrityError(
            "its plan deals other randomness than everybody else's",
            party=odd,
            hint="two versions of the software, or one that was changed",
        )


def odd_one_out(channel: Channel, step: bytes, digest: bytes) -> PartyId | None:
    """Who says another ``digest`` than everybody else at ``step``; None if all say the same.

    If all others say one thing, it is this participant that is wrong, and it accuses nobody.
    Opens: ``digest``, to everyone on ``channel``. Cost: 1 round of 32 bytes to each. Raises what
    ``channel`` raises.
    """
    for peer in channel.peers:
        channel.send(peer, step, digest)
    said = {peer: channel.receive(peer, step, DIGEST_SIZE) for peer in channel.peers}
    others = [peer for peer in channel.peers if said[peer] != digest]
    if not others:
        return None
    is_alone = len(others) == len(said) and len(set(said.values())) == 1
    return channel.own if is_alone else others[0]


def _stream(keys: KeySchedule, dealer: PartyId, party: PartyId) -> Stream:
    return keys.stream(PURPOSE, dealer, party, OPERATION)


def dealing_scope(session: SessionId, digest: bytes) -> bytes:
    """What names the steps of dealing the recipes of ``digest``."""
    return operation_id(session, PURPOSE, digest)
